#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Volumes whose masks are stored in another orientation, or state another spacing: predict, finetune and compare warn
# once, and orient=ras gives the right figures.
#   geometry.sh FOLDER      FOLDER: of the programs
set -eu
export LC_ALL=C
. "$(dirname "$0")/setup.sh"

zeros() { head -c "$1" /dev/zero; }
# A volume of 8 x 8 x 3 voxels of 1 mm, whose voxels come from the standard input. Its sform says that columns count up
# to the right (R) or left (L): $1; "": it has none. Slices are $2 mm apart (1).
volume() {
    case ${2-1} in
    0) slices='\000\000\000\000' ;;
    1) slices='\000\000\200\077' ;;
    2) slices='\000\000\000\100' ;;
    0.8) slices='\315\314\114\077' ;;
    esac
    printf '\134\001\000\000'
    zeros 36
    printf '\003\000\010\000\010\000\003\000\001\000\001\000\001\000\001\000'
    zeros 14
    printf '\002\000\010\000\000\000'
    printf "\\000\\000\\200\\077\\000\\000\\200\\077\\000\\000\\200\\077$slices"
    zeros 16
    printf '\000\000\260\103'
    zeros 11
    printf '\002'
    zeros 130
    if [ "$1" ]; then printf '\001\000'; else zeros 2; fi
    zeros 24
    if [ "$1" = L ]; then printf '\000\000\200\277'; else printf '\000\000\200\077'; fi
    zeros 16
    printf '\000\000\200\077'
    zeros 16
    printf '\000\000\200\077'
    zeros 20
    printf 'n+1\000\000\000\000\000'
    cat
}
# The voxels, whose rows have the bytes $1.
rows() {
    n=0
    while [ $n -lt 24 ]; do printf "$1"; n=$((n + 1)); done
}
# A row of a mask, and the same in the other direction.
left='\001\001\000\000\000\000\000\000' right='\000\000\000\000\000\000\001\001'
warnings() { grep -c "masks: another $1: " log || true; }

mkdir v same flipped spaced none
k=2
for name in a b c d; do
    rows "\\00$k\\00$k\\000\\000\\000\\00$k\\000\\000" | volume L > v/$name.nii
    k=$((k + 1))
    rows "$left" | volume L > same/$name.nii
    rows "$right" | volume R > flipped/$name.nii
    rows "$left" | volume L 2 > spaced/$name.nii
    rows "$left" | volume '' > none/$name.nii
done
[ "$(wc -c < v/a.nii)" -eq 544 ] || fail 'the test writes no NIfTI file'

tune() {
    "$bin/finetune" --backbone "$vit" --data v --shots 2 --all-slices --mask-options classes=dark:bright \
        --preprocess range=0:5 --method linear --epochs 1 --threads 1 --force --out m.safetensors "$@"
}
predict() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --all-slices --threads 2 v/a.nii v/b.nii v/c.nii v/d.nii "$@"
}

for masks in same none; do
    tune --masks $masks > log 2>&1 || fail "finetune $masks"
    [ "$(warnings orientation) $(warnings spacing)" = '0 0' ] || fail "a warning of the masks in $masks"
done
tune --masks flipped > log 2>&1 || fail 'finetune'
[ "$(warnings orientation) $(warnings spacing)" = '1 0' ] || fail 'not one warning of the orientation'
grep -q 'another orientation: the axes of .*flipped/[a-d].nii are RAS .* its image .*v/[a-d].nii.* are LAS, ' log ||
    fail 'files and orientations are not named'
tune --masks flipped --image-options orient=ras > log 2>&1 || fail 'finetune with orient=ras'
[ "$(warnings orientation)" = 0 ] || fail 'a warning with orient=ras'
tune --masks spaced > log 2>&1 || fail 'finetune with another spacing'
[ "$(warnings orientation) $(warnings spacing)" = '0 1' ] || fail 'not one warning of the spacing'
grep -q 'another spacing: .*spaced/[a-d].nii states 1x1x2 mm .*, its image .*v/[a-d].nii.* states 1x1x1 mm' log ||
    fail 'the two spacings are not named'
predict --masks flipped > log 2>&1 || fail 'predict'
[ "$(warnings orientation) $(warnings spacing)" = '1 0' ] || fail 'predict: not one warning for four arguments'
predict --masks same > log 2>&1 || fail 'predict'
[ "$(warnings orientation) $(warnings spacing)" = '0 0' ] || fail 'predict: a warning of equal files'
# --- inspect shows spacing and directions ------------------------------------------------------------------------------
"$bin/inspect" spaced/a.nii > log
grep -q '^  spacing: 1 x 1 x 2 mm (rows x columns x slices)$' log || fail 'no spacing'
grep -q '^  directions: LAS (to where columns, rows and slices count up)$' log || fail 'no directions'
"$bin/inspect" --image-options orient=ras,axis=1 spaced/a.nii > log
grep -q '^  spacing: 2 x 1 x 1 mm ' log && grep -q '^  directions: RSA ' log || fail 'not as the volume is read'
zeros 192 | volume '' 0 > unspaced.nii
"$bin/inspect" unspaced.nii > log
grep -q '^  spacing: 1 x 1 x ? mm (rows x columns x slices; ?: not stated by the file)$' log || fail 'a distance of 0'
grep -q '^  directions: not stated ' log || fail 'directions without a matrix'

# --- volumes without a distance between slices -------------------------------------------------------------------------
mkdir flat flat_masks
for name in a b c d; do
    tail -c +353 v/$name.nii | volume L 0 > flat/$name.nii
    cp same/$name.nii flat_masks/$name.nii
done
cp v/a.nii flat/e.nii
cp same/a.nii flat_masks/e.nii
judge() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --all-slices --masks flat_masks --case-figures cases.csv \
        --force flat "$@" > log 2>&1 || fail "predict $*"
    flat_cases=$(sed 1d cases.csv | cut -d, -f1 | sort -u | wc -l)
}
judge
grep -q 'warning: 4 files of several slices state no distance between slices, such as flat/a.nii: ' log ||
    fail 'no warning of flat volumes'
[ "$flat_cases" -eq 13 ] || fail 'cases of flat volumes'
judge --spacing 2:2:4
! grep -q 'no distance between slices' log || fail 'a warning although --spacing gives the distance'
[ "$flat_cases" -eq 5 ] || fail '--spacing with the distance of slices makes no volumes'
"$bin/finetune" --backbone "$vit" --data flat --masks flat_masks --shots 2 --all-slices --method linear --epochs 1 \
    --mask-options classes=dark:bright --preprocess range=0:5 --threads 1 --unchecked --force --out f.safetensors \
    > log 2>&1 || fail 'finetune --unchecked'
[ "$(grep -c 'no distance between slices' log)" = 1 ] || fail 'finetune --unchecked: not one warning'
# Epochs are judged by the same cases as the trained model: volumes, where --spacing makes them such.
"$bin/finetune" --backbone "$vit" --data flat --masks flat_masks --all-slices --method linear --epochs 1 --val 0.5 \
    --stop dice --mask-options classes=dark:bright --preprocess range=0:5 --threads 1 --force --out f.safetensors \
    --spacing 2:2:4 > log 2>&1 || fail 'finetune --spacing'
! grep -q 'no distance between slices' log || fail 'finetune: a warning although --spacing gives the distance'
judged=$(sed -n 's/^best epoch: 1 .* by dice \([0-9.]*\) .*/\1/p' log)
trained=$(sed -n '/"validation_figures"/,/}/s/.*"dice": \([0-9.]*\).*/\1/p' f.safetensors.record.json | head -n 1)
awk -v a="$judged" -v b="$trained" 'BEGIN { exit !(a > 0 && a - b < 1e-5 && b - a < 1e-5) }' ||
    fail "epochs are judged by other cases: $judged, $trained"
refused 'ROW:COLUMN:SLICE' predict --masks same --spacing 1:1:0
refused 'ROW:COLUMN:SLICE' predict --masks same --spacing 1:1:1:1

# --- areas are products of the decimal numbers that the floats of a header stand for -----------------------------------
mkdir decimal
zeros 192 | volume L 0.8 > decimal/a.nii
for format in text csv jsonl; do
    "$bin/predict" --backbone "$vit" --model m.safetensors --image-options axis=1,slice=0 --spacing file --format $format \
        decimal/a.nii > log 2>&1 || fail "predict --format $format"
    grep -Eq '[^0-9]19\.2($|[^0-9])' log || fail "areas in $format"
done

printf 'head: --method linear\n' > list.txt
"$bin/compare" --backbone "$vit" --data v --masks flipped --mask-options classes=dark:bright --all-slices \
    --preprocess range=0:5 --methods list.txt --shots 2 --samplings 1 --runs 1 --epochs 1 --csv study.csv > log 2>&1 ||
    fail 'compare'
[ "$(warnings orientation)" = 1 ] || fail 'compare: not one warning'
echo 'segment/geometry.sh: orientation and spacing of masks'
