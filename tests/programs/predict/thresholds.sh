#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Thresholds and prediction sets that finetune finds on validation images, and by which predict decides: they are those
# that this script finds from the probabilities of predict.
#   thresholds.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/setup.sh"

rm -r scans/normal-like
for seed in 2 3 4; do
    "$bin/phantom" --out set$seed --images 12 --side 32 --seed $seed > log
    rm -r set$seed/normal-like
done
train() {
    "$bin/finetune" --backbone vit.safetensors --data set2 --val set3 --method linear --epochs 2 --lr 0.02 --force "$@" \
        > log 2>&1 || fail "finetune $*"
}
table() { "$bin/predict" --backbone vit.safetensors --threads 1 --format csv --model "$@" 2> /dev/null; }

# --- the threshold with the largest Youden index among the probabilities of the validation images -----------------------
train --test set4 --out plain.safetensors
table plain.safetensors set3 > val.csv
[ "$(head -1 val.csv)" = 'image,predicted,benign-like,malignant-like' ] || fail 'heading without thresholds'
train --test set4 --out youden.safetensors --threshold youden --predictions test.csv
grep -q '"decision": "rule youden.u000aset 24 validation images' youden.safetensors.record.json || fail 'record'
awk -F, 'NR > 1 { p[NR] = $4; y[NR] = $1 ~ /malignant/; sum[y[NR]]++ }
         END { for (k in p) { hit[0] = hit[1] = 0
                   for (i in p) if (p[i] >= p[k]) hit[y[i]]++
                   j = hit[1] / sum[1] - hit[0] / sum[0]
                   if (j > best + 1e-12 || (j > best - 1e-12 && p[k] > t)) { best = j; t = p[k] } }
               print "malignant-like>=" t }' OFMT=%.9g CONVFMT=%.9g val.csv > want
table youden.safetensors set4 > new.csv
[ "$(head -1 new.csv)" = 'image,predicted,decided_by,benign-like,malignant-like' ] || fail 'heading'
cut -d, -f3 new.csv | sed -n 2p | cmp - want || fail "threshold: $(sed -n 2p new.csv), expected $(cat want)"
awk -F'[,=]' 'NR > 1 && ($2 == "malignant-like") != ($NF >= $4)' new.csv > log
[ ! -s log ] || fail 'predict does not decide by the threshold'
tail -n +2 new.csv | cut -d, -f1,2 | sort > decisions
tail -n +2 test.csv | cut -d, -f1,3 | sort | cmp - decisions || fail 'finetune and predict decide otherwise'
# other test images: the same threshold
train --test scans --out other.safetensors --threshold youden
table other.safetensors set4 | cmp - new.csv || fail 'test images take part in the choice'
# figures are those of the decisions
train --test set4 --out rate.safetensors --threshold specificity=0.9 --positive benign-like --predictions test.csv
awk -F, 'NR > 1 { n[$2]++; right[$2] += $2 == $3 }
         END { printf "  benign-like %.4f %.4f\n", right["benign-like"] / n["benign-like"],
               right["malignant-like"] / n["malignant-like"] }' test.csv > want
sed -n '/sensitivity \[95/{n;p;}' log | sed 's/\[[^]]*\]//g' | awk '{ print "  " $1, $3, $4 }' | cmp - want ||
    fail 'sensitivity and specificity at the threshold'
grep -q '^decisions: benign-like where its probability is at least .* (specificity=0.9, chosen on 24 valid' log ||
    fail 'the line of decisions'
train --test set4 --out fixed.safetensors --threshold 0.3
[ "$(table fixed.safetensors set4 | sed -n 2p | cut -d, -f3)" = 'malignant-like>=0.3' ] || fail 'a number'
plain() { "$bin/predict" --backbone vit.safetensors --threads 1 --model "$@" 2> /dev/null; }
plain fixed.safetensors set4 > text
[ "$(grep -c '[a-z]  decided_by:malignant-like>=0.3 benign-like=' text)" -eq 24 ] || fail "text: $(head -n 1 text)"
if plain plain.safetensors set4 | grep decided_by; then fail 'no threshold decides'; fi
# a number is of single images as well, and of the model as it was trained
find set4 -name '*.png' | LC_ALL=C sort | awk 'BEGIN { print "path,study" } { print $0 ",s" NR % 3 }' > cases.csv
for flag in '--per-case mean --data cases.csv --table study=study,labels=none' '--adapt tent set4'; do
    # shellcheck disable=SC2086  # flags and their values
    "$bin/predict" --backbone vit.safetensors --model fixed.safetensors --format csv $flag > case.csv 2> log || fail "predict $flag"
    grep -qF "the model's thresholds were chosen for" log && grep -qF 'give --threshold NAME=VALUE' log ||
        fail "no warning of $flag"
    if grep -q decided_by case.csv; then fail "the stored threshold decides with $flag"; fi
done
"$bin/merge" --backbone vit.safetensors --model fixed.safetensors --out fixed-merged.safetensors > log 2>&1 || fail merge
grep -qF 'its thresholds and prediction sets are not kept' log || fail 'merge drops a number without a word'
by() { "$bin/predict" --backbone vit.safetensors --model plain.safetensors set4 --threshold "$1"; }
refused "--threshold: given '', expected a number from 0 to 1, or NAME=0.3,..." by ''
refused "given 'benign-like=0.3,malignant-like=0.5', expected one threshold" by benign-like=0.3,malignant-like=0.5
refused "given 'benign-like=0.3,', expected one threshold" by benign-like=0.3,

# --- prediction sets: the rank ceil(25 * 0.9) = 23 of 1 - p of the classes of the 24 validation images ------------------
train --test set4 --out sets.safetensors --conformal 0.9 --predictions test.csv
awk -F, 'NR > 1 { print 1 - ($1 ~ /malignant/ ? $4 : $3) }' OFMT=%.12g val.csv | sort -g | sed -n 23p > quantile
table sets.safetensors set4 > sets.csv
[ "$(head -1 sets.csv)" = 'image,predicted,set_90,benign-like,malignant-like' ] || fail 'heading of sets'
awk -F, -v q="$(cat quantile)" 'NR > 1 {
    set = 1 - $4 <= q + 1e-7 ? "benign-like" : ""
    if (1 - $5 <= q + 1e-7) set = set (set == "" ? "" : "|") "malignant-like"
    if (set == "") set = $2                                   # never empty
    if (set != $3) print $1, $3, set }' sets.csv > wrong
[ ! -s wrong ] || fail "sets: $(head -3 wrong)"
tail -n +2 sets.csv | cut -d, -f1,3 | sort > decisions
tail -n +2 test.csv | cut -d, -f1,4 | sort | cmp - decisions || fail 'finetune and predict give other sets'
awk -F, 'NR > 1 { hit += index("|" $4 "|", "|" $2 "|") > 0 } END { printf "%.4f\n", hit / (NR - 1) }' test.csv > want
awk '$1 == "set_coverage" { print $2 }' log | cmp - want || fail 'coverage of the test images'
train --test set4 --out both.safetensors --conformal 0.8,class --threshold f1
table both.safetensors set4 > both.csv
[ "$(head -1 both.csv)" = 'image,predicted,decided_by,set_80,benign-like,malignant-like' ] || fail 'both'
"$bin/predict" --backbone vit.safetensors --model both.safetensors --format jsonl set4 2> log | head -1 |
    grep -q '"decided_by": "malignant-like>=0.*", "set_80": \[".*\], "probabilities"' || fail 'JSON'

# --- a training without them empties the notes --------------------
"$bin/predict" --backbone vit.safetensors --model both.safetensors --out t.csv set4 2> log
cmp t.csv both.csv
again() {
    "$bin/finetune" --backbone vit.safetensors --data set2 --test set4 --model both.safetensors --epochs 1 \
        --out again.safetensors --force "$@" > log 2>&1
}
again || fail 'training further'
[ "$(table again.safetensors set4 | head -1)" = 'image,predicted,benign-like,malignant-like' ] || fail 'old notes'
"$bin/merge" --backbone vit.safetensors --model both.safetensors --out merged.safetensors > log 2>&1 || fail merge
grep -qF 'its thresholds and prediction sets are not kept' log || fail 'merge does not say what is lost'

# --- folds: the threshold is chosen on all training images -------------------------------------------------------------
"$bin/finetune" --backbone vit.safetensors --data set2 --test set4 --val folds=3 --method linear --epochs 1 \
    --threshold youden --out folds.safetensors > log 2>&1 || fail folds
grep -q '^thresholds: malignant-like>=.* chosen on 24 training images, each out of its fold' log || fail 'folds'
table folds.safetensors set4 | sed -n 2p | grep -q ',malignant-like>=0' || fail 'the threshold of the folds'

# --- what cannot be chosen ----------------------------------------------------------------------------------------------
asks() { "$bin/finetune" --backbone vit.safetensors --data set2 --test set4 --out x.safetensors "$@"; }
refused 'give --val 0.2, a share of the training images, or --val PATH too' asks --threshold youden
refused 'give --val 0.2, a share of the training images, or --val PATH too' asks --conformal 0.9
refused "given 'yuoden', expected youden, f1, sensitivity=SHARE" asks --threshold yuoden --val set3
refused "given 'sensitivity=2'" asks --threshold sensitivity=2 --val set3
refused "given '0x1p-1', expected youden" asks --threshold 0x1p-1 --val set3
refused "given 'sensitivity=0x1p-1'" asks --threshold sensitivity=0x1p-1 --val set3
refused "given '0x1p-1,class', expected a coverage between 0 and 1" asks --conformal 0x1p-1,class --val set3
refused 'the models of --val folds are others' asks --conformal 0.9 --val folds=3
refused 'leave --stop out' asks --conformal 0.9 --val set3 --stop loss
refused 'takes at least 99 validation images' asks --conformal 0.99 --val set3
refused "given '90', expected a coverage between 0 and 1" asks --conformal 90 --val set3
refused "there is no class 'x'; expected 'benign-like' or 'malignant-like'" asks --threshold 0.5 --positive x
refused 'give --threshold too' asks --positive benign-like
refused 'leave --per-case out' asks --threshold 0.5 --per-case mean
[ ! -e x.safetensors ] || fail 'a refused run has written a model'
echo 'thresholds: chosen on validation images, kept in the model, and read by predict; prediction sets'
