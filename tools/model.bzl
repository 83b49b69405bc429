# SPDX-License-Identifier: Apache-2.0
"""Tests and binaries whose code runs on the model backend, in any build.

The transition makes one configuration of all of them: the model backend, optimised, with
assertions, without sanitizers (which do not understand fibers; the model finds races itself).
"""

load("//tools:paddock.bzl", "paddock_binary")
load(
    "//tools:program.bzl",
    "OPTIMISED_INPUTS",
    "OPTIMISED_OUTPUTS",
    "optimised",
    "program_rule",
    "test_of_program",
)

def _model_transition_impl(settings, attr):
    return dict(optimised(settings, "model", "-UNDEBUG"), **{"//concurrency:sync_backend": "//concurrency/model:backend"})

_model_transition = transition(
    implementation = _model_transition_impl,
    inputs = OPTIMISED_INPUTS,
    outputs = OPTIMISED_OUTPUTS + ["//concurrency:sync_backend"],
)

_model_test = program_rule(_model_transition, test = True)

_model_binary = program_rule(_model_transition, executable = True)

def paddock_model_test(name, srcs, deps = [], size = "small", **kwargs):
    """A GoogleTest on the model backend."""
    test_of_program(_model_test, name, srcs, deps, size, **kwargs)

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
