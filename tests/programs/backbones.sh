#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A trained model folded into its backbone, under every naming and type, is a backbone for every program: the same
# predictions without --model, with its class names and its preprocessing. backbones.sh FOLDER
set -eu
bin=$(cd "$1" && pwd)
small=$(cd "$(dirname "$0")/../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

wrong() {
    echo "backbones.sh: $1"
    exit 1
}
"$bin/phantom" --out scans --images 6 --side 32 > log
"$bin/pretrain" --data scans --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --epochs 1 --warmup 0 \
    --batch 4 --preprocess mean=0.3,std=0.4 --out vit.safetensors > log

# What the backbone's file says is what is taken, and a word given replaces that word alone.
finetune() {
    "$bin/finetune" --backbone "$backbone" --data scans --epochs 2 --threads 1 "$@"
}
backbone=vit.safetensors
finetune --method lora --preprocess interpolation=bilinear,flip=0 --out m.safetensors > log
grep -q "as the backbone's files say): size=32,.*interpolation=bilinear,.*mean=0.3:0.3:0.3,std=0.4:0.4:0.4" log ||
    wrong 'another preprocessing'
grep -q 'flip=0,' log || wrong 'flips'
finetune --method lora --image-size 16 --out small.safetensors > log
grep -q "): size=16,.*flip=0.5" log || wrong 'another size'
finetune --method lora --preprocess size=16 --out small2.safetensors > log
cmp small.safetensors small2.safetensors || wrong '--preprocess size=16 is not --image-size 16'

# $1: a backbone, the rest more flags. The classes' names and probabilities, rounded.
predict() {
    from=$1
    shift
    "$bin/predict" --csv --backbone "$from" "$@" scans/*/0001.png | tee full |
        awk -F, 'NR == 1 { print; next } { printf "%s,%s,%.3f,%.3f,%.3f\n", $1, $2, $3, $4, $5 }'
}
predict vit.safetensors --model m.safetensors > wanted
head -1 wanted | grep -q '^image,predicted,benign-like,malignant-like,normal-like$' || wrong 'other names'
merge() {
    "$bin/merge" --backbone vit.safetensors "$@" > merge.log
}
small_drift() {
    awk -v most="$1" '/^largest/ { found = 1; if ($(NF - 3) > most) exit 1 } END { exit !found }' merge.log ||
        wrong "$(tail -1 merge.log)"
}
for naming in timm hf hf5; do
    merge --model m.safetensors --naming $naming --out "$naming.safetensors"
    small_drift 1e-5
    predict "$naming.safetensors" > got 2> warnings || wrong "$naming: $(cat warnings)"
    diff wanted got || wrong "$naming: other predictions"
    [ ! -s warnings ] || wrong "$naming: $(cat warnings)"
done
for naming in hf hf5; do
    merge --model m.safetensors --naming $naming --out $naming
    predict $naming > got 2> warnings || wrong "$naming: $(cat warnings)"
    diff wanted got || wrong "$naming: a folder predicts otherwise"
    "$bin/inspect" $naming | grep -q 'class: malignant-like' || wrong "inspect does not read the folder $naming"
    rm -f again.safetensors
    backbone=$naming finetune --method linear --out again.safetensors > log
    grep -q 'mean=0.3:0.3:0.3' log || wrong "$naming: the preprocessing is lost"
done
if merge --model m.safetensors --naming hf --out hf 2> log; then wrong 'a folder was written over'; fi
grep -q 'exists already' log
"$bin/merge" --backbone vit.safetensors --model m.safetensors --naming hf --out hf --force > log

# Rounded: the drift is that of the file, not that of the numbers before rounding. Without a classifier too.
merge --model m.safetensors --dtype bf16 --out bf16.safetensors
awk '/^largest/ { exit !($(NF - 3) > 1e-4 && $(NF - 3) < 0.1) }' merge.log || wrong "bf16: $(tail -1 merge.log)"
merge --model m.safetensors --dtype f16 --naming hf --classifier false --out headless
small_drift 1e-2
[ "$(find . -name '*trial*' | wc -l)" -eq 0 ] || wrong 'a trial file was left'
if "$bin/predict" --backbone headless scans/*/0000.png > log 2>&1; then wrong 'predicted without a classifier'; fi
grep -q 'has no classifier; give --model' log || wrong 'no cure for a missing classifier'

# A preprocessing that cannot be followed is none, also in the file that merge writes.
echo '{"image_processor_type": "ViTImageProcessor", "do_pad": true, "image_mean": 0.3}' > padded.json
"$bin/inspect" "$small" --backbone-options config=padded.json > log
grep -q 'warning: padded.json: do_pad' log || wrong "inspect does not tell of do_pad"
"$bin/merge" --backbone "$small" --backbone-options config=padded.json --out padded.safetensors > log 2>&1
"$bin/predict" --backbone padded.safetensors scans/*/0000.png > got 2> log
grep -q 'no file says how pictures are prepared' log || wrong 'merge made up a preprocessing'

# An adapter alone, as an application writes it, and a description that the command line gives.
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors scans/*/0001.png > plain
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors --preprocess mean=0.3 scans/*/0001.png > got
cmp plain got || wrong 'the word that the file has changes something'
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors --preprocess mean=0.9 scans/*/0001.png > got
if cmp -s plain got; then wrong '--preprocess of predict changes nothing'; fi
if "$bin/predict" --backbone vit.safetensors --model m.safetensors --preprocess size=16 scans/*/0001.png 2> log; then
    wrong 'another size was taken'
fi
grep -q 'trained for 32 pixels' log

# Several labels an image stay several.
for i in 0 1 2 3 4 5; do
    echo "scans/normal-like/000$i.png 1,0,$((i % 2))"
    echo "scans/benign-like/000$i.png 0,1,$((i % 2))"
done > labels.txt
backbone=vit.safetensors
"$bin/finetune" --backbone vit.safetensors --data labels.txt --method lora --epochs 2 --out several.safetensors > log
merge --model several.safetensors --out several-merged.safetensors
"$bin/predict" --csv --backbone several-merged.safetensors scans/normal-like/0001.png > got 2> log
[ "$(head -1 got)" = image,0,1,2 ] || wrong "several labels: $(head -1 got)"
"$bin/predict" --csv --backbone vit.safetensors --model several.safetensors scans/normal-like/0001.png > alone
awk -F, 'NR == FNR { for (i = 2; i <= 4; i++) v[i] = $i; next } FNR == 2 { for (i = 2; i <= 4; i++)
    if ((d = v[i] - $i) > 1e-4 || d < -1e-4) exit 1 }' alone got || wrong 'several labels: other probabilities'
