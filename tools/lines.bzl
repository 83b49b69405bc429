# SPDX-License-Identifier: Apache-2.0
"""Tests that record which cache lines our code touches, in any build.

ThreadSanitizer's instrumentation puts a call in front of every access to memory. These tests link
functions of ours (//tests/scaling:line_recorder) instead of its runtime. Only our sources are
instrumented: libraries see no option but those of an optimised build. The options make one folder
of all builds, as those of model.bzl do. g++ calls nothing for bulk copies: --config=gcc leaves these
tests out, by their tag.
"""

load("//tools:paddock.bzl", "PADDOCK_COPTS")
load("//tools:program.bzl", "program_rule", "without_sanitizers")

def _switch_impl(ctx):
    return []

switch = rule(implementation = _switch_impl, build_setting = config.bool(flag = True))

def _lines_transition_impl(settings, attr):
    return {
        "//tools:record_lines": True,
        "//command_line_option:compilation_mode": "dbg",
        "//command_line_option:platform_suffix": "lines",
        "//command_line_option:copt": ["-O2", "-g0", "-DNDEBUG", "-fno-omit-frame-pointer", "-pthread"],
        "//command_line_option:linkopt": without_sanitizers(
            settings["//command_line_option:linkopt"],
        ) + ["-Wl,-O1"],
    }

_lines_transition = transition(
    implementation = _lines_transition_impl,
    inputs = ["//command_line_option:linkopt"],
    outputs = [
        "//tools:record_lines",
        "//command_line_option:compilation_mode",
        "//command_line_option:platform_suffix",
        "//command_line_option:copt",
        "//command_line_option:linkopt",
    ],
)

_lines_test = program_rule(_lines_transition, test = True)

def paddock_lines_test(name, srcs, deps = [], size = "small", **kwargs):
    """A GoogleTest whose code, with all of ours below it, records the lines it touches."""
    native.cc_binary(
        name = name + "_program",
        srcs = srcs,
        copts = PADDOCK_COPTS,
        linkstatic = True,
        tags = ["manual"],
        testonly = True,
        deps = deps + ["@com_google_googletest//:gtest_main"],
    )
    _lines_test(
        name = name,
        size = size,
        program = ":" + name + "_program",
        tags = ["clang"],
        **kwargs
    )
