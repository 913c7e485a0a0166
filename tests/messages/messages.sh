#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Messages of the programs that name what is different and the cure: a model with another backbone, pictures that are
# stored differently, --resume of finished and of damaged tables, a table beside the pictures, too many threads, a name
# of 100,000 characters.
#   messages.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "messages.sh: $*"
    cut -c1-2000 log
    exit 1
}
says() { grep -qF -- "$1" log || fail "no '$1'"; }
refused() {
    words=$1
    shift
    if "$@" > log 2>&1; then fail "was accepted: $*"; fi
    says "$words"
}
finetune() { "$bin/finetune" --backbone "$vit" --method linear --epochs 1 --threads 1 --force --out m.safetensors "$@"; }
predict() { "$bin/predict" --backbone "$vit" --model m.safetensors "$@"; }

"$bin/phantom" --out scans --images 6 --side 32 > log
rm scans/README.txt
finetune --data scans > log 2>&1 || fail finetune

# --- a model with another backbone ---
"$bin/pretrain" --data scans --batch 8 --warmup 0 --epochs 1 --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --out small.safetensors \
    > log 2>&1 || fail pretrain
rm -f pretrain.state*
refused 'm.safetensors: was trained with the backbone vit_cifar10.safetensors: width=192 depth=6' \
    "$bin/predict" --backbone small.safetensors --model m.safetensors scans
says 'is another one: width=32, depth=2'
"$bin/pretrain" --data scans --batch 8 --warmup 0 --epochs 1 --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --seed 5 \
    --out other.safetensors > log 2>&1 || fail pretrain
"$bin/finetune" --backbone small.safetensors --data scans --method linear --epochs 1 --out s.safetensors > log 2>&1
refused 'has the same size, but other weights' "$bin/predict" --backbone other.safetensors --model s.safetensors scans

# --- pictures that are stored differently ---
cp -r scans mixed
{ printf 'P5 32 32 65535\n'; head -c 2048 /dev/zero | tr '\0' '\100'; } > mixed/benign-like/deep.pgm
finetune --data mixed > log 2>&1 || fail 'mixed'
says 'the pictures are not stored alike: bits: 8 bits (18), 16 bits (1)'
[ "$(grep -c 'not stored alike' log)" = 1 ] || fail 'one warning'
finetune --data scans > log 2>&1 || fail 'alike'
if grep -q 'not stored alike' log; then fail 'a warning of pictures that are alike'; fi

# --- tables of predict ---
predict --out t.csv scans > log 2>&1 || fail predict
refused 't.csv is complete: there is no t.csv.part' predict --out t.csv --resume scans
damaged=0
for format in csv jsonl; do
    # the description of a run that was stopped
    (ulimit -f 3; predict --format $format --out d.$format scans scans scans scans > log 2>&1) || true
    [ -e d.$format.part ] || fail "no d.$format.part"
    cp d.$format.part whole
    predict --format $format --out d.$format --resume scans scans scans scans > log 2>&1 || fail "resume $format"
    for damage in 's/\(0\.[0-9]*\)[0-9]/\1x/' 's/0\.\([0-9]\)/0.9\1/' 's/n-like/n-lake/2' 's/,/;/2' 's/: /; /2'; do
        sed "4$damage" whole > d.$format.part
        if cmp -s whole d.$format.part; then continue; fi
        refused 'd.'$format'.part: line 4 is damaged' \
            predict --format $format --out d.$format --force --resume scans scans scans scans
        damaged=$((damaged + 1))
    done
    [ $format = csv ] || continue
    sed '4s/^\([^,]*\),/"\1\nx",x/' whole > d.csv.part            # a line break in the name, and damage behind it
    refused 'd.csv.part: lines 4 to 5 are damaged' \
        predict --format csv --out d.csv --force --resume scans scans scans scans
    says 'remove these lines'
done
[ $damaged -ge 6 ] || fail "only $damaged kinds of damage"

# --- a table beside the pictures ---
mkdir flat
cp scans/benign-like/*.png flat
echo 'image,label' > flat/labels.csv
refused 'if labels.csv has the labels, give flat/labels.csv' finetune --data flat
cp flat/labels.csv mixed
finetune --data mixed > log 2>&1 || fail 'a table beside class folders'
says 'the table beside them is not read; if labels.csv has the labels, give mixed/labels.csv'
[ "$(grep -c 'the table beside them' log)" = 1 ] || fail 'one warning of the table'

printf 'Bild;Befund\na.png;x\n' > flat/other.csv
refused 'is given with path=COLUMN' predict flat/other.csv

# --- a backbone with a head of its own, and one that merge wrote ---
"$bin/predict" --backbone "$vit" --threads 1 scans/benign-like/0000.png > log 2>&1 || fail 'a backbone alone'
says 'no --model was given: the classes are those of the backbone'
says '10 of its pretraining (class_0, class_1, ..)'
[ "$(grep -c 'warning: .*class' log)" = 1 ] || fail 'one warning of the classes'
"$bin/merge" --backbone "$vit" --model m.safetensors --out merged.safetensors > log 2>&1 || fail merge
"$bin/predict" --backbone merged.safetensors --threads 1 scans/benign-like/0000.png > log 2>&1 || fail 'merged'
if grep -q 'no --model was given' log; then fail 'a merged model is not the head of the backbone'; fi
"$bin/merge" --backbone small.safetensors --model s.safetensors --naming hf5 --out folder > log 2>&1 || fail 'merge hf5'
"$bin/predict" --backbone folder --threads 1 scans/benign-like/0000.png > log 2>&1 || fail 'merged folder'
if grep -q 'no --model was given' log; then fail 'a merged folder is not the head of the backbone'; fi

# --- threads and long names ---
predict --threads 1000 scans > log 2>&1 || fail threads
[ "$(grep -c 'more threads than cores take longer' log)" = 1 ] || fail 'one warning of threads'
long=$(head -c 100000 /dev/zero | tr '\0' a)
refused ' characters ...] ' predict "$long"
[ "$(wc -c < log)" -lt 10000 ] || fail 'a long name is printed whole'
echo 'messages.sh: differences and cures are named'
