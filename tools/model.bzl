# SPDX-License-Identifier: Apache-2.0
"""Tests and binaries whose code runs on the model backend, in any build.

The transition makes one configuration of all of them: the model backend, optimised, with
assertions, without sanitizers (which do not understand fibers; the model finds races itself).
Bazel names its folder after the options that the transition changes, so it changes the same ones
whatever the build is: dbg and -Wl,-O1 are there to differ from what the user asked for.
"""

load("//tools:paddock.bzl", "PADDOCK_COPTS", "paddock_binary")
load("//tools:program.bzl", "program_rule", "without_sanitizers")

def _model_transition_impl(settings, attr):
    return {
        "//concurrency:sync_backend": "//concurrency/model:backend",
        "//command_line_option:compilation_mode": "dbg",
        "//command_line_option:platform_suffix": "model",
        "//command_line_option:copt": ["-O2", "-g0", "-UNDEBUG", "-fno-omit-frame-pointer", "-pthread"],
        "//command_line_option:linkopt": without_sanitizers(
            settings["//command_line_option:linkopt"],
        ) + ["-Wl,-O1"],
    }

_model_transition = transition(
    implementation = _model_transition_impl,
    inputs = ["//command_line_option:linkopt"],
    outputs = [
        "//concurrency:sync_backend",
        "//command_line_option:compilation_mode",
        "//command_line_option:platform_suffix",
        "//command_line_option:copt",
        "//command_line_option:linkopt",
    ],
)

_model_test = program_rule(_model_transition, test = True)

_model_binary = program_rule(_model_transition, executable = True)

def paddock_model_test(name, srcs, deps = [], size = "small", **kwargs):
    """A GoogleTest on the model backend."""
    native.cc_binary(
        name = name + "_program",
        srcs = srcs,
        copts = PADDOCK_COPTS,
        linkstatic = True,
        tags = ["manual"],
        testonly = True,
        deps = deps + ["@com_google_googletest//:gtest_main"],
    )
    _model_test(name = name, size = size, program = ":" + name + "_program", **kwargs)

def paddock_model_binary(name, srcs, deps = [], **kwargs):
    """A program on the model backend."""
    paddock_binary(
        name = name + "_program",
        srcs = srcs,
        linkstatic = True,
        tags = ["manual"],
        deps = deps,
    )
    _model_binary(name = name, program = ":" + name + "_program", **kwargs)
