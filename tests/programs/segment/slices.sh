#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune --all-slices and compare --all-slices: a training on volumes is that on pictures of all their slices; a volume
# is one in every draw and division, and one case in figures; records, --resume, a study; what is refused.
#   slices.sh FOLDER      FOLDER: of the programs
set -eu
export LC_ALL=C
. "$(dirname "$0")/setup.sh"

side=16 depth=5
zeros() { head -c "$1" /dev/zero; }
byte() { printf "\\$(printf %o "$1")"; }
# A NIfTI volume of $1 slices (5), with voxels of 1 byte and 0.5 x 0.75 x 2 mm, that come from the standard input.
volume() {
    printf '\134\001\000\000'
    zeros 36
    printf '\003\000\020\000\020\000'
    byte "${1-$depth}"
    printf '\000\001\000\001\000\001\000\001\000'
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
# Voxels of a volume, number $1: bytes of the network's file. Its mask: class 1 where they are 128 or more.
voxels() { tail -c "+$(($1 * 10000 + 100000))" "$vit" | head -c $((side * side * depth)); }
labels() { tr '\000-\177\200-\377' '[\000*128][\001*128]'; }
# Volume number $1 as images/$2/$3.nii and masks/$2/$3.nii, and its slices as pictures below slices/ and slice_masks/.
make_volume() {
    mkdir -p "images/$2" "masks/$2" "slices/$2" "slice_masks/$2"
    voxels "$1" | volume > "images/$2/$3.nii"
    voxels "$1" | labels | volume > "masks/$2/$3.nii"
    k=0
    while [ $k -lt $depth ]; do
        for what in slices slice_masks; do
            printf 'P5\n%d %d\n255\n' $side $side > "$what/$2/$3_$k.pgm"
        done
        voxels "$1" | tail -c "+$((k * side * side + 1))" | head -c $((side * side)) >> "slices/$2/$3_$k.pgm"
        tail -c $((side * side)) "slices/$2/$3_$k.pgm" | labels >> "slice_masks/$2/$3_$k.pgm"
        k=$((k + 1))
    done
}
# $start: exec, so that the process has the id $!, or nothing
start=
tune() { # $1: the folder of images: images, slices or packed; then more arguments
    masks=masks
    [ "$1" != slices ] || masks=slice_masks
    data=$1
    shift
    $start "$bin/finetune" --backbone "$vit" --masks $masks --mask-options "${options-classes=tissue:bright}" \
        --method linear --lr 1e-2 --threads "${threads-1}" --data "$data/${part-one}" "$@"
}
names() { sed -n "/\"$1\": {/,/\"content_sha256\"/s/.*\"name\": \"\\(.*\\)\",*/\\1/p" "$2"; }
member() { sed -n "/\"$1\": {/,\$s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$3" | head -n 1; }

n=1
for name in a b c d; do
    make_volume $n one $name
    n=$((n + 1))
done
make_volume 5 two e
make_volume 6 two f

# --- a training on volumes is that on all their slices ----------------------------------------------------------------
tune images --all-slices --test images/two --epochs 2 --out m.safetensors --case-figures cases.csv > log 2>&1 ||
    fail 'volumes'
grep -q '^training: 20 images, slices of 4 files$' log || fail 'the files are not counted'
grep -q '^test: 10 images, slices of 2 files; all images of --test$' log || fail 'the test files are not counted'
cp log volumes.log
tune slices --test slices/two --epochs 2 --out s.safetensors > log 2>&1 || fail 'pictures of slices'
cmp m.safetensors s.safetensors > log 2>&1 || fail 'another model than of pictures of the slices'
threads=2 tune images --all-slices --test images/two --epochs 2 --out two.safetensors > log 2>&1 || fail 'threads'
cmp m.safetensors two.safetensors > log 2>&1 || fail 'another model with two threads'
tune slices --all-slices --test slices/two --epochs 2 --out flag.safetensors > log 2>&1 || fail 'pictures'
cmp m.safetensors flag.safetensors > log 2>&1 || fail 'the flag changes a training on pictures'
for kind in one two; do
    mkdir -p packed/$kind
    for file in images/$kind/*.nii; do gzip -c "$file" > "packed/$kind/$(basename "$file").gz"; done
done
tune packed --all-slices --test packed/two --epochs 2 --out gz.safetensors > log 2>&1 ||
    fail 'packed volumes'
cmp m.safetensors gz.safetensors > log 2>&1 || fail 'another model of packed volumes'

# --- cases are volumes, in the figures, the record and the card -------------------------------------------------------
[ "$(sed 1d cases.csv | cut -d, -f1,3,12- | tr '\n' ' ')" = "images/two/e.nii#slices=0-4,tissue,mm,5 \
images/two/e.nii#slices=0-4,bright,mm,5 images/two/f.nii#slices=0-4,tissue,mm,5 \
images/two/f.nii#slices=0-4,bright,mm,5 " ] || fail 'cases are not volumes in mm'
grep -q '^test_cases  *2$' volumes.log && grep -q '^test_images  *10$' volumes.log || fail 'numbers of the test'
"$bin/predict" --backbone "$vit" --model m.safetensors --all-slices --masks masks --case-figures predicted.csv \
    images/two > table 2> log || fail 'not predicted'
cmp cases.csv predicted.csv > log 2>&1 || fail 'predict judges otherwise'
record=m.safetensors.record.json
[ "$(names test $record | tr '\n' ' ')" = 'images/two/e.nii images/two/f.nii ' ] || fail 'files of the record'
[ "$(member test images $record)" = 10 ] || fail 'images of the record'
for file in a b c d; do
    grep -q "\"$(sha256sum images/one/$file.nii | cut -d' ' -f1)\"" $record || fail "no sum of $file.nii"
done
"$bin/report" --card m.safetensors --out card.html > log 2>&1 || fail 'no model card'
grep -q 'Images%20%28slices%29,Files,Patients%0D%0Atraining,20,4,' card.html ||
    fail 'the card does not count the volumes'
if grep -q unlabelled card.html; then fail 'a class of images on the card'; fi
grep -q 'Few test cases, and so wide intervals: 2\.' card.html || fail 'the card counts images, not cases'
# The volumes of the model's training are found again.
if part=two tune images --all-slices --model m.safetensors --test images/one --epochs 1 --out again.safetensors \
    > log 2>&1; then fail 'tested on the volumes that --model was trained on'; fi
grep -q 'all 20 test images are training images of --model' log || fail 'no word on the training of --model'
cp images/one/a.nii images/two/copy.nii
cp masks/one/a.nii masks/two/copy.nii
tune images --all-slices --test images/two --epochs 1 --out copy.safetensors > log 2>&1 || fail 'a copy'
grep -q '5 of 15 test images are also training images' log || fail 'no word on the copy of a volume'
rm images/two/copy.nii masks/two/copy.nii

# --- draws and divisions take whole volumes ---------------------------------------------------------------------------
# Each volume is in one of the three sets; --shots counts them; epochs are judged by volumes, as at the end.
part= tune images --all-slices --val 0.4 --stop dice --epochs 2 --out parts.safetensors > log 2>&1 || fail 'divided'
record=parts.safetensors.record.json
for kind in training validation test; do names $kind $record; done > all
[ "$(sort -u all | wc -l)" -eq 6 ] && [ "$(wc -l < all)" -eq 6 ] || fail 'a volume is in no set, or in two'
for kind in training validation test; do
    [ "$(member $kind images $record)" -eq "$((depth * $(names $kind $record | wc -l)))" ] || fail "slices of $kind"
done
[ "$(names validation $record | wc -l)" -gt 1 ] || fail 'one validation volume, so that nothing is tested'
awk -v a="$(member training best_figure $record)" -v b="$(member validation_figures dice $record)" \
    'BEGIN { exit !(a > 0 && a - b < 1e-9 && b - a < 1e-9) }' || fail 'epochs are not judged by the volumes'
for seed in 1 2 3; do
    part= tune images --all-slices --shots 2 --seed $seed --epochs 1 --force --out few.safetensors > log 2>&1 ||
        fail '--shots'
    grep -q '^training: 20 images, slices of 4 files: one 10, two 10$' log || fail '--shots does not count volumes'
    [ "$(for kind in training test; do names $kind few.safetensors.record.json; done | sort -u | wc -l)" -eq 6 ] ||
        fail 'a volume is in both sets'
done
tune images --all-slices --patients '(?)*' --epochs 1 --out patients.safetensors > log 2>&1 || fail 'patients'
grep -q '^patients: 4, none in two splits' log || fail 'patients are not those of the volumes'

# --- a training that is stopped ---------------------------------------------------------------------------------------
tune images --all-slices --test images/two --epochs 30 --out whole.safetensors > log 2>&1 || fail 'not stopped'
start=exec
: > log                                                       # the loop below must not find the lines of the run above
tune images --all-slices --test images/two --epochs 30 --out stopped.safetensors > log 2>&1 &
child=$!
start=
while kill -0 $child 2> /dev/null && ! grep -q '^epoch 2/' log; do sleep 0.01; done
kill -TERM $child 2> /dev/null || true
wait $child 2> /dev/null && fail 'not stopped in time'
[ ! -e stopped.safetensors ] && [ -e stopped.safetensors.state ] || fail 'no state'
refused 'give the --data, --seed, --shots' tune images --image-options slice=1 --test images/two --epochs 30 \
    --out stopped.safetensors --resume
tune images --all-slices --test images/two --epochs 30 --out stopped.safetensors --resume > log 2>&1 || fail 'resume'
cmp whole.safetensors stopped.safetensors > log 2>&1 || fail 'another model after --resume'

# --- a study ----------------------------------------------------------------------------------------------------------
study() {
    "$bin/compare" --backbone "$vit" --data images/one --test images/two --masks masks \
        --mask-options classes=tissue:bright --methods list.txt --shots 2 --samplings 2 --runs 1 --epochs 2 \
        --csv study.csv --summary summary.csv --svg study.svg --records records --judge-every 1 "$@"
}
value() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR == 2 { print $at }' \
    study.csv; }
printf 'head: --method linear --lr 1e-2\n' > list.txt
study --all-slices --jobs 2 > log 2>&1 || fail 'no study'
grep -q '^draw 2: training: 10 images, slices of 2 files; test: 10 images, slices of 2 files$' log ||
    fail 'files of a draw are not counted'
tune images --all-slices --test images/two --shots 2 --epochs 2 --out draw.safetensors > log 2>&1 || fail 'draw 1'
[ "$(awk -F, 'NR == 1 || $3 == 1' study.csv > one; mv one study.csv; printf '%.5f' "$(value dice)")" = \
    "$(sed -n 's/^test_dice  *//p' log)" ] || fail 'not the Dice of finetune'
[ "$(printf '%.5f' "$(value hd95)") mm" = "$(sed -n 's/^test_hd95  *//p' log)" ] ||
    fail 'not the distance of finetune'
[ "$(value test_images)" -eq 10 ] || fail 'test images are not slices'
cut -d, -f1,13 records/*-1-1.cases.csv | sort -u > of_study
printf '%s\n' case,images 'images/two/e.nii#slices=0-4,5' 'images/two/f.nii#slices=0-4,5' | cmp - of_study ||
    fail 'cases of the records'
[ "$(tail -n 1 records/*-1-1.curve.csv | cut -d, -f3 | cut -c 1-8)" = "$(value dice | cut -c 1-8)" ] ||
    fail 'the curve does not end with the figure of the run'
grep -q '2 files per class' study.svg || fail 'the chart does not say what is drawn'
study --all-slices --resume > log 2>&1 || fail 'study --resume'
[ "$(grep -c ' run 1: ' log)" -eq 1 ] || fail 'not the one run that is missing'
"$bin/report" --out page.html records > log 2>&1 || fail 'no page'
grep -q '(2 files, with all their slices, per class of images)' page.html || fail 'the page does not say what is drawn'
grep -q 'class="cells" href="data:image' page.html || fail 'no overlays on the page'
refused 'holds 5 slices; choose one of them with the option slice=N, N in 0..4; --all-slices takes all' \
    "$bin/compare" --backbone "$vit" --data images/one --test images/two --masks masks --mask-options classes=2 \
    --methods list.txt --shots 2 --csv no.csv

# --- what is refused --------------------------------------------------------------------------------------------------
refused 'holds 5 slices; choose one of them with the option slice=N, N in 0..4; --all-slices takes all' tune images \
    --test images/two --out no.safetensors
refused '--all-slices: image options' tune images --all-slices --image-options slice=1 --out no.safetensors
for program in finetune 'compare --methods list.txt --csv no.csv'; do
    # shellcheck disable=SC2086  # a program and its arguments
    refused '--all-slices: is for training on masks; give --masks DIR too, or --image-options slice=N' \
        "$bin"/$program --backbone "$vit" --data images/one --all-slices
done
refused '--shots 5: ' tune images --all-slices --shots 5 --out no.safetensors
voxels 1 | labels | head -c $((side * side * 4)) | volume 4 > masks/one/a.nii
refused 'masks/one/a.nii: the file holds 4 slices, and images/one/a.nii 5' tune images --all-slices \
    --test images/two --out no.safetensors
{ voxels 1 | labels; zeros $((side * side)); } | volume 6 > masks/one/a.nii
refused 'masks/one/a.nii: the file holds 6 slices, and images/one/a.nii 5' tune images --all-slices \
    --test images/two --out no.safetensors
# One line for the slices of a file that fail alike, and no advice to replace pictures where an option is wrong.
if "$bin/predict" --backbone "$vit" --model m.safetensors --all-slices --masks masks images/one > table 2> log; then
    fail 'predict takes a mask of another depth'
fi
[ "$(grep -c 'masks/one/a.nii: the file holds 6 slices, and images/one/a.nii 5' log)" -eq 1 ] ||
    fail 'predict: a line for each slice'
grep -q '^predict: images/one/a.nii: the same for 4 more slices$' log || fail 'predict does not count the other slices'
grep -q '^predict: 5 of 20 pictures could not be predicted$' log || fail 'predict: the number of slices'
refused 'none of 30 pictures can be read, all with the same error; give the option that it names' tune images --all-slices \
    --test images/two --preprocess range=0:999 --out no.safetensors
[ "$(grep -c 'range=0:999, the image.s samples are .* (and 4 more slices)$' log)" -eq 6 ] || fail 'not a line a file'
rm masks/one/a.nii
refused 'a.nii has no mask' tune images --all-slices --test images/two --out no.safetensors
options=classes=2,missing=skip
tune images --all-slices --test images/two --epochs 1 --out skip.safetensors > log 2>&1 || fail 'missing=skip'
grep -q '^training: 15 images, slices of 3 files' log || fail 'a volume without mask is not left out'
[ ! -e no.safetensors ] && [ ! -e no.csv ] || fail 'a file in spite of an error'
echo 'segment/slices.sh: volumes as slices'
