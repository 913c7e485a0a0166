#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several labels for an image: what finetune prints of each, --predictions, and how predict decides by thresholds; the
# table with semicolons and decimal commas.
#   labels.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/setup.sh"

says() { grep -qF -- "$1" log || fail "no '$1'"; }
field() { awk -v name="$1" '$1 == name { print $2 }' log; }

# Labels: benign of all benign-like and the first malignant-like pictures, odd with pictures that are not judged, and
# one that no picture has. Two pictures of each patient.
list() {
    echo 'image,benign,odd,never,patient'
    n=0
    for picture in "$1"/*/*.png; do
        case $picture in
            *benign-like* | *malignant-like/000[012]*) benign=1 ;;
            *) benign=0 ;;
        esac
        odd=$((n % 2))
        [ $((n % 5)) -ne 4 ] || odd=-1
        echo "$picture,$benign,$odd,0,$1$((n / 2))"
        n=$((n + 1))
    done
}
"$bin/phantom" --out new --images 6 --side 32 --seed 5 > log
list scans > train.csv
list new > list.csv
train() {
    "$bin/finetune" --backbone vit.safetensors --method linear --epochs 2 --force "$@" > log 2>&1 || fail finetune
}
train --data train.csv --table label=benign:odd:never --test list.csv --out multi.safetensors \
    --predictions held.csv
awk '$1 == "label" { rows = 3; next }
     rows > 0 { rows--; print $1, $2, $3, $4, $5 }' log > labels
awk -F, 'NR > 1 { for (k = 2; k <= 4; k++) n[k, $k]++ }
         END { split("benign odd never", name, " ")
               for (k = 2; k <= 4; k++) print name[k - 1], n[k, 1] + 0, n[k, 0] + 0, n[k, -1] + 0, 0.5 }' list.csv |
    cmp - labels || fail 'positives, negatives and not judged'
says 'no positive test images of: never; figures that need them are -'
says 'intervals: by patient (9 patients)'
[ "$(grep -c '^  never *-' log)" -eq 3 ] || fail 'figures of a label that no image has'

# --- figures from the file of predictions -----------------------------------------------------------------------------
[ "$(head -1 held.csv)" = \
    'image,patient,true benign,true odd,true never,predicted,decided_by,benign,odd,never' ] || fail 'heading'
[ "$(wc -l < held.csv)" -eq 19 ] || fail 'not a row for each test image'
cut -d, -f1-5 held.csv | tail -n +2 | sort > got
awk -F, 'NR > 1 { print $1 "," $5 "," $2 "," $3 "," $4 }' list.csv | sort | cmp - got || fail 'names, patients, truth'
awk -F, 'NR > 1 { for (k = 0; k < 3; k++) { t = $(3 + k); yes = $(8 + k) >= 0.5
                  if (t == 1 && yes) tp++; if (t == 0 && yes) fp++; if (t == 1 && !yes) fn++ } }
         END { printf "%.4f %.4f %.4f\n", 2 * tp / (2 * tp + fp + fn), tp + fp ? tp / (tp + fp) : 0, tp / (tp + fn) }' \
    held.csv > want
echo "$(field f1_micro) $(field precision_micro) $(field recall_micro)" | cmp - want || fail 'micro figures'
for name in f1_macro precision_macro recall_macro subset_accuracy map average_precision_micro auroc_micro auroc_macro
do
    [ -n "$(field $name)" ] || fail "no $name"
done
train --data held.csv --table 'label=true benign:true odd:true never' --out again.safetensors
says 'training: 14 images: true benign 7, true odd 6 (3 not judged), true never 0'
refused 'held.csv: exists already' "$bin/finetune" --backbone vit.safetensors --data scans --out x.safetensors \
    --predictions held.csv
refused 'another option of this command names the same file' "$bin/finetune" --backbone vit.safetensors --data scans \
    --out x.safetensors --predictions x.safetensors
train --data scans --test new --out one.safetensors --predictions one.csv
[ "$(head -1 one.csv)" = 'image,true,predicted,benign-like,malignant-like,normal-like' ] ||
    fail 'heading of one label'
tail -n +2 one.csv | awk -F, '{ right += $2 == $3 } END { printf "%.4f\n", right / NR }' > want
field accuracy | cmp - want || fail 'accuracy of the predictions'
train --data one.csv --table label=true --out again.safetensors

# --- predict: labels at or above their thresholds ---------------------------------------------------------------------
several() { "$bin/predict" --backbone vit.safetensors --model multi.safetensors --threads 1 "$@"; }
several --csv scans > plain.csv 2> log
[ "$(head -1 plain.csv)" = 'image,predicted,decided_by,benign,odd,never' ] || fail 'heading of several labels'
# every label of every row, by the thresholds of its own column
cat > decided.awk <<'EOF'
NR > 1 {
    want = ""
    split(thresholds, t, " ")
    for (k = 1; k <= 3; k++) {
        split("benign odd never", name, " ")
        if ($(3 + k) >= t[k]) want = want (want == "" ? "" : "|") name[k]
    }
    if ($2 != want) print FNR, $2, want
}
EOF
awk -F, -v thresholds='0.5 0.5 0.5' -f decided.awk plain.csv > log
[ ! -s log ] || fail 'labels at or above 0.5'
several --csv --threshold odd=0.3,never=0.45 scans > own.csv 2> log
awk -F, -v thresholds='0.5 0.3 0.45' -f decided.awk own.csv > log
[ ! -s log ] || fail 'labels at or above their thresholds'
[ "$(sed -n 2p own.csv | cut -d, -f3)" = 'benign>=0.5|odd>=0.3|never>=0.45' ] || fail 'decided_by'
several --threshold 0 --format jsonl scans 2> log | head -1 > line
grep -qF '"predicted": ["benign", "odd", "never"], "decided_by": "benign>=0|odd>=0|never>=0", "prob' line ||
    fail 'JSON of several labels'
several --threshold 1 scans 2> log | head -1 | grep -q 'png  -  decided_by:benign>=1|odd>=1|never>=1 benign=' || fail 'text without a label'
for wrong in x 0x1p-1 nan; do
    refused "--threshold: '$wrong' is no threshold; expected a decimal number from 0 to 1" several --threshold $wrong scans
done
refused "'' is no threshold" several --threshold 0.3, scans
refused "--threshold: '2' is no" several --threshold odd=0.5,benign=2 scans
refused "no class 'even'" several --threshold even=0.3 scans
refused 'the model has 3 classes' predict --threshold 0.3 scans

# --- semicolons and decimal commas: the same table --------------------------------------------------------------------
several --format csv-semicolon scans > german.csv 2> log
head -c 3 german.csv | od -An -tx1 | grep -q 'ef bb bf' || fail 'no byte order mark'
tail -c +4 german.csv | tr ';,' ',.' | cmp - plain.csv || fail 'semicolons'
cp scans/benign-like/0000.png 'a;b.png'
predict --format csv-semicolon 'a;b.png' | tail -1 | grep -q '^"a;b.png";' || fail 'a name with a semicolon'
(ulimit -f 1; several --format csv-semicolon --out part.csv scans > log 2>&1) && fail 'a full disk was not noticed'
several --format csv-semicolon --out part.csv --resume scans 2> log
cmp part.csv german.csv || fail 'resumed with semicolons'
echo 'labels: figures of several labels, --predictions, --threshold, csv-semicolon'
