#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune names images and patients that are in two sets: patients of all pairs of sets, training images of --model
# among the test images, and validation images that choose and are test images.
#   leaks.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "leaks: $1"
    exit 1
}
tune() { "$bin/finetune" --backbone "$vit" --epochs 1 --force "$@" > log 2>&1 || fail "'$*' failed: $(cat log)"; }
says() { grep -q -e "$1" log || fail "no line '$1' in $(cat log)"; }
refused() {
    message=$1
    shift
    if "$bin/finetune" --backbone "$vit" --epochs 1 --out no.safetensors "$@" > log 2>&1; then fail "accepted: $*"; fi
    says "$message"
    [ ! -e no.safetensors ] || fail "'$*' wrote a model"
}
recorded() { grep -q -e "$2" "$1.record.json" || fail "no '$2' in $1.record.json"; }
"$bin/phantom" --out pictures --images 12 --side 32 > /dev/null
rm -r pictures/normal-like
table() { echo image,label,patient; for class in benign malignant; do
    find pictures/$class-like -name '*.png' | sort | awk -v a="$1" -v b="$2" -v c=$class \
        'NR >= a && NR <= b { print $0 "," c "," c int((NR - 1) / 2) }'; done; }

# Patients of one class: 1-2, 3-4, ... The validation images 5-8 and the test images 8-11 share one of each class.
table 1 4 > train.csv
table 5 8 > val.csv
table 8 11 > test.csv
refused '2 patients have both validation and test images' --data train.csv --val val.csv --test test.csv
table 8 8 | sed 1d > shared.txt
grep -v -F -f shared.txt val.csv > val7.csv                  # no image, but the patient of image 8
tune --data train.csv --val val7.csv --test test.csv --allow-shared-patients --method bitfit --out p.safetensors
says 'patients: 12, 2 in two splits: .* (4 in training, 4 in validation, 6 in the test; 2 in validation and test)'
recorded p.safetensors '"validation_and_test": 2'
recorded p.safetensors '"training_and_test": 0'

# Validation images that choose must not be test images.
for file in train val test; do cut -d , -f 1,2 $file.csv > $file-images.csv; done
common="--data train-images.csv --val val-images.csv --test test-images.csv --method bitfit"
refused '--stop: chooses by the validation images, and 2 of them are also test images' $common --stop loss
refused '--threshold: chooses by the validation images' $common --threshold youden
refused '--conformal: chooses by the validation images' $common --conformal 0.5
tune $common --out v.safetensors
says '2 of 8 test images are also validation images'
tune $common --stop loss --allow-shared-patients --out v.safetensors

# Thresholds and sets together, and a further training, which drops both.
chooses="--val val7.csv --threshold 0.3 --conformal 0.5"
tune --data train.csv --test test.csv $chooses --allow-shared-patients --method bitfit --out a.safetensors
says 'a threshold decides may lie outside the prediction set'
"$bin/predict" --backbone "$vit" --model a.safetensors --threshold 0.7 pictures/benign-like > log 2>&1
says "may lie outside the model's prediction set"
"$bin/predict" --backbone "$vit" --model a.safetensors pictures/benign-like > log 2>&1
if grep -q 'may lie outside' log; then fail 'predict warns without --threshold'; fi

# The model's training images 1-4 of each class are test images of the further training.
table 3 6 > old.csv
table 9 12 > new.csv
table 7 8 > clean.csv
tune --data new.csv --test old.csv --model a.safetensors --out b.safetensors
says '4 of 8 test images are training images of --model'
says '^trained_on  *4 of the test images'
says '^--model: its thresholds are left out'
says '^--model: its prediction sets are left out'
recorded b.safetensors '"test_images_trained_on": 4'
refused 'all 8 test images are training images of --model' --data new.csv --test train.csv --model a.safetensors
tune --data new.csv --test clean.csv --model a.safetensors --out c.safetensors
recorded c.safetensors '"test_images_trained_on": 0'
if grep -q 'training images of --model\|is not known' log; then fail "warned of nothing: $(cat log)"; fi
# c was trained on the images of a and on new ones.
table 1 2 | sed 1d > part.txt
{ cat clean.csv; cat part.txt; table 11 11 | sed 1d; } > chain.csv
table 3 4 > more.csv
tune --data more.csv --test chain.csv --model c.safetensors --out d.safetensors
recorded d.safetensors '"test_images_trained_on": 6'
# Without the record of this very file nothing is known.
cp c.safetensors e.safetensors
tune --data more.csv --test clean.csv --model e.safetensors --out f.safetensors
says '^--model: which images it was trained on is not known (there is no e.safetensors.record.json)'
recorded f.safetensors '"test_images_trained_on": null'
recorded f.safetensors '"trained_on_before": null'
cp a.safetensors.record.json e.safetensors.record.json
tune --data more.csv --test clean.csv --model e.safetensors --out f.safetensors
says 'not known (e.safetensors.record.json is the record of another file)'
tune --data more.csv --test clean.csv --model f.safetensors --out g.safetensors
says 'not known (f.safetensors.record.json has no SHA-256 of each image'
