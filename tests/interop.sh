#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the libraries and compares them with the Python libraries whose files they read (tests/interop/run.sh), which a
# virtual environment outside of the build holds.   interop.sh [CHECK..]
# PEFT_BUILD: as in tests/run.sh, whose build `release` is used. Without a package index, and without an environment of
# an earlier run, says so and ends with status 77.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${PEFT_BUILD:-$root/build-test}/release
"$root/scripts/deps.sh" test
mkdir -p "$build"
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release > "$build/interop.log"
cmake --build "$build" --target peft peft_io aggregate convert cma_runs dicom_values finetune phantom pretrain report \
    > "$build/interop.log" || { cat "$build/interop.log"; exit 1; }
# where an MPI is found
if ninja -C "$build" -t query federate-mpi > /dev/null 2>&1; then
    cmake --build "$build" --target federate-mpi > "$build/interop.log" || { cat "$build/interop.log"; exit 1; }
fi
exec "$root/tests/interop/run.sh" "$build" "$@"
