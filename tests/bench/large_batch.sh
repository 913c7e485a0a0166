#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains LoRA on phantoms with batches of 8, 32 and 128 by SGD and the ways of docs/optimisers.md for large batches, and
# prints the accuracy on test images: mean over the seeds and its 95 % interval by Student's t.
#   large_batch.sh BUILD OUT [SEEDS [EPOCHS [RATE]]]   BUILD: build folder; OUT: for pictures, program and CSV file
#   large_batch.sh --table CSV                         only the table of a CSV file
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
. "$here/tests/bench/student.sh"

table() {
    awk -F, -v student="$student" '
    BEGIN { split(student, t, " ") }
    NR > 1 {
        if (!($1 in seen)) { seen[$1] = 1; way[++ways] = $1 }
        n[$1, $2]++; sum[$1, $2] += 100 * $4; square[$1, $2] += 10000 * $4 * $4
    }
    END {
        print "| way | 8 | 32 | 128 |\n|---|---|---|---|"
        split("8 32 128", batch, " ")
        for (w = 1; w <= ways; w++) {
            line = "| " way[w] " |"
            for (b = 1; b <= 3; b++) {
                k = n[way[w], batch[b]]
                if (!k) { line = line "  |"; continue }
                mean = sum[way[w], batch[b]] / k
                v = k > 1 ? (square[way[w], batch[b]] - k * mean * mean) / (k - 1) : 0
                half = k > 1 && k < 11 ? t[k - 1] * sqrt((v > 0 ? v : 0) / k) : 0
                line = line sprintf(" %.1f [%.1f, %.1f] |", mean, mean - half, mean + half)
            }
            print line
        }
    }' "$1"
}

if [ "$1" = --table ]; then table "$2"; exit; fi
build=$(cd "$1" && pwd) out=$2 seeds=${3:-5} epochs=${4:-8} rate=${5:-0.004}
mkdir -p "$out"
"${CC:-cc}" -std=gnu11 -O2 -I"$here/include" "$here/tests/bench/large_batch.c" -o "$out/large_batch" -L"$build" \
    -L"$build/src/io" -lpeft -lpeft-io -lpthread -Wl,-rpath,"$build" -Wl,-rpath,"$build/src/io"
[ -d "$out/phantoms" ] || "$build/examples/phantom" --out "$out/phantoms" --images 86 --side 32 --seed 3
"$out/large_batch" "$here/examples/data/vit_cifar10.safetensors" 16 "$out/phantoms" "$seeds" "$epochs" "$rate" \
    > "$out/large_batch.csv"
table "$out/large_batch.csv"
