#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training from scratch: the same bytes for any number of threads, and for runs stopped by SIGTERM or killed and started
# again; what was saved is judged alike. pretrain.sh FOLDER
set -eu
bin=$1
program=$bin/pretrain
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$program" --help | grep -q '^usage: pretrain'
if "$program" 2> /dev/null || "$program" --no-such-flag 2> /dev/null; then
    echo "pretrain: wrong flags were taken"
    exit 1
fi

# Grey pictures of 8 x 8 pixels: stripes across and stripes down, each moved and lit in its own way.
for phase in train test; do
    for class in across down; do
        mkdir -p "$work/data/$phase/$class"
        for i in 1 2 3 4 5 6 7 8 9 10; do
            awk -v i="$i" -v class="$class" -v phase="$phase" 'BEGIN {
                moved = phase == "test"
                printf "P5 8 8 255\n"
                for (y = 0; y < 8; y++)
                    for (x = 0; x < 8; x++)
                        printf "%c", 20 + 5 * i + 40 * (int(((class == "down" ? x : y) + i + moved) / 2) % 2)
            }' > "$work/data/$phase/$class/$i.pgm"
        done
    done
done

# Replaces the shell it runs in. $1 names the run; more options may follow.
train() {
    run=$work/$1
    shift
    exec "$program" --data "$work/data" --model image_size=8,patch=4,width=32,depth=2,heads=2,mlp=64 --epochs 120 \
        --batch 5 --accumulate 2 --lr "${rate-1e-3}" --pad 1 --mixup 0.2 --jitter 0.2 --erase 0.2 --save-every 3 \
        --curve "$run.csv" --checkpoint "$run.state" --out "$run.safetensors" "$@"
}
# A run is ended by signal $2 once it has told of an epoch, and started again.
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

# Two classes as plain as these are learned, and the saved network says the same as the trained one.
"$program" --data "$work/data" --evaluate "$work/one.safetensors" > "$work/evaluated"
[ "$(grep '^test_accuracy' "$work/evaluated")" = "$(grep '^test_accuracy' "$work/one.log")" ]
awk '/^test_accuracy/ { exit !($2 >= 0.75) }' "$work/evaluated"

# Going on from it with larger pictures: the same for any number of threads, of the new size, and no worse.
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
    echo "pretrain: wrote over a network"
    exit 1
fi
grep -q 'exists already; give another path, or --force' "$work/other"
if (rate=2e-3; train one --force) > "$work/other" 2>&1; then
    echo "pretrain: went on with another learning rate"
    exit 1
fi
grep -q 'was saved with' "$work/other"
