#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Images that are not square: finetune by --backbone-options image_size=HxW, --image-size and size, of masks and of
# classes; the files record the sides, so that predict, explain and a further training need no option.
#   image_sides.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

finetune() { "$bin/finetune" --backbone "$vit" --threads 1 --epochs 1 --shots 2 "$@" > log 2>&1 || fail "finetune $*"; }

"$bin/phantom" --out ph --images 3 --side 48 --masks > log
"$bin/inspect" --backbone-options image_size=16x24 "$vit" > log || fail 'inspect'
grep -q ' image_size=16x24 ' log || fail 'inspect does not print both sides'

# masks: a class for each pixel of 16 x 24
finetune --data ph/images --masks ph/masks --mask-options classes=tissue:benign:malignant \
    --backbone-options image_size=16x24 --method lora --out m.safetensors
"$bin/predict" --backbone "$vit" --model m.safetensors --save-masks whole ph/images/*/0000.png > areas.txt 2> log ||
    fail 'predict'
[ "$(ls whole/* | grep -c png)" = 3 ] || fail 'not a mask for each picture'
"$bin/predict" --backbone "$vit" --model m.safetensors --save-masks tiles --segmenter mode=tiles,overlap=0.25 \
    ph/images/*/0000.png > areas.txt 2> log || fail 'predict in tiles'
for name in whole/*/* tiles/*/*; do
    [ "$(od -An -tu1 -j16 -N8 "$name" | tr -s ' ')" = ' 0 0 0 48 0 0 0 48' ] ||
        fail "$name has not the size of its picture"
done

# classes: by --image-size, which a further training keeps; maps of the attention
finetune --data ph/images --image-size 24x16 --method vpt --options tokens=2 --out c.safetensors
finetune --data ph/images --model c.safetensors --out d.safetensors
for model in c d; do
    "$bin/predict" --csv --backbone "$vit" --model $model.safetensors ph/images/*/0000.png > $model.csv 2> log ||
        fail "predict $model"
    [ "$(wc -l < $model.csv)" = 4 ] || fail 'not a line for each picture'
done
finetune --data ph/images --image-size 24x16 --method lora --out l.safetensors
"$bin/merge" --backbone "$vit" --model l.safetensors --out merged.safetensors > log 2>&1 || fail 'merge'
"$bin/inspect" merged.safetensors > log || fail 'inspect of the merged backbone'
grep -q ' image_size=24x16 ' log || fail 'the merged backbone has other sides'
"$bin/predict" --csv --backbone merged.safetensors ph/images/*/0000.png > merged.csv 2> log || fail 'predict, merged'
[ "$(wc -l < merged.csv)" = 4 ] || fail 'not a line for each picture'
"$bin/explain" --backbone "$vit" --model c.safetensors --kind rollout,cam,occlusion --values csv --out maps \
    ph/images/*/0000.png > log 2>&1 || fail 'explain'
ls maps > log
refused 'image_size=24x16: the images have the sides 16x24' "$bin/predict" --backbone "$vit" --model m.safetensors \
    --backbone-options image_size=24x16 ph/images/*/0000.png
"$bin/predict" --backbone "$vit" --model m.safetensors --backbone-options image_size=16x24 ph/images/*/0000.png \
    > log 2>&1 || fail 'the sides that the model has are refused'
refused 'image_size=16: the images have the sides 24x16' "$bin/finetune" --backbone "$vit" --data ph/images \
    --image-size 24x16 --backbone-options image_size=16 --out e.safetensors
refused 'differ; give one of them' "$bin/finetune" --backbone "$vit" --data ph/images --image-size 24x16 \
    --preprocess size=24 --out e.safetensors
refused "--image-size: given '24x', expected a side in pixels, or height and width as 384x512" "$bin/finetune" \
    --backbone "$vit" --data ph/images --image-size 24x --out e.safetensors
refused 'expected square ones: load the backbone with image_size=N' "$bin/finetune" --backbone "$vit" --data ph/images --image-size 24x16 \
    --method fpt --out e.safetensors
refused "--image-size: given '24y', expected a side in pixels" "$bin/pretrain" --start "$vit" --data ph/images \
    --image-size 24y --out e.safetensors
