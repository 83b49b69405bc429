# SPDX-License-Identifier: Apache-2.0
"""What rules share whose test or binary is a program built in another configuration."""

load("//tools:paddock.bzl", "PADDOCK_COPTS")

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

# What a transition of optimised() reads, and what it changes beside its own build setting.
OPTIMISED_INPUTS = ["//command_line_option:linkopt"]
OPTIMISED_OUTPUTS = [
    "//command_line_option:compilation_mode",
    "//command_line_option:platform_suffix",
    "//command_line_option:copt",
    "//command_line_option:linkopt",
]

def optimised(settings, name, assertions):
    """The options of one optimised configuration without sanitizers, the same from any build.

    Bazel names its folder after the options that the transition changes, so it changes the same
    ones whatever the build is: dbg and -Wl,-O1 are there to differ from what the user asked for.

    Args:
      settings: of the transition
      name: of the platform suffix
      assertions: -DNDEBUG or -UNDEBUG

    Returns:
      a dictionary of OPTIMISED_OUTPUTS
    """
    return {
        "//command_line_option:compilation_mode": "dbg",
        "//command_line_option:platform_suffix": name,
        "//command_line_option:copt": ["-O2", "-g0", assertions, "-fno-omit-frame-pointer", "-pthread"],
        "//command_line_option:linkopt": [
            option
            for option in settings["//command_line_option:linkopt"]
            if not option.startswith("-fsanitize")
        ] + ["-Wl,-O1"],
    }

def test_of_program(rule, name, srcs, deps, size, **kwargs):
    """A GoogleTest that `rule`, one of program_rule, builds in its configuration."""
    native.cc_binary(
        name = name + "_program",
        srcs = srcs,
        copts = PADDOCK_COPTS,
        linkstatic = True,
        tags = ["manual"],
        testonly = True,
        deps = deps + ["@com_google_googletest//:gtest_main"],
    )
    rule(name = name, size = size, program = ":" + name + "_program", **kwargs)
