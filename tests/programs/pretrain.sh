#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pretrain, training from scratch: equal bytes for any number of threads and for runs that are stopped by SIGTERM or
# SIGKILL and started again; --evaluate gives the accuracy of training; --start continues with larger images.
#   pretrain.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
program=$bin/pretrain
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$program" --help | grep -q '^usage: pretrain'
if "$program" 2> /dev/null || "$program" --no-such-flag 2> /dev/null; then
    echo "pretrain: wrong flags were accepted"
    exit 1
fi

# Grey images of 8 x 8 pixels: horizontal ("across") and vertical ("down") stripes of several phases and brightnesses.
for phase in train test; do
    for class in across down; do
        mkdir -p "$work/data/$phase/$class"
        for i in 1 2 3 4 5 6 7 8 9 10; do
            awk -v i="$i" -v class="$class" -v phase="$phase" 'BEGIN {
                shift = phase == "test"
                printf "P5 8 8 255\n"
                for (y = 0; y < 8; y++)
                    for (x = 0; x < 8; x++)
                        printf "%c", 20 + 5 * i + 40 * (int(((class == "down" ? x : y) + i + shift) / 2) % 2)
            }' > "$work/data/$phase/$class/$i.pgm"
        done
    done
done

# $1: name of the run; further options may follow. exec: the process is that of the (sub)shell.
train() {
    run=$work/$1
    shift
    exec "$program" --data "$work/data" --model image_size=8,patch=4,width=32,depth=2,heads=2,mlp=64 --epochs 120 \
        --batch 5 --accumulate 2 --lr "${rate-1e-3}" --pad 1 --mixup 0.2 --jitter 0.2 --erase 0.2 --save-every 3 \
        --curve "$run.csv" --checkpoint "$run.state" --out "$run.safetensors" "$@"
}
# Run $1 is ended by signal $2 after it has printed an epoch, and started again.
interrupted() {
    train "$1" > "$work/$1.log" 2>&1 &
    child=$!
    while kill -0 $child 2> /dev/null && ! grep -q '^epoch' "$work/$1.log"; do sleep 0.01; done
    kill "-$2" $child 2> /dev/null || true
    if wait $child; then
        echo "pretrain: the signal $2 came too late"
        exit 1
    fi
    (train "$1") > "$work/$1.again"
    grep -q '^continuing from' "$work/$1.again"
    cmp "$work/one.safetensors" "$work/$1.safetensors"
}

(train one --threads 1) > "$work/one.log"
(train two --threads 2) > "$work/two.log"
cmp "$work/one.safetensors" "$work/two.safetensors"
cmp "$work/one.state" "$work/two.state"
[ "$(grep -c '^epoch' "$work/one.log")" -eq 120 ]
[ "$(wc -l < "$work/one.csv")" -eq 121 ]
interrupted term TERM
grep -q 'the same command continues from' "$work/term.log"
interrupted kill KILL

# The network learns both classes, and the saved one has the same accuracy.
"$program" --data "$work/data" --evaluate "$work/one.safetensors" > "$work/evaluated"
[ "$(grep '^test_accuracy' "$work/evaluated")" = "$(grep '^test_accuracy' "$work/one.log")" ]
awk '/^test_accuracy/ { exit !($2 >= 0.75) }' "$work/evaluated"

# --start with larger images: equal bytes for one and two threads, positions of the new size, and a good accuracy.
larger() {
    "$program" --data "$work/data" --start "$work/one.safetensors" --image-size 16 --epochs 20 --batch 5 --threads "$1" \
        --checkpoint "$work/larger.$1.state" --out "$work/larger.$1.safetensors"
}
larger 1 > "$work/larger.log"
larger 2 > /dev/null
cmp "$work/larger.1.safetensors" "$work/larger.2.safetensors"
"$bin/inspect" "$work/larger.1.safetensors" | grep -q "pos_embed .*\[1, 17, 32\]"
awk '/^test_accuracy/ { exit !($2 >= 0.75) }' "$work/larger.log"

if (rate=2e-3; train one) > "$work/other" 2>&1; then
    echo "pretrain: an existing network was overwritten"
    exit 1
fi
grep -q 'exists already; give another path, or --force' "$work/other"
if (rate=2e-3; train one --force) > "$work/other" 2>&1; then
    echo "pretrain: resumed with another learning rate"
    exit 1
fi
grep -q 'was saved with' "$work/other"
