#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every code block of README.md and of the pages in docs, as docs/documentation.md says: C programs are compiled
# and linked against the installed library and run, commands are run in a folder with small synthetic inputs, output is
# compared. A block of no declared kind fails.
#   blocks.sh BUILD [CC [PAGE...]]         blocks.sh --self-test BUILD [CC]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/docs
self_test=
[ "${1-}" != --self-test ] || { self_test=yes; shift; }
build=$(cd "$1" && pwd) cc=${2:-cc}
[ $# -lt 2 ] || shift
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/peft" > "$work/log"
bin=$build/examples
[ -x "$bin/finetune" ] || { echo "SKIP: this build has no programs"; exit 77; }

# What pages name as the reader's own files, made by the project's programs. A page lists those that it needs.
mkdir -p "$work/inputs"
(
    cd "$work/inputs"
    "$bin/phantom" --out busi --images 7 --side 32
    rm busi/README.txt
    mkdir new scans cifar10
    for class in benign malignant normal; do mv "busi/$class-like" "busi/$class"; done
    cp busi/benign/0000.png new/1.png
    cp busi/malignant/0000.png new/2.png
    cp -r busi scans/train
    mkdir cifar10/train
    for class in 0 1 2 3 4 5 6 7 8 9; do cp -r busi/benign cifar10/train/$class; done
    cp -r cifar10/train cifar10/test
    (cd cifar10 && cmake -E tar cf ../cifar10.zip --format=zip train test)
    "$bin/pretrain" --data busi --model image_size=32,patch=8,width=64,depth=2,heads=1,mlp=256 --epochs 1 --batch 4 \
        --out vit.safetensors --warmup 0
    cp vit.safetensors deit_tiny_patch16_224.safetensors
    # What a file of other libraries does not state: the same file with these keys of its header under other names.
    LC_ALL=C sed '1s/"heads"/"HEADS"/; 1s/"eps"/"EPS"/; 1s/"act"/"ACT"/; 1s/"pool"/"POOL"/' vit.safetensors \
        > timm.safetensors
    "$bin/finetune" --backbone vit.safetensors --data scans --method lora --epochs 1 --out scans.safetensors
    cp scans.safetensors lora.safetensors
) > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }

# Runs the pages whose names come in, two at a time; their output is kept apart.
run_pages() {
    # shellcheck disable=SC2016  # the dollars are the inner shell's
    xargs -P 2 -I '{}' sh -c 'log=$(mktemp); "$0" "{}" "$1/inputs" "$1/peft" "$2" "$3" > "$log" 2>&1; rc=$?
        cat "$log"; rm "$log"; exit $rc' "$here/page.sh" "$work" "$build" "$cc"
}

if [ -n "$self_test" ]; then
    # shellcheck source=tests/docs/broken_blocks.sh
    . "$here/broken_blocks.sh"
    exit
fi
if [ $# -gt 0 ]; then
    printf '%s\n' "$@" | run_pages
else
    { echo "$root/README.md"; find "$root/docs" "$root/examples" -name '*.md' | sort; } > "$work/pages"
    run_pages < "$work/pages"
    printf '%s blocks of %s pages\n' "$(xargs grep -h '^```.' < "$work/pages" | wc -l)" "$(wc -l < "$work/pages")"
fi
