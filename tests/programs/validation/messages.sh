#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Messages of finetune for shares that cannot be held out, and for numbers of images that are too small.
#   messages.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "messages: $1"
    exit 1
}
refused() {
    message=$1
    shift
    if "$bin/finetune" --backbone "$vit" --epochs 1 --method bitfit --out no.safetensors "$@" > log 2>&1; then
        fail "accepted: $*"
    fi
    grep -q -e "$message" log || fail "'$*' was refused with $(cat log)"
    if grep -q 'pass NULL\|030000000000' log; then fail "'$*' was refused with $(cat log)"; fi
}
"$bin/phantom" --out pictures --images 20 --side 32 > /dev/null
rm -r pictures/normal-like

refused 'coverage 0.97 takes at least 33 validation images, there are 8;' --data pictures --val 0.25 --conformal 0.97
refused "coverage 0.9 takes at least 9 validation images of each class, there are 8 of 'benign-like'" --data pictures \
    --val 0.5 --conformal 0.9,class
refused 'a share is given as a number from 0 to 1, 0.2' --data pictures --val 20%
for wrong in 20 0x1p-2 nan inf; do refused 'a decimal number between 0 and 1, as 0.2 is 20 %' --data pictures --val $wrong; done
refused 'a share is given as 0.95, not in percent' --data pictures --val 0.2 --threshold sensitivity=95
refused 'a coverage is given as 0.9, not in percent' --data pictures --val 0.2 --conformal 90
refused '^finetune: --val 0.2: this share of the 4 training images leaves none for validation; give a larger share' \
    --data pictures --shots 2 --val 0.2

# All images of a class are of one patient, whom the draw takes for some seed.
table() {
    echo image,label,patient
    find pictures -name '*.png' | sort | awk -F / '{ n = $2 ~ /^b/ ? ++k : 99; print $0 "," $2 ",p" int(n / 2) }'
}
table > one.csv
taken=0
for seed in 1 2 3 4 5 6; do
    "$bin/finetune" --backbone "$vit" --data one.csv --test pictures --val 0.5 --seed $seed --epochs 1 --unchecked \
        --method linear --force --out one.safetensors > log 2>&1 && continue
    if grep -q "class 'malignant-like': the draw by patient made all its 20 images validation images" log; then
        taken=1
        break
    elif grep -q 'has no training image' log; then
        fail "$(cat log)"
    fi
done
[ $taken = 1 ] || fail "no seed draws the only patient of a class: $(cat log)"

# Targets of -1 are counted beside each label.
{
    echo image,edema,mass
    find pictures -name '*.png' | sort | awk '{ print $0 "," NR % 2 "," (NR % 5 ? (NR % 3 == 0) : -1) }'
} > several.csv
"$bin/finetune" --backbone "$vit" --data several.csv --table label=edema:mass --test several.csv \
    --out m.safetensors > log 2>&1 && fail 'tests on the training images'
grep -q '^training: 40 images: edema 20, mass [0-9]* (8 not judged)' log || fail "$(head -n 3 log)"
