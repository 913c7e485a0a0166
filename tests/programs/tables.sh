#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tables of labels in the programs: one table with a split column serves training and test; patients stay apart, and
# patients in both sets are refused; predictions of cases.
#   tables.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "tables.sh: $*"
    cat log
    exit 1
}
says() { grep -qF -- "$1" log || fail "no '$1'"; }
refused() {
    words=$1
    shift
    if "$@" > log 2>&1; then fail "was accepted: $*"; fi
    says "$words"
}
runs() { "$@" > log 2>&1 || fail "failed: $*"; }
finetune() {
    "$bin/finetune" --backbone "$vit" --method linear --epochs 1 --threads 1 --force --out m.safetensors "$@"
}

"$bin/phantom" --out scans --images 12 --side 32 > log
# Twelve pictures of each of three classes: two of each patient, who is a case too. In split.csv whole patients are in a
# split, in leak.csv the pictures of a patient are in two.
awk 'BEGIN {
    split("benign-like malignant-like normal-like", class, " ")
    for (table = 0; table < 2; table++) {
        file = table ? "leak.csv" : "split.csv"
        print "image;diagnosis;patient;study;split" > file
        for (n = 0; n < 36; n++) {
            patient = int(n / 2)
            part = (table ? n : patient) % 3 == 2 ? "test" : "train"
            name = class[int(n / 12) + 1]
            printf "%s/%04d.png;%s;P%d;S%d;%s\n", name, n % 12, name, patient, patient, part > file
        }
    }
}'
for table in split.csv leak.csv; do mv "$table" scans; done

runs finetune --data scans/split.csv
says 'training: 24 images: benign-like 8, malignant-like 8, normal-like 8'
says "test: 12 images: benign-like 4, malignant-like 4, normal-like 4; the split 'test'"
says 'patients: 18, none in two splits (12 in training, 6 in the test)'
says 'intervals: by patient (6 patients): of auroc after DeLong and Obuchowski'
cp log known.log
# All test images of one patient: figures without an interval, and the reason.
awk -F';' -v OFS=';' '$5 == "test" { $3 = "P2" } { print }' scans/split.csv > scans/lone.csv
runs finetune --data scans/lone.csv
says 'intervals: by patient (1 patients)'
grep -qE "^  [a-z]+-like .* 0\\.[0-9]+ +[0-9]" log || fail 'a figure of one patient has an interval'
says "a figure without an interval is the same in all resamples, or is of one patient's images"
cp known.log log
# Predictive values are those of the confusion matrix: right decisions for a class of all for it.
awk '/^confusion matrix/ { rows = 3; next }
     rows > 0 { rows--; name[3 - rows] = $1; for (k = 1; k <= 3; k++) m[3 - rows, k] = $(k + 1) }
     /^class .*ppv/ { values = 3; next }
     values > 0 {
         values--
         c = 3 - values
         all = m[1, c] + m[2, c] + m[3, c]
         want = all ? sprintf("%.4f", m[c, c] / all) : "-"
         if ($1 != name[c] || $2 != want) { print "ppv of " name[c] ": " $2 ", expected " want; bad = 1 }
         checked++
     }
     END { exit bad || checked != 3 }' log || fail 'predictive values differ from the confusion matrix'
cp m.safetensors kept.safetensors
refused '12 patients have both training and test images, such as' finetune --data scans/leak.csv
says "give --table split=none to draw a split that keeps patients together, or give --allow-shared-patients"
runs finetune --data scans/leak.csv --allow-shared-patients
says 'patients: 18, 12 in two splits: the metrics do not hold for new patients'
refused '6 patients have both' finetune --data scans/split.csv --test scans/leak.csv --table test=none,val=test,train=train

# Without the column the split keeps patients together, and so does the rest of a few-shot draw.
runs finetune --data scans/split.csv --table split=none
says 'none in two splits'
runs finetune --data scans/split.csv --table split=none --shots 3
says 'training: 9 images'
says 'none in two splits'
runs finetune --data scans/split.csv --table patient=none,study=none
if grep -q 'intervals: by patient' log; then fail 'patients are not known, but intervals are by patient'; fi
says "patients: not known; where a patient has several images, give --patients PATTERN"
refused "option 'lable'; did you mean 'label'?" finetune --data scans/split.csv --table lable=diagnosis
says 'inspect --table lists the settings'
refused "option label=dx names no column; the columns are 'image', 'diagnosis'" finetune --data scans/split.csv --table label=dx
refused '--table: scans is no table' finetune --data scans --table label=dx
"$bin/inspect" --table > log
says '    onehot '

# A warning of the table stands once, though the table is read for each split; so does that of a test of one class.
sed '1s/patient;study/MRN;note/' scans/split.csv > scans/mrn.csv
runs finetune --data scans/mrn.csv
says "--table 'patient=MRN'"
[ "$(grep -c 'no column of patients is known' log)" = 1 ] || fail 'one warning of MRN'
awk -F';' -v OFS=';' 'NR > 1 { $5 = $2 == "benign-like" && NR % 2 ? "test" : "train" } { print }' scans/split.csv > scans/one.csv
runs finetune --data scans/one.csv --table patient=none,study=none
says "warning: all test images are of class 'benign-like': AUROC, specificity of this class"
awk -F';' -v OFS=';' '{ $3 = ""; $4 = NR == 1 ? "mass;sex" : (NR % 2) ";" (NR % 3 != 0) } { print $1, $4, $5 }' scans/split.csv \
    > scans/sex.csv
awk -F';' -v OFS=';' 'NR > 1 { $3 = $4 == "test" ? 1 : $3 } { print }' scans/sex.csv > scans/all.csv
runs finetune --data scans/all.csv
says "the 2 columns of 0 and 1 'mass', 'sex'"
says "judged test images have the label 'sex': its AUROC does not exist"

# Patients by names: the first three digits.
rm -rf folder
cp -r scans folder
rm folder/*.csv folder/README.txt
refused 'no name matches' finetune --data folder --patients '(person*)_*'
refused 'one pair of parentheses' finetune --data folder --patients 'person'
runs finetune --data folder --patients '(*/???)*.png'
says 'patients: 6, none in two splits'

# Cases.
runs finetune --data scans/split.csv --per-case mean
says 'cases: mean of the probabilities of their images'
awk '$1 == "test_images" || $1 == "test_cases" { printf "%s %s ", $1, $2 }' log > counts
[ "$(cat counts)" = 'test_images 12 test_cases 6 ' ] || fail 'images and cases'
refused '--per-case: given' finetune --data scans/split.csv --per-case median
refused 'no cases' finetune --data folder --per-case max
"$bin/predict" --backbone "$vit" --model kept.safetensors --data scans/split.csv --split test --csv > images.csv
"$bin/predict" --backbone "$vit" --model kept.safetensors --data scans/split.csv --split test --csv --per-case mean \
    > mean.csv
"$bin/predict" --backbone "$vit" --model kept.safetensors --data scans/split.csv --split test --csv --per-case max \
    > max.csv
[ "$(wc -l < images.csv) $(wc -l < mean.csv) $(wc -l < max.csv)" = '13 7 7' ] || fail 'lines of predictions'
head -1 mean.csv | grep -q '^case,slices,failed,predicted,benign-like' || fail 'the heading of cases'
# The two pictures of a case follow each other: their mean, and their maximum over the sum of maxima.
awk -F, 'FILENAME == "images.csv" { for (k = 3; k <= 5; k++) p[FNR, k + 2] = $k; next }
    FNR > 1 {
        a = 2 * FNR - 2; b = a + 1; sum = 0
        for (k = 5; k <= 7; k++) { top[k] = p[a, k] > p[b, k] ? p[a, k] : p[b, k]; sum += top[k] }
        if ($2 != 2 || $3 != 0) { print FILENAME, FNR, "slices", $2, $3; bad = 1 }
        for (k = 5; k <= 7; k++) {
            want = FILENAME == "mean.csv" ? (p[a, k] + p[b, k]) / 2 : top[k] / sum
            if ($k - want > 1e-6 || want - $k > 1e-6) { print FILENAME, FNR, $k, want; bad = 1 }
        }
    }
    END { exit bad }' images.csv mean.csv max.csv > log || fail 'figures of cases'
# Broken pictures of a case: one of two, and both. The lines say so in each format, and the figures are of the others.
rm -rf broken
cp -r scans broken
by_case() {
    "$bin/predict" --backbone "$vit" --model kept.safetensors --data broken/split.csv --split test --per-case mean "$@"
}
for name in benign-like/0004 benign-like/0010 benign-like/0011; do echo broken > "broken/$name.png"; done
for format in csv jsonl text; do
    if by_case --format $format > incomplete.$format 2> log; then fail 'broken pictures, and status 0'; fi
    says "case 'S2': 1 of 2 slices could not be predicted; its line is of the others alone"
    says "case 'S5': none of its slices could be predicted (2); its line has no probabilities"
done
kept=$(awk -F, '$1 ~ /0005.png/ { print $2 "," $3 "," $4 "," $5; exit }' images.csv)
grep -qxF "S2,1,1,$kept" incomplete.csv || fail 'the line of the picture that is left'
grep -qx 'S5,0,2,,,,' incomplete.csv || fail 'a case without a prediction'
grep -q '^{"case": "S2", "slices": 1, "failed": 1, "predicted": "' incomplete.jsonl || fail 'JSON of an incomplete case'
grep -qxF '{"case": "S5", "slices": 0, "failed": 2, "predicted": null, "probabilities": null}' incomplete.jsonl ||
    fail 'JSON of a case without a prediction'
grep -q '^S2  slices=1 failed=1  ' incomplete.text || fail 'text of an incomplete case'
grep -qx 'S5  slices=0 failed=2  -' incomplete.text || fail 'text of a case without a prediction'
grep -q '^S8  slices=2  [a-z]' incomplete.text || fail 'text of a complete case'
# Attention over slices: finetune writes it beside the model, predict has the same figures and says which slice counts.
rm -rf m.safetensors.cases
runs finetune --data scans/split.csv --per-case attention --case-options hidden=16,epochs=100
says 'attention trained on 12 cases of 24 images'
says 'cases: attention over the features of their images'
awk '$1 == "cases:" { cases = 1 } cases && $1 == "accuracy" { print $2 }' log > of_finetune
cp m.safetensors.cases one.cases
runs "$bin/finetune" --backbone "$vit" --method linear --epochs 1 --threads 2 --force --out m.safetensors \
    --data scans/split.csv --per-case attention --case-options hidden=16,epochs=100
cmp m.safetensors.cases one.cases || fail 'the attention depends on the number of threads'
attend() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --data "$1/split.csv" --split test --per-case attention \
        --format "$2"
}
attend scans csv > attended.csv
[ "$(head -1 attended.csv)" = 'case,slices,failed,slice,weight,predicted,benign-like,malignant-like,normal-like' ] ||
    fail 'the heading of attention'
awk -F, 'FNR > 1 { n++; right += index($4, $6) > 0; if ($2 != 2 || $3 || $5 < 0.5 || $5 > 1) bad = 1 }
    END { printf "%.4f\n", right / n; exit bad || n != 6 }' attended.csv > of_predict || fail 'lines of attention'
cmp of_finetune of_predict || fail 'predict and finetune attend differently'
attend scans jsonl > attended.jsonl
sed 's/.*"weights": {"[^"]*": \([0-9.]*\), "[^"]*": \([0-9.]*\)}.*/\1 \2/' attended.jsonl |
    awk '{ if ($1 + $2 < 0.999999 || $1 + $2 > 1.000001) bad = 1 } END { exit bad || NR != 6 }' || fail 'sums of weights'
if attend broken csv > attended.csv 2> log; then fail 'broken pictures, and status 0'; fi
grep -q '^S2,1,1,broken/benign-like/0005.png,1,' attended.csv || fail 'attention to the slice that is left'
grep -qx 'S5,0,2,,,,,,' attended.csv || fail 'attention to no slice'
cp one.cases kept.safetensors.cases
runs finetune --data scans/split.csv --seed 2
mv one.cases m.safetensors.cases
refused 'was trained on the features of another model' attend scans csv
rm m.safetensors.cases
refused 'm.safetensors.cases: ' attend scans csv
refused 'with --per-case attention leave it out' finetune --data scans/split.csv --per-case attention --shots 3
refused "unknown option 'hiden'" finetune --data scans/split.csv --per-case attention --case-options hiden=4
refused 'is for --per-case attention' finetune --data scans/split.csv --per-case mean --case-options hidden=4

# compare, report and adapt judge cases; a case with images of two labels is named.
printf 'linear: --method linear --epochs 1\n' > list.txt
compare() {
    "$bin/compare" --backbone "$vit" --methods list.txt --samplings 1 --runs 1 --jobs 1 --shots 0 --force "$@"
}
runs finetune --data scans/split.csv --per-case max
awk '$1 == "cases:" { cases = 1 } cases && $1 == "balanced_accuracy" { print $2 }' log > of_finetune
runs compare --data scans/split.csv --per-case max --records case_records --judge-every 1
says 'metrics are of cases: maximum of the probabilities of their images'
awk -F, 'NR == 2 { if ($7 != 6) exit 1; printf "%.4f\n", $9 }' compare.csv > of_compare || fail 'the number of cases'
cmp of_finetune of_compare || fail 'compare and finetune judge cases differently'
grep -q ' per_case=max ' compare.csv || fail 'the rule in the settings'
runs "$bin/report" --out page.html case_records
for words in '12 held-out images per run, of 6 cases; all results are of cases, by the rule max' 'Single cases' \
    'Predictions for held-out cases' 'Of each case the first image is shown' '<dt>case</dt><dd class="name">S2</dd>'; do
    grep -qF "$words" page.html || fail "the page does not say '$words'"
done
refused 'with --per-case leave it out' compare --data scans/split.csv --per-case mean --test-per-class 2
refused 'with --per-case leave it out' compare --data scans/split.csv --per-case mean --analysis --records other
refused 'no cases' compare --data folder --per-case mean
refused 'with --per-case leave it out' finetune --data scans/split.csv --per-case mean --test-per-class 2
refused "given 'attention', expected mean or max" compare --data scans/split.csv --per-case attention
adapt() { "$bin/adapt" --backbone "$vit" --model kept.safetensors --threads 1 --kind none "$@"; }
runs adapt --data scans/split.csv --per-case max --predictions adapted.csv --force
says 'Accuracy and ECE are of cases: maximum of the probabilities of their images'
awk -F, 'FILENAME == "max.csv" { if (FNR > 1) class[$1] = $4; next }
    FNR == 1 { bad = $0 != "setting,seed,adaptation,case,slices,class,predicted,probability"; next }
    { bad = bad || class[$4] != $7 || $5 != 2; n++ }
    END { exit bad || n != 12 }' max.csv adapted.csv || fail 'predictions of cases by adapt'
awk -F, 'FNR > 1 && $6 == $7 { right++ } END { printf "| none | %.1f |\n", 100 * right / 12 }' adapted.csv > row
says "$(cat row)"
refused 'with --per-case leave it out' adapt --data scans/split.csv --per-case mean --images 4
sed 's/^normal-like\/0000.png;.*/normal-like\/0000.png;normal-like;P2;S2;test/' scans/split.csv > scans/two.csv
for program in finetune compare adapt; do
    refused "case 'S2' has test images of different labels (scans/benign-like/0004.png, scans/normal-like/0000.png)" \
        $program --data scans/two.csv --per-case mean
done
"$bin/predict" --backbone "$vit" --model kept.safetensors scans/*/0002.png > log
refused 'leave' "$bin/predict" --backbone "$vit" --model kept.safetensors --data scans/split.csv scans/normal-like/0002.png
refused 'are for --data' "$bin/predict" --backbone "$vit" --model kept.safetensors --split test scans/normal-like/0002.png
printf 'image\nnormal-like/0001.png\nbenign-like/0001.png\n' > scans/new.csv
"$bin/predict" --backbone "$vit" --model kept.safetensors --data scans/new.csv --table labels=none > log
[ "$(wc -l < log)" = 2 ] || fail 'a table without labels'

# compare keeps the settings of the table for report.
runs "$bin/compare" --backbone "$vit" --data scans/split.csv --table split=none --methods list.txt --shots 2 \
    --samplings 1 --runs 1 --jobs 1 --records records --force
runs "$bin/report" --out page.html --force records
grep -q '^table,split=none$' records/study.csv || fail 'the table in study.csv'
echo 'tables.sh: one table serves training and test; patients stay apart; cases are aggregated'
