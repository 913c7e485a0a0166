# SPDX-License-Identifier: Apache-2.0
# Read by the tests of predict: a temporary folder with pictures (scans), a backbone (vit.safetensors) and a model
# (m.safetensors), made by the programs in the folder $1, and functions.
set -eu
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "$(basename "$0"): $1"
    cat log
    exit 1
}
predict() {
    "$bin/predict" --backbone vit.safetensors --model m.safetensors --threads "${threads-1}" "$@"
}
# The command after $1 must fail with a message that has $1.
refused() {
    words=$1
    shift
    if "$@" > log 2>&1; then fail "accepted: $*"; fi
    grep -qF -- "$words" log || fail "no '$words'"
}

"$bin/phantom" --out scans --images 6 --side 32 > log
"$bin/pretrain" --data scans --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --epochs 1 --warmup 0 \
    --batch 4 --out vit.safetensors > log 2>&1
"$bin/finetune" --backbone vit.safetensors --data scans --method lora --epochs 1 --out m.safetensors > log 2>&1
