#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Segmentation from masks to masks: phantom, finetune --masks, predict; figures, record, early stopping, and what is
# refused.
#   masks.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

tune() {
    "$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --threads "${threads-1}" --method linear \
        --mask-options classes=tissue:benign:malignant "$@"
}

"$bin/phantom" --out ph --images 8 --side 48 --masks --difficulty 0.3 > log

# The best of three epochs by Dice; figures by class, and the same in the record.
tune --shots 5 --val 0.25 --stop dice --epochs 3 --lr 1e-2 --out m.safetensors --case-figures cases.csv > log 2>&1 ||
    fail 'failed'
grep -q '^masks: 3 classes: tissue, benign, malignant$' log || fail 'the classes are not named'
grep -q '^  validation  dice 0\.[0-9]*' log || fail 'no validation figure'
grep -q '^best epoch: .* by dice ' log || fail 'no best epoch'
grep -q 'resize=squash,crop_pct=1,' log || fail 'the network does not see the whole image'
grep -q '^tissue  *9  *0\.[0-9]*  *0\.[0-9]* to ' log || fail 'no figure of a class'
dice=$(sed -n 's/^test_dice  *//p' log)
recorded=$(sed -n '/"test_figures"/,$s/^ *"dice": \([0-9.e-]*\),$/\1/p' m.safetensors.record.json | head -n 1)
[ "$(printf '%.5f' "$recorded")" = "$dice" ] || fail "the record says $recorded, finetune $dice"
grep -q '"best_by": "dice"' m.safetensors.record.json || fail 'the record does not name the figure'

cp log first.log
# The model card has the figures of the masks' classes, not of those of the images.
"$bin/report" --card m.safetensors --out card.html > log 2>&1 || fail 'no model card'
value=$(printf '%.3f' "$dice")
tr -d '\n' < card.html | grep -q "Dice, mean of classes.*$value.*Surface distance, mean of classes" ||
    fail 'no Dice on the card'
for word in 'Test cases' '<th scope="col">HD95</th>' '<th scope="row">malignant</th>' 'surface distance in pixels' \
        'as if all cases were independent' 'None: classes are those of pixels'; do
    grep -qF -- "$word" card.html || fail "no '$word' on the card"
done

# The file of figures by case: figures follow from the pixels, means are those that are printed, of the cases that have
# a finite value, and the others are counted.
# shellcheck disable=SC2016  # the dollars are awk's
by_case='
function near(a, b) { return a - b < 1e-4 && b - a < 1e-4 }
FNR == NR { if (FNR > 1) rows++
    if (FNR == 1) next
    if ($6 != "" && $7 != "" && !near($7, $6 / (2 - $6))) bad = bad " iou of line " FNR
    if ($8 > 0 && $9 > 0 && !near($6, 2 * $8 * $9 / ($8 + $9))) bad = bad " dice of line " FNR
    if ($8 > 0 && !near($8 * $5, $9 * $4) && $8 * $5 - $9 * $4 > 0.01) bad = bad " pixels of line " FNR
    if ($3 == "tissue") { next }
    for (k = 6; k <= 11; k++) {
        if ($k == "inf") { if (k == 10) infinite++ }
        else if ($k != "") { sum[$3, k] += $k; n[$3, k]++ }
    }
    next
}
/^test_/ { printed[$1] = $2 }
/ infinite distance/ { for (i = 1; i < NF; i++) if ($(i + 1) == "infinite") said = $i }
END {
    split("dice iou precision recall hd95 surface_distance", name, " ")
    for (k = 6; k <= 11; k++) {
        mean = classes = 0
        for (c = 1; c <= 2; c++) {
            class = c == 1 ? "benign" : "malignant"
            if (n[class, k]) { mean += sum[class, k] / n[class, k]; classes++ }
        }
        if (!near(mean / classes, printed["test_" name[k - 5]])) bad = bad " mean " name[k - 5]
    }
    if (rows != 27) bad = bad " rows " rows
    if (said - infinite) bad = bad " infinite distances " said " of " infinite
    if (!infinite) bad = bad " no infinite distance, so that nothing is tested"
    print bad > "bad"
    exit bad != ""
}'
awk -F, "$by_case" cases.csv FS=' ' first.log || fail "figures by case: $(cat bad)"
grep -q '^distances are in pixels: ' first.log || fail 'the unit is not named'
[ "$(sed -n 2p cases.csv | cut -d, -f 12-)" = px,1 ] || fail 'not in pixels'
refused 'cases.csv' tune --out other.safetensors --case-figures cases.csv
# Outputs that are one file, under two spellings, or one that is made beside another.
refused '--out writes the same file, other.safetensors' tune --out other.safetensors --case-figures ./other.safetensors
refused '--out writes the same file, other.safetensors.record.json' tune --out other.safetensors \
    --case-figures ../$(basename "$PWD")/other.safetensors.record.json
refused 'ROW:COLUMN' tune --spacing 1 --out other.safetensors

# Weights by class count the pixels of the masks, and a class without any gives a warning.
tune --out weights.safetensors --epochs 1 --lr 1e-2 --trainer class_weights=balanced > log 2>&1 ||
    fail 'class_weights=balanced'
awk '/^class balance: class_weights / { split($4, w, ","); exit !(w[1] < 0.9 && w[2] > 1.2 && w[3] > 1.2) }' log ||
    fail 'weights are not those of the pixels, most of which are tissue'
! grep -q 'which the model cannot learn' log || fail 'a class that is there is missed'
# Masks are counted once: a run with class weights opens as many mask files as one without.
opened() {
    strace -f -e trace=open,openat -o calls "$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --shots 2 \
        --mask-options classes=tissue:benign:malignant --epochs 1 --method linear --force --out opened.safetensors "$@" \
        > log 2>&1 || fail "with strace: $*"
    grep -c '"ph/masks/.*\.png"' calls
}
if strace -o calls true 2> log; then
    plain=$(opened)
    [ "$plain" -gt 0 ] && [ "$(opened --trainer class_weights=balanced)" = "$plain" ] || fail 'masks are read again for weights'
else
    echo 'masks.sh: no strace, so that reads of masks are not counted'
fi
if "$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --shots 2 --epochs 1 --method linear \
    --mask-options classes=tissue:benign:malignant:never --out never.safetensors > log 2>&1; then :; else fail 'never'; fi
grep -q "no pixel of the training masks is of class 'never'" log || fail 'no warning of a class without pixels'

# Equal commands train equal models, whatever the threads; predict segments with the classes of the masks.
threads=2 tune --shots 5 --val 0.25 --stop dice --epochs 3 --lr 1e-2 --out same.safetensors --spacing 2:2 \
    --case-figures mm.csv > log 2>&1
# With --spacing of 2 mm distances are twice those in pixels, and nothing else changes.
awk -F, '
function twice(a, b) { return b == "" || b == "inf" ? a == b : a - 2 * b < 1e-6 && 2 * b - a < 1e-6 }
FNR == NR { row[FNR] = $0; next }
FNR > 1 { split(row[FNR], px, ",")
    for (k = 1; k <= 9; k++) if ($k != px[k]) exit 1
    if (!twice($10, px[10]) || !twice($11, px[11]) || $12 != "mm" || px[12] != "px") exit 1
}' cases.csv mm.csv || fail 'distances in mm'
grep -q '^test_hd95 .* mm$' log || fail 'no unit of mm'
cmp m.safetensors same.safetensors > log 2>&1 || fail 'another model with two threads'
"$bin/predict" --backbone "$vit" --model m.safetensors --task segment --csv --save-masks masks ph/images > areas.csv \
    2> log || fail 'not segmented'
[ "$(head -n 1 areas.csv)" = 'image,width,height,tissue,benign,malignant' ] || fail 'other classes'
[ "$(cd masks && ls ./*/*)" = "$(cd ph/masks && ls ./*/*)" ] || fail 'masks have other names than those of training'

# The predicted masks are labels of a training in turn, and Dice of a model with its own masks is 1.
"$bin/finetune" --backbone "$vit" --data ph/images --masks masks --mask-options classes=tissue:benign:malignant \
    --model m.safetensors --shots 5 --epochs 1 --lr 1e-12 --threads 1 --preprocess flip=0 --out again.safetensors \
    > log 2>&1 || fail 'not trained on predicted masks'
awk '/^test_dice/ { found = $2 > 0.99 } END { exit !found }' log || fail 'a model does not agree with its own masks'

# Images in one folder, without folders of classes.
mkdir flat flat/images flat/masks
for class in benign malignant; do
    for i in 0 1 2 3; do
        cp ph/images/$class-like/000$i.png flat/images/$class$i.png
        cp ph/masks/$class-like/000$i.png flat/masks/$class$i.png
    done
done
"$bin/finetune" --backbone "$vit" --data flat/images --masks flat/masks --mask-options classes=3 --method linear \
    --epochs 1 --shots 5 --threads 1 --head head=setr_naive,head_width=8 --loss ce --out flat.safetensors > log 2>&1 ||
    fail 'a folder of images without classes'
grep -q '^test_images  *3$' log || fail 'not the images that were not drawn'
"$bin/report" --card flat.safetensors --out flat.html > log 2>&1 || fail 'no card of images without classes'
for card in card flat; do
    if grep -q 'PPV\|unlabelled\|>Files<' $card.html; then fail 'limits of classes of images'; fi
done
grep -q 'Few test images, and so wide intervals: 3\.' flat.html || fail 'few test images are no limit'

refused 'expected ce, focal, dice or ce_dice' tune --trainer loss=bce --out no.safetensors
refused 'expected ce, focal, dice or ce_dice' tune --loss soft_ce --out no.safetensors
refused 'head=seg_linear, setr_naive, setr_pup or seg_mla' tune --head head=patch_linear --out no.safetensors
refused 'for the image' tune --head head=linear --out no.safetensors
refused 'expected dice' tune --val 0.25 --stop accuracy --out no.safetensors
refused 'leave it out' tune --threshold 0.5 --val 0.25 --out no.safetensors
refused '--val 0.2' tune --val folds=3 --out no.safetensors
refused '--balance' tune --balance sampler --out no.safetensors
refused 'give --masks DIR too' "$bin/finetune" --backbone "$vit" --data ph/images --case-figures a.csv
refused 'give --masks DIR if they lie elsewhere' "$bin/finetune" --backbone "$vit" --data ph/images \
    --mask-options classes=3,suffix=_mask
printf 'PK' > masks.zip
refused 'masks are not read from a zip yet' "$bin/finetune" --backbone "$vit" --data ph/images --masks masks.zip \
    --mask-options classes=3
refused '--masks: the path is empty' "$bin/finetune" --backbone "$vit" --data ph/images --masks ''
refused '--test-masks' tune --test-masks ph/masks --out no.safetensors
refused '257 classes, expected at most 256' "$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks \
    --mask-options classes=257 --out no.safetensors
refused '--mask-options' tune --mask-options colours=3 --out no.safetensors
rm ph/masks/normal-like/0007.png
refused '0007' tune --out no.safetensors
