# SPDX-License-Identifier: Apache-2.0
"""Repository rules: Debian's source packages, upstream archives, and installed rule sets."""

def _execute(ctx, command, what):
    """Runs the command; returns "", or what went wrong."""
    result = ctx.execute(command, timeout = 1200)
    if result.return_code == 0:
        return ""
    return "%s failed:\n%s%s" % (what, result.stdout, result.stderr)

def _is_debian(ctx):
    return ctx.which("apt-get") != None and ctx.which("dpkg-source") != None

def _unpack_debian(ctx):
    script = ctx.path(Label("//third_party:fetch_debian_source.sh"))
    what = "fetching Debian source package " + ctx.attr.debian_package
    arguments = [ctx.attr.debian_package, ctx.attr.version, str(ctx.path("."))]
    return _execute(ctx, ["bash", str(script)] + arguments + ctx.attr.keep, what)

def _unpack_upstream(ctx):
    ctx.download_and_extract(
        url = ctx.attr.upstream_url,
        sha256 = ctx.attr.upstream_sha256,
        stripPrefix = ctx.attr.upstream_prefix,
    )

def _source_repository_impl(ctx):
    reason = "no apt-get and dpkg-source here"
    if _is_debian(ctx):
        reason = _unpack_debian(ctx)
    if reason:
        # buildifier: disable=print
        print("%s\n@%s: taking upstream's archive instead: %s. If that fails too, unpack it " %
              (reason, ctx.name, ctx.attr.upstream_url) +
              "yourself and write into user.bazelrc: build --override_repository=%s=FOLDER" %
              ctx.name)
        _unpack_upstream(ctx)
    if ctx.attr.build_file:
        ctx.delete("BUILD.bazel")
        ctx.template("BUILD.bazel", ctx.attr.build_file)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)

source_repository = repository_rule(
    doc = """A library built from source, so that one configuration covers all of a binary.

    On Debian it is the distribution's own source package, verified and patched by the
    distribution's tools. Where that does not offer the version, the upstream archive, which the
    checksum pins, without Debian's patches.""",
    implementation = _source_repository_impl,
    attrs = {
        "debian_package": attr.string(mandatory = True),
        "version": attr.string(mandatory = True, doc = "The upstream version."),
        "build_file": attr.label(doc = "Used where the package has no Bazel build of its own."),
        "keep": attr.string_list(doc = "Top-level entries to unpack; all of them when empty."),
        "upstream_url": attr.string(mandatory = True),
        "upstream_sha256": attr.string(mandatory = True),
        "upstream_prefix": attr.string(mandatory = True),
    },
    environ = ["PADDOCK_CACHE", "HOME"],
)

def _installed_repository_impl(ctx):
    if not ctx.path(ctx.attr.path).exists:
        fail("@%s: %s does not exist; install the Debian package %s (./paddock does)" %
             (ctx.name, ctx.attr.path, ctx.attr.debian_package))
    problem = _execute(ctx, ["cp", "-RL", ctx.attr.path + "/.", "."], "copying " + ctx.attr.path)
    if problem:
        fail(problem)
    for file in ctx.attr.substituted_files:
        text = ctx.read(file)
        for old, new in ctx.attr.substitutions.items():
            text = text.replace(old, new)
        ctx.file(file, text, executable = False)

installed_repository = repository_rule(
    doc = "A rule set that a Debian package installs, with texts replaced in some of its files.",
    implementation = _installed_repository_impl,
    local = False,
    attrs = {
        "path": attr.string(mandatory = True),
        "debian_package": attr.string(mandatory = True),
        "substitutions": attr.string_dict(),
        "substituted_files": attr.string_list(),
    },
)

def _coverage_stub_repository_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("BUILD.bazel", """
filegroup(
    name = "coverage_report_generator",
    srcs = [],
    visibility = ["//visibility:public"],
)
""")

coverage_stub_repository = repository_rule(
    doc = "Stands in for Bazel's Java coverage tools, which every cc_test would download.",
    implementation = _coverage_stub_repository_impl,
)
