# SPDX-License-Identifier: Apache-2.0
"""The project's C++ targets: include paths, warnings and test defaults, set in one place.

Headers are included as "paddock/<path from the root>", inside the project and outside it.
"""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Werror",
]

# Options{.cpus = 2} leaves the other fields at their defaults, on purpose.
#
# libstdc++ 12 calls a function of its own that it marks deprecated (in std::stable_sort), and
# reports that at our call.
#
# Abseil and Google Benchmark do not arrive through -isystem; Clang can be told that their
# headers are not ours, GCC cannot, and -Wshadow would report them.
_CLANG_COPTS = [
    "-Wshadow",
    "-Wthread-safety",
    "-Wno-deprecated-declarations",
    "-Wno-missing-designated-field-initializers",
    "--system-header-prefix=absl/",
    "--system-header-prefix=benchmark/",
]

_GCC_COPTS = []

PADDOCK_COPTS = _WARNINGS + select({
    "//tools:gcc": _GCC_COPTS,
    "//conditions:default": _CLANG_COPTS,
}) + select({
    "//tools:records_lines": ["-fsanitize=thread"],
    "//conditions:default": [],
})

def paddock_library(name, hdrs = [], copts = [], visibility = None, **kwargs):
    """A cc_library whose headers are included as "paddock/<package>/<header>"."""
    native.cc_library(
        name = name,
        hdrs = hdrs,
        copts = PADDOCK_COPTS + copts,
        include_prefix = "paddock/" + native.package_name(),
        linkstatic = True,
        visibility = visibility or ["//visibility:public"],
        **kwargs
    )

def paddock_binary(name, copts = [], **kwargs):
    """A cc_binary with the project's warnings."""
    native.cc_binary(
        name = name,
        copts = PADDOCK_COPTS + copts,
        **kwargs
    )

def paddock_test(name, deps = [], copts = [], data = [], size = "small", **kwargs):
    """A GoogleTest with its main function; under ThreadSanitizer with our suppressions."""
    native.cc_test(
        name = name,
        size = size,
        copts = PADDOCK_COPTS + copts,
        data = data + ["//tools:tsan.supp"],
        linkstatic = True,
        deps = deps + ["@com_google_googletest//:gtest_main"],
        **kwargs
    )
