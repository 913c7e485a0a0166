#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The programs never write over a file that they read, also one that the command line does not name: shards and
# their index, a folder's pytorch_model.bin, descriptions such as config.json, the files of a PEFT folder.
#   input_files.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "input_files.sh: $1"
    cat log
    exit 1
}
# The command after $1 must fail with a message that says that it reads the file $1.
refused() {
    file=$1
    shift
    if "$@" --force > log 2>&1; then fail "accepted: $*"; fi
    grep -qF -- "$file: this command reads the file" log || fail "another message: $*"
}
accepted() {
    "$@" > log 2>&1 || fail "refused: $*"
}

"$bin/phantom" --out pictures --images 6 --side 32 > log
vit=vit.safetensors
accepted "$bin/pretrain" --data pictures --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --epochs 1 \
    --warmup 0 --batch 4 --out $vit
mkdir shards bin before
shard=model-00001-of-00002.safetensors
cp "$vit" shards/$shard
LC_ALL=C grep -a -o '"[a-z_0-9.]*":{"dtype"' "$vit" | sed "s/:.*/: \"$shard\"/" | paste -sd, |
    sed 's/.*/{"weight_map": {&}}/' > shards/model.safetensors.index.json
cp "$vit" bin/pytorch_model.bin
echo '{"layer_norm_eps": 1e-6}' > config-elsewhere.json
accepted "$bin/convert" --backbone "$vit" --naming hf5 --out described
mv described/model.safetensors described/vit.safetensors
accepted "$bin/finetune" --backbone "$vit" --data pictures --method lora --epochs 1 --out lora.safetensors
accepted "$bin/convert" --backbone "$vit" --model lora.safetensors --naming timm --out adapter
ln shards/$shard hard-link.safetensors
cp -r shards bin described config-elsewhere.json adapter before

for file in shards/$shard shards/model.safetensors.index.json hard-link.safetensors; do
    refused $file "$bin/convert" --backbone shards --out $file
    refused $file "$bin/merge" --backbone ./shards --out $file
done
refused bin/pytorch_model.bin "$bin/convert" --backbone bin --out bin/pytorch_model.bin
refused described/config.json "$bin/convert" --backbone described/vit.safetensors --out described/config.json
refused described/config.json "$bin/convert" --backbone described/vit.safetensors --naming hf5 --out described
refused described/config.json "$bin/merge" --backbone "$vit" --backbone-options config=described \
    --out described/config.json
refused config-elsewhere.json "$bin/merge" --backbone "$vit" --backbone-options config=config-elsewhere.json \
    --out config-elsewhere.json
for file in adapter_config.json adapter_model.safetensors; do
    refused adapter/$file "$bin/merge" --backbone "$vit" --model adapter --out adapter/$file
done
for path in shards bin described config-elsewhere.json adapter; do
    diff -r $path before/$path > log || fail "the input $path changed"
done

# Every output of the other programs.
train="--backbone shards --data pictures --method lora --epochs 1"
for file in shards/$shard shards/model.safetensors.index.json; do
    refused $file "$bin/finetune" $train --out $file
    refused $file "$bin/finetune" $train --state $file
    refused $file "$bin/pretrain" --start shards --data pictures --out $file
    refused $file "$bin/adapt" --backbone shards --data pictures --csv $file
done
refused bin/pytorch_model.bin "$bin/finetune" --backbone bin --data pictures --out bin/pytorch_model.bin
ln bin/pytorch_model.bin bin/table.prune.csv
refused bin/table.prune.csv "$bin/finetune" --backbone bin --data pictures --method e2vpt --prune 50 --out bin/table
rm bin/table.prune.csv
refused described/config.json "$bin/finetune" --backbone described/vit.safetensors --data pictures \
    --out described/config.json
refused config-elsewhere.json "$bin/finetune" --backbone "$vit" --data pictures \
    --backbone-options config=config-elsewhere.json --out config-elsewhere.json
refused adapter/adapter_model.safetensors "$bin/adapt" --backbone "$vit" --data pictures --model adapter \
    --predictions adapter/adapter_model.safetensors
echo 'linear: --method linear --backbone-options config=config-elsewhere.json' > list.txt
for flag in csv summary svg; do
    refused config-elsewhere.json "$bin/compare" --backbone "$vit" --data pictures --methods list.txt \
        --$flag config-elsewhere.json
done
# These have no --force.
read_by() {
    file=$1
    shift
    if "$@" > log 2>&1; then fail "accepted: $*"; fi
    grep -qF -- "$file: $reason" log || fail "another message: $*"
}
reason="this command reads the file"
for flag in checkpoint curve; do
    read_by bin/pytorch_model.bin "$bin/pretrain" --start bin --data pictures --$flag bin/pytorch_model.bin
done
read_by adapter/adapter_config.json "$bin/predict" --backbone "$vit" --model adapter --adapt tent \
    --state adapter/adapter_config.json pictures/*/*
read_by described/config.json "$bin/custom_method" --backbone described/vit.safetensors --out described/config.json
reason="another option of this command names the same file"
read_by "$vit" "$bin/custom_method" --backbone "$vit" --out "$vit"
read_by curve.csv "$bin/pretrain" --data curve.csv --curve curve.csv
mkdir records
echo study > records/study.csv
refused records/study.csv "$bin/report" --out records/study.csv records
for path in shards bin described config-elsewhere.json adapter; do
    diff -r $path before/$path > log || fail "the input $path changed"
done

# Other files of these folders are outputs like any other.
accepted "$bin/convert" --backbone shards --out shards/whole.safetensors
accepted "$bin/convert" --backbone shards --out shards/whole.safetensors --force
accepted "$bin/convert" --backbone described/vit.safetensors --backbone-options config=none --naming hf5 \
    --out described --force

# A picture is data, whether a folder or a list names it: --force does not write over it.
picture=$(find pictures -name '*.png' | head -1)
cp "$picture" before.png
if "$bin/convert" --backbone shards --out "$picture" --force > log 2>&1; then fail "a picture was written over"; fi
grep -qF "the existing file is a PNG picture" log || fail "another message"
if "$bin/pretrain" --data pictures --model image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64 --epochs 1 --batch 4 \
    --out new.safetensors --curve "$picture" --force > log 2>&1; then fail "a picture was written over"; fi
grep -qF "the existing file is a PNG picture" log || fail "another message"
cmp "$picture" before.png
