#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Segmentation under the scanner shift of phantoms: Dice of a model with the head SETR-PUP as it is, by tent and by
# VPTTA (shift.c).   shift.sh BUILD OUT [SHIFT]   BUILD: a build folder with shared libraries. SHIFT: 2.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
mkdir -p "$2"
cd "$2"
phantoms() {                       # FOLDER IMAGES SEED SHIFT: lesions only
    [ ! -d "$1" ] || return 0
    "$build/examples/phantom" --out "$1" --images "$2" --side 64 --masks --seed "$3" --shift "$4" > /dev/null
    rm -r "$1/images/normal-like" "$1/masks/normal-like"
}
phantoms source 60 1 0
phantoms same 50 99 0
phantoms "shifted-${3-2}" 50 99 "${3-2}"
[ -e model.safetensors ] ||
    "$build/examples/finetune" --backbone "$vit" --data source/images --masks source/masks --mask-options \
        classes=tissue:benign:malignant --head head=setr_pup,head_width=64 --method lora --lr 3e-3 --epochs 30 --batch 8 \
        --out model.safetensors > train.log
"${CC-cc}" -std=c11 -O2 -I"$root/include" -o shift "$here/shift.c" -L"$build" -L"$build/src/io" -lpeft-io -lpeft -lm \
    -Wl,-rpath,"$build:$build/src/io"
for test in same "shifted-${3-2}"; do
    echo "$test:"
    ./shift "$vit" model.safetensors source "$test" tent,lr=0.001 vptta,lr=0.01 vptta,align=batch_norm,lr=0.01 \
        vptta,align=batch_norm,lr=0.05
done
