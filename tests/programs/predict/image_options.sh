#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict and adapt with a model that was trained with image options: those of the command line replace single ones, the
# others stay, and slice=none takes slice back.
#   image_options.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/setup.sh"

# vols/CLASS/N.npy: three pictures of 32 x 32 grey values (10 bytes and a header of 118), taken from PNG files.
for class in benign-like malignant-like; do
    mkdir -p vols/$class
    for i in 0 1 2 3 4; do
        {
            printf '\223NUMPY\001\000\166\000%-117s\n' \
                "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 32, 32, 1), }"
            cat scans/$class/000$i.png scans/*/*.png | head -c 3072
        } > vols/$class/$i.npy
    done
done
one=vols/benign-like/0.npy
plain=scans/benign-like/0000.png
train() { "$bin/finetune" --backbone vit.safetensors --method linear --epochs 1 --force "$@" > log 2>&1 || fail finetune; }
train --data vols --image-options slice=1 --out m.safetensors
row() { predict --csv "$@" $one > rows; sed -n 2p rows; }

# --- options that are given replace those of the same name --------------------------------------------------------------
row > want
row --image-options slice=1 | cmp - want
row --image-options orientation=stored | cmp - want || fail 'slice=1 of the model was lost'
row --image-options 'orientation="stored" max_side=4000' | cmp - want || fail 'quotes, blanks'
row --image-options slice=2 > other
if cmp -s other want; then fail 'slice=2 did not replace slice=1'; fi
predict --all-slices --csv --image-options slice=none $one > slices
grep -F '#slice=2' slices | sed 's/#slice=2//' | cmp - other
if (ulimit -f 4; predict --out t.csv --image-options orientation=stored vols vols vols vols > log 2>&1); then
    fail 'a full disk was not noticed'
fi
head -1 t.csv.part > log
grep -qF 'image options slice=1,orientation=stored, compute' log || fail 'description'

# --- files of one picture, by a model that was trained with slice=1 -----------------------------------------------------
refused 'the model was trained with the image options slice=1, and --image-options NAME=VALUE' predict $plain
refused 'slice=2, the file holds 1 slice' predict --image-options slice=2 $plain
if grep -qF 'was trained with' log; then fail 'slice=2 is not of the model'; fi
predict --csv --image-options slice=none $plain > got
"$bin/predict" --backbone vit.safetensors --model m.safetensors --csv --image-options slice=0 $plain | cmp - got
refused 'the model was trained with this option: give --image-options slice=none' predict --all-slices vols

# --- adapt reads its images as the training did; merge says what is lost; inspect takes slice=none ----------------------
"$bin/adapt" --backbone vit.safetensors --model m.safetensors --data vols --kind none --seeds 1 --threads 1 > log 2>&1 ||
    fail 'adapt lost slice=1 of the model'
"$bin/merge" --backbone vit.safetensors --model m.safetensors --out merged.safetensors > log 2>&1 || fail merge
grep -qF "does not keep; give them to predict: --image-options 'slice=1'" log || fail 'merge does not say what is lost'
"$bin/inspect" --image-options slice=none vols > log 2>&1 || fail 'inspect'
if grep -q 'cannot be read' log; then fail 'inspect with slice=none'; fi
echo 'image_options: settings of the command line over those of the model; slice=none'
