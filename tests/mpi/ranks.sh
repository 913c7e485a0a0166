#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs check_ranks with 4 ranks, as many as it makes use of, or with fewer.
#   ranks.sh MPIRUN CHECK_RANKS [RANKS]
set -eu
. "$(dirname "$0")/launch.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CK_FORK=no
launch "$1" "${3-4}" "$2" "$work"
