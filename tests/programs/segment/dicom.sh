#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict --save-segmentations: DICOM segmentations of DICOM pictures.
#   dicom.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

predict() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --threads 1 "$@"
}

# A model with the head patch_linear, for which finetune needs masks: the heads linear and patch_linear have tensors of
# the same shapes, so the file of a model with the head linear gets the other name, padded to the same length.
"$bin/phantom" --out ph --images 4 --side 48 --dicom > log
"$bin/finetune" --backbone "$vit" --data ph/labels.csv --method linear --head head=linear,head_init=normal:0.1 \
    --shots 2 --epochs 1 --threads 1 --out linear.safetensors > log 2>&1 || fail 'not trained'
LC_ALL=C sed 's/head=\\"linear\\",head_init=\\"normal:0.1\\"/head=\\"patch_linear\\",head_init=\\"zero\\"/' \
    linear.safetensors > m.safetensors
predict --save-masks masks --save-segmentations seg --csv ph/IM0000? > areas.csv 2> log || fail 'not segmented'
[ "$(ls seg)" = "$(ls ph | grep '^IM0000' | sed 's/$/.dcm/')" ] || fail 'not a segmentation for each picture'
# The SOP classes Segmentation Storage and, in the references, Ultrasound Image Storage; names of the segments.
for text in 1.2.840.10008.5.1.4.1.1.66.4 1.2.840.10008.5.1.4.1.1.6.1 malignant-like; do
    grep -qaF "$text" seg/IM00005.dcm || fail "no $text in the segmentation"
done
instance=$(od -An -c -w1000000 ph/IM00005 | tr -d ' ' | sed -n 's/.*\(2\.25\.2\.[0-9]*\.1\.5\).*/\1/p')
[ -n "$instance" ] || fail 'the picture has no UID'
grep -qaF "$instance" seg/IM00005.dcm || fail 'the segmentation does not name its picture'
cp -r seg before
refused 'exists' predict --save-segmentations seg ph/IM0000?
predict --save-segmentations seg --force ph/IM0000? > log 2>&1 || fail '--force'
diff -r before seg > log || fail 'equal commands write different files'
refused 'could not be predicted' predict --save-segmentations other masks/IM00001.png

refused 'give --save-segmentations DIR too' predict --segmentation-per series ph/IM0000?

# One segmentation for a series: the masks of its frames in the order of the files, with references to all of them.
predict --save-segmentations series --segmentation-per series ph/IM0000? > log 2>&1 || fail 'no segmentation of a series'
[ "$(ls series | wc -l)" -lt "$(ls seg | wc -l)" ] || fail 'not one segmentation for a series'
