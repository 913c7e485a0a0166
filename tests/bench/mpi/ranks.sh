#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Times an update of 16 pictures by 2 ranks of one thread and by one process of two threads, in turn, and prints for
# each method the seconds of the fastest update of both, their ratio, and the bytes that a rank sends in an update.
#   ranks.sh MPIRUN BENCH_RANKS BACKBONE [ROUNDS] [UPDATES] [METHODS]
# BACKBONE: a file, or options of one with random weights; a ViT-B/16 is
# image_size=224,patch=16,width=768,depth=12,heads=12,mlp=3072. METHODS: "ept lora full". The figures are those of the
# processor only if nothing else runs; the first line has the load before the first update, to tell.
set -eu
. "$(dirname "$0")/../../mpi/launch.sh"
run=$1 program=$2 backbone=$3 rounds=${4-3} updates=${5-5} methods=${6-ept lora full}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
least() { sort -n "$1" | head -n 1 | cut -d " " -f 1; }
echo "load $(cut -d " " -f 1 /proc/loadavg), $(nproc) processors"
echo "method  one_process_2_threads_s  2_ranks_1_thread_s  ratio  bytes_sent  parameters"
for method in $methods; do
    : > "$work/one"
    : > "$work/two"
    i=0
    while [ $i -lt "$rounds" ]; do
        "$program" "$backbone" $method 2 16 "$updates" >> "$work/one"
        launch "$run" 2 "$program" "$backbone" $method 1 16 "$updates" >> "$work/two"
        i=$((i + 1))
    done
    tail -n 1 "$work/two" | awk -v name=$method -v one="$(least "$work/one")" -v two="$(least "$work/two")" \
        '{ printf "%s  %s  %s  %.3f  %s  %s\n", name, one, two, two / one, $2, $3 }'
done
