#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict --save-segmentations of series and of files with several frames: one DICOM segmentation, whose masks are those
# of the pictures.
#   dicom_series.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

predict() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --threads 1 "$@"
}
options=classes=tissue:benign:malignant

# Two pictures of each patient are a series.
"$bin/phantom" --out ph --images 6 --side 48 --dicom --masks > log
"$bin/finetune" --backbone "$vit" --data ph/labels.csv --masks ph/masks --threads 1 --method linear --lr 1e-2 \
    --epochs 10 --batch 4 --mask-options $options --loss ce \
    --trainer 'class_weights="0.05,1,1"' --out m.safetensors > log 2>&1 || fail 'not trained'
predict --save-segmentations series --segmentation-per series ph/images > log 2>&1 || fail 'no segmentations of series'
[ "$(ls series | wc -l)" -eq 9 ] || fail 'not a segmentation for each series'
predict --save-segmentations two --segmentation-per series ph/images/IM00007 ph/images/IM00008 > lines 2> log ||
    fail 'no segmentation of a series'
segmentation=two/$(ls two)
cmp "$segmentation" "series/$(ls two)" > log || fail 'other pictures change the segmentation of a series'
for text in 1.2.840.10008.5.1.4.1.1.66.4 malignant; do
    grep -qaF "$text" "$segmentation" || fail "no $text in the segmentation"
done

# Read as masks of the series, they are those of the model.
mkdir pair
cp ph/images/IM00007 ph/images/IM00008 pair
"$bin/finetune" --backbone "$vit" --data pair --masks "$segmentation" --mask-options $options --model m.safetensors \
    --test pair --epochs 1 --lr 1e-12 --threads 1 --preprocess flip=0 --out no.safetensors > log 2>&1 || true
grep -q 'all 2 test images are also training images' log || fail 'the segmentation is no mask of the series'
"$bin/finetune" --backbone "$vit" --data pair --masks "$segmentation" --mask-options $options --model m.safetensors \
    --shots 1 --epochs 1 --lr 1e-12 --threads 1 --preprocess flip=0 --out again.safetensors > log 2>&1 ||
    fail 'not trained on the segmentation'
awk '/^test_dice/ { found = $2 > 0.99 } END { exit !found }' log || fail 'a model does not agree with its own masks'

# The same pictures as frames of a file: the same masks.
element() {                                                   # TAG, VR, TEXT: an element of explicit little endian
    text=$3
    [ $((${#text} % 2)) -eq 0 ] || text="$text "
    # shellcheck disable=SC2059  # the tag is written in octal
    printf "$1$2\\$(printf %o ${#text})\\0"
    printf %s "$text"
}
short() { printf "$1US\\002\\000\\$(printf %o "$2")\\000"; }
uid() {                                                       # as element, padded by a 0
    # shellcheck disable=SC2059
    printf "$1UI\\$(printf %o $((${#2} + ${#2} % 2)))\\0%s" "$2"
    [ $((${#2} % 2)) -eq 0 ] || printf '\0'
}
{
    head -c 128 /dev/zero
    printf 'DICM\002\0\0\0UL\004\0\034\0\0\0'
    uid '\002\0\020\0' 1.2.840.10008.1.2.1
    uid '\010\0\026\0' 1.2.840.10008.5.1.4.1.1.3.1
    uid '\010\0\030\0' 2.25.77.1
    element '\010\0\140\0' CS US
    element '\020\0\040\0' LO P1
    uid '\040\0\015\0' 2.25.77.2
    uid '\040\0\016\0' 2.25.77.3
    short '\050\0\002\0' 1
    element '\050\0\004\0' CS MONOCHROME2
    element '\050\0\010\0' IS 2
    short '\050\0\020\0' 48
    short '\050\0\021\0' 48
    short '\050\0\0\001' 16
    short '\050\0\001\001' 12
    short '\050\0\002\001' 11
    short '\050\0\003\001' 0
    element '\050\0\120\020' DS 2048
    element '\050\0\121\020' DS 4096
    printf '\340\177\020\0OW\0\0\0\044\0\0'                   # 2 x 48 x 48 x 2 bytes
    for picture in pair/*; do tail -c 4608 "$picture"; done
} > frames.dcm
predict --all-slices --save-segmentations of_frames --csv frames.dcm > frames.csv 2> log || fail 'several frames'
[ "$(ls of_frames)" = frames.dcm ] || fail 'not one segmentation of the file'
predict --csv pair > pair.csv 2> log
[ "$(sed 1d pair.csv | cut -d, -f 2-)" = "$(sed 1d frames.csv | cut -d, -f 2-)" ] || fail 'frames have other areas'
tail -c 576 "$segmentation" > a
tail -c 576 of_frames/frames.dcm > b
cmp a b > log || fail 'frames have other masks than the series'
grep -qaF 2.25.77.1 of_frames/frames.dcm || fail 'no reference to the file'

refused 'has 2 frames, of which 1 are predicted' predict --save-segmentations no frames.dcm
refused 'is given more than once' predict --save-segmentations no pair/IM00007 pair/IM00007
refused 'predict without --resume' predict --save-segmentations no --segmentation-per series --resume --out a.csv pair
refused 'expected file or series' predict --save-segmentations no --segmentation-per study pair
[ ! -e no ] || fail 'a refused command left a folder'

# A series that lacks a mask is not written, and says so.
head -c 1500 pair/IM00008 > short
mv short pair/IM00008
refused 'is not written, as 1 of its 2 pictures have no masks' predict --save-segmentations broken \
    --segmentation-per series pair
[ -z "$(ls broken)" ] || fail 'a segmentation that lacks a mask'
