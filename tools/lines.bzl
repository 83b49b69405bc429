# SPDX-License-Identifier: Apache-2.0
"""Tests that record which cache lines our code touches, in any build.

ThreadSanitizer's instrumentation puts a call in front of every access to memory. These tests link
functions of ours (//tests/scaling:line_recorder) instead of its runtime. Only our sources are
instrumented: libraries see no option but those of an optimised build. g++ calls nothing for bulk
copies: --config=gcc leaves these tests out, by their tag.
"""

load(
    "//tools:program.bzl",
    "OPTIMISED_INPUTS",
    "OPTIMISED_OUTPUTS",
    "optimised",
    "program_rule",
    "test_of_program",
)

def _switch_impl(ctx):
    return []

switch = rule(implementation = _switch_impl, build_setting = config.bool(flag = True))

def _lines_transition_impl(settings, attr):
    return dict(optimised(settings, "lines", "-DNDEBUG"), **{"//tools:record_lines": True})

_lines_transition = transition(
    implementation = _lines_transition_impl,
    inputs = OPTIMISED_INPUTS,
    outputs = OPTIMISED_OUTPUTS + ["//tools:record_lines"],
)

_lines_test = program_rule(_lines_transition, test = True)

def paddock_lines_test(name, srcs, deps = [], size = "small", **kwargs):
    """A GoogleTest whose code, with all of ours below it, records the lines it touches."""
    test_of_program(_lines_test, name, srcs, deps, size, tags = ["clang"], **kwargs)
