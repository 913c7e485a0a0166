#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds bench and measures it and the peers (PyTorch, onnxruntime, OpenVINO) in turns; compare.py does the rest.
#   peers.sh [--threads N] [--batch LIST] [--rounds N] [--rows LIST] [--compute LIST] [--network NAME] [--image PIXELS]
#            [--modes LIST] [--attention LIST] [--repeat N] [--out FOLDER] [--quick]       --help says what they mean
# PEFT_BUILD: as in tests/run.sh, whose build `release` is used; results go to its folder peers unless --out is given.
# Without a package index, and without an environment of an earlier run, says so and ends with status 77.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=${PEFT_BUILD:-$root/build-test}/release
venv=$("$here/setup.sh")
"$root/scripts/deps.sh" test
mkdir -p "$build"
log=$build/peers.log
{ cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release && cmake --build "$build" --target bench; } \
    > "$log" 2>&1 || { cat "$log"; exit 1; }
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" "$here/compare.py" --bench "$build/tests/bench" \
    --out "$build/peers" "$@"
