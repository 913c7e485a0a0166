#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several labels a pixel, from masks to masks: finetune with multilabel=true, thresholds, predict with a mask for each
# label, figures, and DICOM segmentations whose segments overlap.
#   labels.sh FOLDER [dicom]      FOLDER: of the programs; dicom: DICOM files can be read
set -eu
. "$(dirname "$0")/setup.sh"

tune() {
    "$bin/finetune" --backbone "$vit" --data ph --method linear --threads 1 "$@" > log 2>&1
}
predict() {
    "$bin/predict" --backbone "$vit" --threads 1 "$@"
}
options=per_class=folder,multilabel=true,classes=bright:twin:other

# The pixels of two labels are the bright ones of the picture itself, so that they overlap, and those of the third the
# bright ones of another picture.
"$bin/phantom" --out ph --images 6 --side 32 > log
for label in bright twin other; do mkdir -p masks/$label; done
for class in benign malignant normal; do
    cp -r ph/$class-like masks/bright
    cp -r ph/$class-like masks/twin
    mkdir masks/other/$class-like
    for i in 0 1 2 3 4 5; do cp ph/benign-like/0000.png masks/other/$class-like/000$i.png; done
done
tune --masks masks --mask-options $options --shots 4 --lr 3e-2 --epochs 8 --batch 4 --val 0.25 --stop dice \
    --out m.safetensors || fail 'not trained'
grep -q '^masks: 3 labels: bright, twin, other$' log || fail 'the labels are not named'
grep -q '^mean  *6 ' log || fail 'not the mean of all labels'
dice=$(sed -n 's/^test_dice  *//p' log)
awk "BEGIN { exit !($dice > 0.3) }" || fail 'nothing is learned'

# A mask for each label, which finetune reads again: a model has Dice 1 with its own masks. Some pixels have both
# labels.
predict --model m.safetensors --csv --save-masks own --save-overlays drawn ph > areas.csv 2> log || fail 'not segmented'
[ "$(head -n 1 areas.csv)" = 'image,width,height,bright,twin,other' ] || fail 'other columns'
[ "$(cd own && ls -- *)" = "$(cd masks && ls -- * | grep -v README)" ] ||
    fail 'masks have other names than those of training'
[ "$(ls drawn)" = "$(ls own/bright)" ] || fail 'no overlays'
awk -F, 'NR > 1 && $4 + $5 + $6 > $2 * $3 { found = 1 } END { exit !found }' areas.csv || fail 'no pixel has two labels'
tune --masks own --mask-options $options --model m.safetensors --shots 4 --epochs 1 --lr 1e-12 --preprocess flip=0 \
    --out again.safetensors || fail 'not trained on predicted masks'
awk '/^test_dice/ { found = $2 > 0.999 } END { exit !found }' log || fail 'a model does not agree with its own masks'
predict --model m.safetensors --masks own --mask-options $options --out figures.csv ph > log 2>&1 || fail 'no figures'
grep -q '^mean  *18  *1\.0000' log || fail 'predict --masks: a model does not agree with its own masks'

# Thresholds of the model, or of the command.
tune --masks masks --mask-options $options --model m.safetensors --shots 4 --epochs 1 --lr 1e-12 --threshold 0.2 \
    --out low.safetensors || fail 'thresholds'
predict --model low.safetensors --csv ph > low.csv 2> log
predict --model low.safetensors --csv --threshold 0.2 ph > given.csv 2> log
cmp low.csv given.csv > log || fail 'the model does not store its threshold'
predict --model low.safetensors --csv --threshold 0.5,bright=0.2 ph > one.csv 2> log
[ "$(cut -d, -f 4 one.csv)" = "$(cut -d, -f 4 low.csv)" ] || fail 'the threshold of a label'
[ "$(cut -d, -f 5- one.csv)" = "$(cut -d, -f 5- areas.csv)" ] || fail 'the thresholds of the other labels'
predict --model m.safetensors --csv --threshold 0 ph > all.csv 2> log
awk -F, 'NR > 1 && ($4 != 1024 || $5 != 1024 || $6 != 1024) { exit 1 }' all.csv || fail 'threshold 0'

# A run that was stopped goes on.
predict --model m.safetensors --out once.csv ph > log 2>&1
(ulimit -f 1; predict --model m.safetensors --out part.csv ph > log 2>&1) && fail 'a full disk was not noticed'
predict --model m.safetensors --out part.csv --resume ph > log 2>&1 || fail 'not resumed'
cmp once.csv part.csv || fail 'a resumed run has other results'

refused 'expected bce, bce_sum, focal_bce, dice_multilabel or bce_dice' tune --masks masks \
    --mask-options $options --loss ce --out no.safetensors
refused 'is chosen by classes of images' tune --masks masks --mask-options $options --val 0.2 --threshold youden \
    --out no.safetensors
refused 'cannot be the name of one' predict --model m.safetensors --save-masks no --class-names a,b,c/d ph
for names in bright:twin:other background:bright:twin:other; do       # index masks
    refused 'give a pixel one class, and the model several labels; give --mask-options per_class=folder' predict \
        --model m.safetensors --masks masks/other --mask-options classes=$names ph
done
[ ! -e no ] && [ ! -e no.safetensors ] || fail 'a refused command left a folder'

[ "${2-}" ] || exit 0
"$bin/phantom" --out scans --images 2 --side 32 --dicom > log
predict --model m.safetensors --save-segmentations seg --segmentation-per series scans > log 2>&1 ||
    fail 'no DICOM segmentation'
[ "$(ls seg | wc -l)" -eq 3 ] || fail 'not a segmentation for each series'
for file in seg/*; do
    for text in bright twin other BINARY YES; do grep -qaF $text "$file" || fail "no $text in $file"; done
done
