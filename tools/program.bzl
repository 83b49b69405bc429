# SPDX-License-Identifier: Apache-2.0
"""What rules share whose test or binary is a program built in another configuration."""

def _run_program_impl(ctx):
    program = ctx.attr.program[0]
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = executable, target_file = ctx.executable.program, is_executable = True)
    runfiles = ctx.runfiles(files = [ctx.executable.program])
    return [DefaultInfo(
        executable = executable,
        runfiles = runfiles.merge(program[DefaultInfo].default_runfiles),
    )]

def program_rule(configuration, **kwargs):
    """A rule whose targets run their `program`, which the transition `configuration` builds."""
    return rule(
        implementation = _run_program_impl,
        attrs = {
            "program": attr.label(executable = True, mandatory = True, cfg = configuration),
            "_allowlist_function_transition": attr.label(
                default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
            ),
        },
        **kwargs
    )

def without_sanitizers(options):
    """The options that choose no sanitizer."""
    return [option for option in options if not option.startswith("-fsanitize")]
