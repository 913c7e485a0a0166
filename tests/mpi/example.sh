#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program of docs/mpi.md prints and saves the same without mpirun and on 1 and 3 ranks, and its header and library
# are enough to build it.
#   example.sh MPIRUN EXAMPLE
set -eu
. "$(dirname "$0")/launch.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$2" > expected
mv state.safetensors expected.safetensors
for ranks in 1 3; do
    launch "$1" $ranks "$2" > log
    diff expected log
    cmp expected.safetensors state.safetensors
done
cat expected
