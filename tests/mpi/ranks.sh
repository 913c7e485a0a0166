#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs check_ranks with as many ranks as it makes use of.
#   ranks.sh MPIRUN CHECK_RANKS
set -eu
. "$(dirname "$0")/launch.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CK_FORK=no
launch "$1" 4 "$2" "$work"
