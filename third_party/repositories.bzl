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
        upstream_url = "https://github.com/oneapi-src/oneTBB/archive/refs/tags/v2021.8.0.tar.gz",
        upstream_sha256 = "eee380323bb7ce864355ed9431f85c43955faaae9e9bce35c62b372d7ffd9f8b",
        upstream_prefix = "oneTBB-2021.8.0",
    )
    source_repository(
        name = "com_google_absl",
        debian_package = "abseil",
        version = "20220623.1",
        upstream_url = "https://github.com/abseil/abseil-cpp/archive/refs/tags/20220623.1.tar.gz",
        upstream_sha256 = "91ac87d30cc6d79f9ab974c51874a704de9c2647c40f6932597329a282217ba8",
        upstream_prefix = "abseil-cpp-20220623.1",
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
        upstream_url = "https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz",
        upstream_sha256 = "d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273",
        upstream_prefix = "json-3.11.2",
        build_file = "//third_party:nlohmann_json.BUILD",
        keep = ["single_include", "LICENSE.MIT"],
    )
    source_repository(
        name = "zstd",
        debian_package = "libzstd",
        version = "1.5.4",
        upstream_url = "https://github.com/facebook/zstd/releases/download/v1.5.4/zstd-1.5.4.tar.gz",
        upstream_sha256 = "0f470992aedad543126d06efab344dc5f3e171893810455787d38347343a4424",
        upstream_prefix = "zstd-1.5.4",
        build_file = "//third_party:zstd.BUILD",
        keep = ["lib", "LICENSE"],
    )
