#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the program given as the first argument.
exec "$1"
