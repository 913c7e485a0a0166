#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A study whose draws differ in size, as patients have different numbers of images: compare prints the numbers of every
# draw, or of many draws the range; records and page have those of all draws, and pages of records of before those of
# all runs.
#   draws.sh FOLDER      FOLDER: of the programs
set -eu
export LC_ALL=C
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() {
    echo "draws.sh: $1"
    cat log
    exit 1
}
study() {
    "$bin/compare" --backbone "$vit" --data data --patients '(p*)_*' --methods list.txt --runs 1 \
        --epochs 1 --force --csv "$@" > log 2>&1 || fail 'no study'
}
# The least and the largest number of column $2 of the table $1.
range() {
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        low == "" || $at < low { low = $at } $at > high { high = $at } END { print low " to " high }' "$1"
}
rows() { sed -n "s/^$1,//p" records/study.csv | tr '\n' ' '; }

"$bin/phantom" --out pictures --images 12 --side 32 > log
# Patient k of a class has k images.
for class in pictures/*/; do
    name=$(basename "$class")
    mkdir -p "data/$name"
    patient=1 image=0
    for file in "$class"/*; do
        mv "$file" "data/$name/p$patient${name}_$image.png"
        image=$((image + 1))
        [ $image -lt $patient ] || patient=$((patient + 1)) image=0
    done
done
images=$(find data -type f | wc -l)
printf 'head: --method linear\n' > list.txt

study a.csv --shots 0 --samplings 4 --records records
tests=$(range a.csv test_images)
[ "${tests% to *}" -lt "${tests#* to }" ] || fail 'the draws are of one size, so that nothing is tested'
[ "$(rows test_images)" = "$(sed 1d a.csv | sort -t, -n -k 3 | cut -d, -f7 | tr '\n' ' ')" ] || fail 'numbers of the test images'
for draw in 1 2 3 4; do
    test=$(rows test_images | cut -d' ' -f$draw)
    [ "$(rows train_images | cut -d' ' -f$draw)" -eq $((images - test)) ] || fail 'numbers of the training images'
    grep -q "^draw $draw: training: $((images - test)) images: .*; test: $test images: .*; patients: " log ||
        fail "the numbers of draw $draw are not printed"
done
grep -q "^decoded $images pictures of 4 draws in .* s: all can be read$" log || fail 'pictures are decoded twice'
training="$((images - ${tests#* to })) to $((images - ${tests% to *})) training images"
"$bin/report" --out page.html records > log 2>&1 || fail 'no page'
grep -q "); $training and $tests held-out images per run" page.html || fail 'numbers of the page'
grep -q "$training, 4 draws" compare.svg || fail 'numbers of the chart'

# Records with the numbers of the first draw alone.
awk -F, '!/^(train|test)_images/ || !seen[$1]++' records/study.csv > first && mv first records/study.csv
"$bin/report" --out page.html --force records > log 2>&1 || fail 'no page of records of before'
grep -q "); $(rows train_images)training images in the first draw and $tests held-out images per run" page.html ||
    fail 'numbers of the page of records of before'

study b.csv --shots 0 --samplings 9 --unchecked
[ "$(grep -c '^draw ' log)" -eq 5 ] || fail 'not five draws one by one'
awk -F, 'NR == 1 || $3 > 5' b.csv > others
tests=$(range others test_images)
grep -q "^draws 6 to 9: training: .* images; test: $tests images$" log || fail 'numbers of many draws'

study c.csv --samplings 2 --shots 2 --test-per-class 3 --records equal
[ "$(grep -c '^t[a-z]*_images,' equal/study.csv)" -eq 2 ] || fail 'rows for draws of one size'
echo 'draws.sh: numbers of images of draws'
