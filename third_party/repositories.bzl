# SPDX-License-Identifier: Apache-2.0
"""Every external repository of the project, and where it comes from."""

load(
    "//third_party:repository_rules.bzl",
    "coverage_stub_repository",
    "installed_repository",
    "source_repository",
)

def paddock_dependencies():
    """Declares the build rules and the libraries; downloads nothing until one is used."""
    _build_rules()
    _libraries()

def _build_rules():
    installed_repository(
        name = "bazel_skylib",
        path = "/usr/share/bazel/tools/skylib",
        debian_package = "bazel-skylib",
    )
    installed_repository(
        name = "platforms",
        path = "/usr/share/bazel/tools/platforms",
        debian_package = "bazel-platforms",
    )
    installed_repository(
        name = "rules_java",
        path = "/usr/share/bazel/rules/java",
        debian_package = "bazel-rules-java",
    )
    installed_repository(
        name = "rules_proto",
        path = "/usr/share/bazel/rules/proto",
        debian_package = "bazel-rules-proto",
    )

    # rules_cc 0.0.4 loads `use_cpp_toolchain`, which Bazel 4 does not have yet.
    installed_repository(
        name = "rules_cc",
        path = "/usr/share/bazel/rules/cc",
        debian_package = "bazel-rules-cc",
        substitutions = {
            ", \"use_cpp_toolchain\"": "",
            "use_cpp_toolchain()": "[\"@bazel_tools//tools/cpp:toolchain_type\"]",
        },
        substituted_files = [
            "cc/private/rules_impl/cc_flags_supplier.bzl",
            "cc/private/rules_impl/compiler_flag.bzl",
        ],
    )
    coverage_stub_repository(name = "remote_coverage_tools")

def _libraries():
    source_repository(
        name = "oneTBB",
        debian_package = "onetbb",
        version = "2021.8.0",
    )
    source_repository(
        name = "com_google_absl",
        debian_package = "abseil",
        version = "20220623.1",
    )
    source_repository(
        name = "com_google_googletest",
        debian_package = "googletest",
        version = "1.12.1",
        upstream_url = "https://github.com/google/googletest/archive/release-1.12.1.tar.gz",
        upstream_sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        upstream_prefix = "googletest-release-1.12.1",
    )
    source_repository(
        name = "com_github_google_benchmark",
        debian_package = "benchmark",
        version = "1.7.1",
        upstream_url = "https://github.com/google/benchmark/archive/v1.7.1.tar.gz",
        upstream_sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        upstream_prefix = "benchmark-1.7.1",
    )
    source_repository(
        name = "nlohmann_json",
        debian_package = "nlohmann-json3",
        version = "3.11.2",
        build_file = "//third_party:nlohmann_json.BUILD",
        keep = ["single_include", "LICENSE.MIT"],
    )
    source_repository(
        name = "zstd",
        debian_package = "libzstd",
        version = "1.5.4",
        build_file = "//third_party:zstd.BUILD",
        keep = ["lib", "LICENSE"],
    )
