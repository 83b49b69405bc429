#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One shard of a campaign: the harness itself, told by Bazel's test protocol which seed to use and where
# its reports go.
exec "$@"
