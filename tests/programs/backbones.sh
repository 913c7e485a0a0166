#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# merge writes a trained model as a backbone, in every naming and type: predict gives the same predictions with it and
# without --model, finetune and inspect accept it, and it keeps class names and preprocessing. Also: preprocessing
# stored with a backbone, and options that change it.
#   backbones.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
small=$(cd "$(dirname "$0")/../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "backbones.sh: $1"
    exit 1
}
"$bin/phantom" --out scans --images 6 --side 32 > log
"$bin/pretrain" --data scans --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --epochs 1 --warmup 0 \
    --batch 4 --preprocess mean=0.3,std=0.4 --out vit.safetensors > log

# finetune takes the preprocessing stored with the backbone; --preprocess replaces only the options that it names.
finetune() {
    "$bin/finetune" --backbone "$backbone" --data scans --epochs 2 --threads 1 "$@"
}
backbone=vit.safetensors
finetune --method lora --preprocess interpolation=bilinear,flip=0 --out m.safetensors > log
grep -q "as the backbone's files say): size=32,.*interpolation=bilinear,.*mean=0.3:0.3:0.3,std=0.4:0.4:0.4" log ||
    fail 'the stored preprocessing is not used'
grep -q 'flip=0,' log || fail '--preprocess flip=0 has no effect'
finetune --method lora --image-size 16 --out small.safetensors > log
grep -q "): size=16,.*flip=0.5" log || fail '--image-size has no effect'
finetune --method lora --preprocess size=16 --out small2.safetensors > log
cmp small.safetensors small2.safetensors || fail '--preprocess size=16 is not --image-size 16'

# Predicts with the backbone $1 and further flags; prints class names and rounded probabilities.
predict() {
    from=$1
    shift
    "$bin/predict" --csv --backbone "$from" "$@" scans/*/0001.png | tee full |
        awk -F, 'NR == 1 { print; next } { printf "%s,%s,%.3f,%.3f,%.3f\n", $1, $2, $3, $4, $5 }'
}
predict vit.safetensors --model m.safetensors > wanted
head -1 wanted | grep -q '^image,predicted,benign-like,malignant-like,normal-like$' || fail 'the class names differ'
merge() {
    "$bin/merge" --backbone vit.safetensors "$@" > merge.log
}
max_drift() { # $1: the limit of the drift that merge reports
    awk -v most="$1" '/^largest/ { found = 1; if ($(NF - 3) > most) exit 1 } END { exit !found }' merge.log ||
        fail "$(tail -1 merge.log)"
}
for naming in timm hf hf5; do
    merge --model m.safetensors --naming $naming --out "$naming.safetensors"
    max_drift 1e-5
    predict "$naming.safetensors" > got 2> warnings || fail "$naming: $(cat warnings)"
    diff wanted got || fail "$naming: other predictions"
    [ ! -s warnings ] || fail "$naming: $(cat warnings)"
done
for naming in hf hf5; do
    merge --model m.safetensors --naming $naming --out $naming
    predict $naming > got 2> warnings || fail "$naming: $(cat warnings)"
    diff wanted got || fail "$naming: a folder predicts otherwise"
    "$bin/inspect" $naming | grep -q 'class: malignant-like' || fail "inspect does not read the folder $naming"
    rm -f again.safetensors
    backbone=$naming finetune --method linear --out again.safetensors > log
    grep -q 'mean=0.3:0.3:0.3' log || fail "$naming: the preprocessing is lost"
done
if merge --model m.safetensors --naming hf --out hf 2> log; then fail 'a folder was written over'; fi
grep -q 'exists already' log
"$bin/merge" --backbone vit.safetensors --model m.safetensors --naming hf --out hf --force > log

# With bf16 and f16 the reported drift includes rounding. --classifier false writes a backbone without a classifier.
merge --model m.safetensors --dtype bf16 --out bf16.safetensors
awk '/^largest/ { exit !($(NF - 3) > 1e-4 && $(NF - 3) < 0.1) }' merge.log || fail "bf16: $(tail -1 merge.log)"
merge --model m.safetensors --dtype f16 --naming hf --classifier false --out headless
max_drift 1e-2
[ "$(find . -name '*trial*' | wc -l)" -eq 0 ] || fail 'a temporary file was left'
if "$bin/predict" --backbone headless scans/*/0000.png > log 2>&1; then fail 'predicted without a classifier'; fi
grep -q 'has no classifier; give --model' log || fail 'the message of a missing classifier does not name --model'

# A backbone stored as int8: predictions and training are those of --backbone-options weights=int8, adapters of the f32
# file load on it, inspect names the storage, convert keeps it, and other formats hold the rounded values, with a warning.
"$bin/convert" --backbone vit.safetensors --dtype int8 --out int8.safetensors > log
grep -q 'parameters, int8$' log || fail 'convert does not write int8'
"$bin/inspect" vit.safetensors | grep fingerprint: > wanted.print
"$bin/inspect" int8.safetensors > log
grep fingerprint: log | cmp - wanted.print || fail 'int8: another fingerprint'
grep -q 'weights: the matrices of the blocks are stored as int8' log || fail 'inspect does not name the storage'
grep -q 'libpeft.storage: int8' log || fail 'inspect does not print the header'
predict int8.safetensors --model m.safetensors > got
mv full got.full
predict vit.safetensors --backbone-options weights=int8 --model m.safetensors > wanted.int8
cmp full got.full || fail 'int8: other predictions than with weights=int8'
mkdir named && cp int8.safetensors named/vit.safetensors      # a model file holds the name of its backbone
for method in lora full; do
    finetune --method $method --backbone-options weights=int8 --out $method.option.safetensors > log
    backbone=named/vit.safetensors finetune --method $method --out $method.file.safetensors > log
    cmp $method.option.safetensors $method.file.safetensors || fail "int8: another training of $method"
done
"$bin/convert" --backbone int8.safetensors --out kept.safetensors > log
cmp int8.safetensors kept.safetensors || fail 'convert does not keep int8'
"$bin/convert" --backbone vit.safetensors --backbone-options weights=int8 --out kept.safetensors --force > log
cmp int8.safetensors kept.safetensors || fail 'convert with weights=int8 writes another file'
"$bin/convert" --backbone int8.safetensors --dtype f32 --naming hf5 --out values > log 2>&1
grep -q 'the file holds rounded values' log || fail 'no warning of rounded values'
if "$bin/predict" --backbone values --model m.safetensors scans/*/0001.png > log 2>&1; then
    fail 'rounded values have the fingerprint of the original'
fi
grep -q 'trained on backbone' log || fail "$(cat log)"
"$bin/merge" --backbone int8.safetensors --model m.safetensors --out merged.safetensors > merge.log
max_drift 1e-5
"$bin/merge" --backbone int8.safetensors --model m.safetensors --dtype int8 --out merged8.safetensors > merge.log
awk '/^largest/ { exit !($(NF - 3) > 1e-4 && $(NF - 3) < 0.3) }' merge.log || fail "int8: $(tail -1 merge.log)"
"$bin/pretrain" --data scans --start int8.safetensors --epochs 1 --warmup 0 --batch 4 --checkpoint further.state \
    --out further.safetensors > log ||
    fail 'pretrain does not start from int8'
mkdir folder && cp int8.safetensors folder/model.safetensors
predict folder --model m.safetensors > got
cmp full got.full || fail 'int8: other predictions with a folder'
if "$bin/convert" --backbone int8.safetensors --naming hf5 --out no > log 2>&1; then fail 'int8 under other names'; fi
grep -q "naming: given 'hf5', but only this library reads files with dtype=int8" log || fail "$(cat log)"

# A configuration that no transform can express gives a warning and no preprocessing, also in the file of merge.
echo '{"image_processor_type": "ViTImageProcessor", "do_pad": true, "image_mean": 0.3}' > padded.json
"$bin/inspect" "$small" --backbone-options config=padded.json > log
grep -q 'warning: padded.json: do_pad' log || fail "inspect does not warn of do_pad"
"$bin/merge" --backbone "$small" --backbone-options config=padded.json --out padded.safetensors > log 2>&1
"$bin/predict" --backbone padded.safetensors scans/*/0000.png > got 2> log
grep -q 'no file says how pictures are prepared' log || fail 'merge invented a preprocessing'

# --preprocess of predict: the stored value changes nothing, another value does, and another size is refused.
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors scans/*/0001.png > plain
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors --preprocess mean=0.3 scans/*/0001.png > got
cmp plain got || fail '--preprocess with the stored value changes the predictions'
"$bin/predict" --csv --backbone vit.safetensors --model m.safetensors --preprocess mean=0.9 scans/*/0001.png > got
if cmp -s plain got; then fail '--preprocess of predict changes nothing'; fi
if "$bin/predict" --backbone vit.safetensors --model m.safetensors --preprocess size=16 scans/*/0001.png 2> log; then
    fail 'another size was accepted'
fi
grep -q 'trained for 32 pixels' log

# Several labels per image stay separate in the merged backbone.
for i in 0 1 2 3 4 5; do
    echo "scans/normal-like/000$i.png 1,0,$((i % 2))"
    echo "scans/benign-like/000$i.png 0,1,$((i % 2))"
done > labels.txt
backbone=vit.safetensors
"$bin/finetune" --backbone vit.safetensors --data labels.txt --method lora --epochs 2 --out several.safetensors > log
merge --model several.safetensors --out several-merged.safetensors
"$bin/predict" --csv --backbone several-merged.safetensors scans/normal-like/0001.png > got 2> log
[ "$(head -1 got)" = image,predicted,decided_by,0,1,2 ] || fail "several labels: $(head -1 got)"
"$bin/predict" --csv --backbone vit.safetensors --model several.safetensors scans/normal-like/0001.png > alone
awk -F, 'NR == FNR { for (i = 4; i <= 6; i++) v[i] = $i; next } FNR == 2 { for (i = 4; i <= 6; i++)
    if ((d = v[i] - $i) > 1e-4 || d < -1e-4) exit 1 }' alone got || fail 'several labels: other probabilities'
