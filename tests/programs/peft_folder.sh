#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Folders of Hugging Face's PEFT in the programs: convert --model writes one, predict, merge and inspect read it; also
# one without a classifier, on a backbone without a classifier.
#   peft_folder.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "peft_folder: $1"
    cat log
    exit 1
}
says() {
    grep -qF -- "$1" log || fail "no '$1' in the output"
}
# The command after $1 must fail with a message that contains $1.
refused() {
    message=$1
    shift
    if "$@" > log 2>&1; then fail "accepted: $*"; fi
    says "$message"
}
convert() {
    "$bin/convert" --backbone "$vit" --model model.safetensors "$@"
}
"$bin/phantom" --out pictures --images 6 --side 32 > log
"$bin/finetune" --backbone "$vit" --data pictures --method lora --epochs 2 --out model.safetensors > log 2>&1 ||
    fail 'finetune failed'
picture=pictures/normal-like/0000.png

# The folder predicts what the file predicts; it holds neither names nor preprocessing, which convert prints.
convert --naming timm --out folder > log 2>&1 || fail 'convert failed'
says 'and the classifier'
says 'classes, in the order of the logits: benign-like, malignant-like, normal-like'
preprocess=$(sed -n 's/^preprocessing: //p' log)
names=benign-like,malignant-like,normal-like
"$bin/predict" --backbone "$vit" --model model.safetensors --csv $picture > expected
"$bin/predict" --backbone "$vit" --model folder --preprocess "$preprocess" --class-names $names --csv $picture \
    > given 2> log || fail 'predict of the folder failed'
cmp expected given > log || fail 'the folder predicts something else'
"$bin/inspect" folder > log 2>&1 || fail 'inspect of the folder failed'
says "folder of Hugging Face's PEFT"
says '"peft_type": "LORA"'
says 'base_model.model.blocks.0.attn.qkv.lora_A.weight'

refused 'exists already' convert --naming timm --out folder
convert --naming timm --folder-options prefix=net. --force --out folder > log 2>&1 || fail '--force did not overwrite'
grep -q 'base_model.model.net.blocks.0.attn.qkv' folder/adapter_model.safetensors || fail 'the prefix was ignored'
refused 'expected a model that was trained on the backbone loaded with pool=cls' convert --naming hf5 --out other
refused 'is a file; expected a folder' convert --out model.safetensors
refused 'names the same folder' "$bin/convert" --backbone "$vit" --model folder --force --out folder
refused "naming: given 'mmcls'" convert --naming mmcls --out other
refused 'tensors of a PEFT folder are f32' convert --dtype f16 --out other
refused 'expected true or false' convert --classifier maybe --out other
refused 'give --model PATH too' "$bin/convert" --backbone "$vit" --folder-options prefix= --out other
[ ! -e other ] || fail 'a refused command left a folder'
refused 'give the folder, folder' "$bin/predict" --backbone "$vit" --model folder/adapter_model.safetensors $picture
mkdir outer
mv folder outer/lesions
refused 'outer/lesions has one' "$bin/predict" --backbone "$vit" --model outer $picture

# Without a classifier: predict says so, and merge compares features.
convert --naming timm --classifier false --out features > log 2>&1 || fail 'convert --classifier false failed'
"$bin/convert" --backbone "$vit" --classifier false --out bare.safetensors > log 2>&1 || fail 'no bare backbone'
refused 'has no classifier' "$bin/predict" --backbone bare.safetensors --model features $picture
"$bin/merge" --backbone bare.safetensors --model features --out merged.safetensors > log 2>&1 || fail 'merge failed'
says 'largest difference of features'
# finetune begins with the adapter and the classifier of a folder or of a model file, and prepares images as before.
train() {
    "$bin/finetune" --backbone "$vit" --data pictures --epochs 1 --seed 1 "$@"
}
convert --naming timm --out folder > log 2>&1 || fail 'convert failed'
for start in model.safetensors folder; do
    train --model $start --lr 1e-30 --out next.safetensors --force > log 2>&1 || fail "finetune --model $start failed"
    says "beginning with $start: lora and its classifier"
    "$bin/predict" --backbone "$vit" --model next.safetensors --csv --class-names $names $picture > given 2> log
    cmp expected given > log || fail "training at a rate of 1e-30 from $start changed the predictions"
done
train --model model.safetensors --method lora --lr 1e-2 --out next.safetensors --force > log 2>&1 || fail 'no next'
"$bin/predict" --backbone "$vit" --model next.safetensors --csv $picture > given 2> log
if cmp -s expected given; then fail 'finetune --model trained nothing'; fi
train --model model.safetensors --preprocess flip=0 --lr 1e-30 --out next.safetensors --force > log 2>&1 || fail 'flip'
says 'preprocessing (as --model was trained)'
mkdir two
cp -r pictures/benign-like pictures/normal-like two
"$bin/finetune" --backbone "$vit" --data two --model folder --epochs 1 --out two.safetensors > log 2>&1 || fail 'two'
says 'the classifier is new'
train --model model.safetensors --then prefix --out staged.safetensors > log 2>&1 || fail '--then after --model'
says 'second stage: prefix beside lora'
refused '--method ept: the adapter of --model model.safetensors is of the method lora' \
    train --model model.safetensors --method ept --out other
refused '--options: the adapter' train --model model.safetensors --options r=2 --out other
refused 'has 2 adapters' train --model staged.safetensors --out other
refused 'names the same file' train --model model.safetensors --out model.safetensors --force
refused 'this command reads the file' train --model folder --out folder/adapter_model.safetensors --force
refused "is a backbone" train --model "$vit" --out other
[ ! -e other ] || fail 'a refused command left a file'
[ -z "$(find . -name '*trial*')" ] || fail 'merge left a temporary file'
