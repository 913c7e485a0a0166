#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict --masks: figures of pictures and of a NIfTI volume whose masks are made by hand, with the spacing of the file
# and that of --spacing, absent classes, and what is refused. The model predicts class 0 for every pixel.
#   truth.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

predict() { "$bin/predict" --backbone "$vit" --model m.safetensors --threads "${threads-1}" "$@"; }
zeros() { head -c "$1" /dev/zero; }
ones() { zeros "$1" | tr '\000' '\001'; }
# A volume of 8 x 8 x 3 voxels of 0.5 x 0.75 x 2 mm, whose voxels come from the standard input.
volume() {
    printf '\134\001\000\000'
    zeros 36
    printf '\003\000\010\000\010\000\003\000\001\000\001\000\001\000\001\000'
    zeros 14
    printf '\002\000\010\000\000\000'
    printf '\000\000\200\077\000\000\000\077\000\000\100\077\000\000\000\100'
    zeros 16
    printf '\000\000\260\103'
    zeros 11
    printf '\002'
    zeros 220
    printf 'n+1\000\000\000\000\000'
    cat
}
# Field $3 of the row of class $2 in the file $1.
field() { awk -F, -v class="$2" -v k="$3" '$3 == class { print $k }' "$1"; }
# The text $2 must be the number $3, within 1e-6; $1 names it.
is() {
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a - b < 1e-6 && b - a < 1e-6) }' ||
        fail "$1 is '$2', expected $3"
}

"$bin/phantom" --out ph --images 2 --side 32 --masks > log
"$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --mask-options classes=tissue:benign:malignant \
    --method linear --head head=seg_linear,head_init=zero --lr 0 --shots 1 --epochs 1 --threads 1 \
    --out m.safetensors > log 2>&1 || fail 'no model'

# --- a volume: class 0 but for its last slice, which is class 1 -------------------------------------------------------
# Distances in space: the last slice, predicted to be class 0, is 2 mm from the others. The sum over the inner pixels of
# the middle slice, which touches the last one, is that of their distances to its border: four times 8 mm.
mkdir v t
zeros 192 | volume > v/a.nii
{ zeros 128; ones 64; } | volume > t/a.nii
[ "$(wc -c < t/a.nii)" -eq 544 ] || fail 'the test writes no NIfTI file'
predict --all-slices --masks t --case-figures c.csv --preprocess range=0:1 v/a.nii > table 2> log || fail 'volume'
[ "$(wc -l < table)" -eq 3 ] || fail 'figures are among the lines of the table'
cut -d, -f1-5,12- c.csv > rows
printf '%s\n' case,patient,class,pixels_truth,pixels_predicted,unit,images 'v/a.nii#slices=0-2,,tissue,128,192,mm,3' \
    'v/a.nii#slices=0-2,,benign,64,0,mm,3' 'v/a.nii#slices=0-2,,malignant,0,0,mm,3' > want
cmp want rows || fail 'other rows'
is dice "$(field c.csv tissue 6)" 0.8
is iou "$(field c.csv tissue 7)" 0.666666667
is precision "$(field c.csv tissue 8)" 0.666666667
is recall "$(field c.csv tissue 9)" 1
is hd95 "$(field c.csv tissue 10)" 2
is surface_distance "$(field c.csv tissue 11)" 0.563380282            # (64 * 2 + 4 * 8) / 284 pixels of both surfaces
[ "$(grep ',benign,' c.csv | cut -d, -f6-11)" = '0,0,,0,inf,inf' ] || fail 'a class that was not predicted'
[ "$(grep ',malignant,' c.csv | cut -d, -f6-11)" = ',,,,,' ] || fail 'a class that neither mask has'
grep -q '^tissue  *1  *0.8000$' log || fail 'no Dice, or an interval of one case'
grep -q '^malignant  *0  *undefined$' log || fail 'an absent class has a mean'
grep -q 'left out of the means: 1 infinite distance, .*: benign 1$' log || fail 'infinite distances are not counted'
grep -q '^HD95, mm ' log || fail 'not in mm'

# The last slice alone, whose truth lacks class 0.
predict --image-options slice=2 --masks t --case-figures s.csv --preprocess range=0:1 v/a.nii > table 2> log
[ "$(grep ',tissue,' s.csv | cut -d, -f4-12)" = '0,64,0,0,0,,inf,inf,mm' ] || fail 'a slice'

# --- pictures without spacing: in pixels, or by --spacing ------------------------------------------------------------
# A grey map of 32 x 32: class 1 in rows 0 to 7, else 0. The rows from 8 on are class 0, and all are predicted.
mkdir p q
cp ph/images/normal-like/0000.png p/a.png
{ printf 'P5\n32 32\n255\n'; ones 256; zeros 768; } > q/a.pgm
predict --masks q --case-figures px.csv p/a.png > table 2> log || fail 'pictures'
predict --masks q --case-figures mm.csv --spacing 0.5:9 --out areas.csv p/a.png > log || fail 'with --spacing'
grep -q '^HD95, mm ' log && grep -q '^hd95  *undefined$' log && grep -q '^cases  *1$' log || fail 'with --out figures are not on the output'
is dice "$(field px.csv tissue 6)" 0.857142857                        # 2 * 768 / (768 + 1024)
[ "$(field px.csv tissue 12)" = px ] && [ "$(field mm.csv tissue 12)" = mm ] || fail 'units'
# The predicted surface is the border of the picture, 124 pixels. The 32 of them in row 0 are 8 rows from row 8, where the
# truth begins; no pixel of the truth is further from that border.
is hd95 "$(field px.csv tissue 10)" 8
is 'hd95 in mm' "$(field mm.csv tissue 10)" 4
tail -n 1 areas.csv | grep -q ',1024,0,0,4608,0,0$' || fail 'areas'
# The file of the volume states 0.5 x 0.75 mm, the picture nothing.
predict --format jsonl --image-options slice=0 v/a.nii p/a.png --preprocess range=0:1 > areas.jsonl 2> log ||
    fail 'areas as JSON'
grep -q '"mm2": {"tissue": 24, ' areas.jsonl || fail 'no area by the spacing of the file'
[ "$(grep -c mm2 areas.jsonl)" -eq 1 ] || fail 'an area without a spacing'
predict --csv --spacing file --image-options slice=0 v/a.nii p/a.png --preprocess range=0:1 > areas.csv 2> log ||
    fail '--spacing file'
[ "$(cut -d, -f 4- areas.csv | tr '\n' ' ')" = \
    'tissue,benign,malignant,tissue mm2,benign mm2,malignant mm2 64,0,0,24,0,0 1024,0,0,,, ' ] || fail 'columns of areas'

# Threads change nothing, and another mask folder's options are those of finetune.
threads=3 predict --masks q --case-figures threads.csv p/a.png > table 2> log
cmp px.csv threads.csv || fail 'threads change the figures'
predict --masks q --mask-options kind=binary,threshold=0,classes=tissue:benign p/a.png > table 2> log &&
    fail 'two classes'
grep -qF 'have the classes tissue:benign, the model has tissue:benign:malignant' log || fail 'classes are not named'
refused 'exists' predict --masks q --case-figures px.csv p/a.png
predict --masks q --case-figures px.csv --force p/a.png > table 2> log || fail '--force'
refused 'give --masks DIR too' predict --case-figures a.csv p/a.png
refused 'beside the images they need a name of their own' predict --mask-options classes=3 p/a.png
refused 'p/a' predict --masks ph/masks p/a.png
refused 'holds 3 slices' predict --masks t p/a.png
cp p/a.png p/b.png
cp q/a.pgm q/b.pgm
ln -s ../p ph/link
ln -s a.png p/c.png
cp q/a.pgm q/c.pgm
printf 'p/a.png\np/a.png\n' > twice.txt
refused '--masks: the picture p/a.png is given twice; give each picture once' predict --masks q p/a.png p/b.png p/a.png
refused 'the picture p/a.png is given twice' predict --masks q twice.txt
refused 'the picture p/b.png is given twice' predict --masks q p p/b.png
for same in ./p/a.png p//a.png ph/../p/a.png ph/link/a.png "$PWD/p/a.png"; do
    refused "the pictures p/a.png and $same are the same" predict --masks q p/a.png p/b.png "$same"
done
refused 'the picture v/a.nii#slice=0 is given twice' predict --all-slices --masks t v/a.nii v/a.nii
mkdir p2 && cp p/a.png p2/a.png
refused 'a.pgm would be the mask of p/a.png and of p2/a.png' predict --masks q p/a.png p2/a.png
refused 'a.pgm would be the mask of p/a.png and of p2/a.png' predict --masks q p p2
refused 'a.pgm would be the mask of p/a.png and of p2/a.png' predict --masks q/a.pgm p/a.png p2/a.png
predict --masks q p > table 2> log || fail 'a link to a picture, with a mask of its own'
[ "$(wc -l < table)" -eq 3 ] || fail 'the lines of three pictures'
predict p/a.png p/a.png > table 2> log || fail 'a picture twice without masks'
[ "$(wc -l < table)" -eq 2 ] || fail 'the lines of a picture given twice'
refused 'is the folder of --masks' predict --masks q --save-masks q --force p/a.png
mkdir q/below
refused 'lies below or above it' predict --masks q --save-overlays q/below --force p/a.png
refused 'lies below or above it' predict --masks q/below --save-masks q --force p/a.png
rmdir q/below
refused '--case-figures writes the same file, same.csv' predict --masks q --out ./same.csv --case-figures same.csv p/a.png
refused 'figures of masks need all pictures' predict --masks q --out r.csv --resume p/a.png
refused 'a class for each pixel' "$bin/predict" --backbone "$vit" --masks q p/a.png
