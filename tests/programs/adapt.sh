#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# adapt: every kind adapts on phantoms of another scanner, seeds repeat, wrong options are refused; its tables agree
# with the files of figures and predictions.
#   adapt.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
vit=$(cd "$(dirname "$0")/../../examples/data" && pwd)/vit_cifar10.safetensors
cd "$work"

fail() {
    echo "adapt: $1"
    exit 1
}
refused() {
    message=$1
    shift
    if "$bin/adapt" "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}

"$bin/adapt" --help | grep -q '^usage: adapt'
refused 'required'
"$bin/phantom" --out train --images 8 --side 32 > log
"$bin/phantom" --out shifted --images 6 --side 32 --seed 2 --shift 2 > log
"$bin/finetune" --backbone "$vit" --data train --test shifted --method linear --epochs 2 --out model.safetensors > log
adapt() { "$bin/adapt" --backbone "$vit" --model model.safetensors --data train --test shifted --threads 1 "$@"; }
data="--backbone $vit --model model.safetensors --data train --test shifted"
# shellcheck disable=SC2086  # $data is meant to be split
{
    refused "given 'nothing', expected none, tent" $data --kind 'tent;nothing'
    refused 'expected none or NAME:STRENGTH' $data --corrupt fog:1
    refused 'expected none or NAME:STRENGTH' $data --corrupt contrast:4
    refused 'expected a whole number from 1 to 1000' $data --seeds 0
    refused 'is not an option' $data more
    refused 'lr' $data --kind tent,lr=-1
    refused 'momentum' $data --kind t3a,momentum=0.5
    refused 'another option of this command names the same file' $data --csv same.csv --predictions same.csv
    refused "the folder 'nowhere' does not exist" $data --csv nowhere/figures.csv
}

# Figures are not those of images that the model was trained on, and test images are named.
refused 'all 24 test images are also training images' --backbone "$vit" --model model.safetensors --data train \
    --test train
"$bin/adapt" --backbone "$vit" --model model.safetensors --data train --kind none > part.log 2>&1
grep -q '^adapt: warning: the test images are a part of --data' part.log || fail "no warning of a part of --data"
grep -q '^test: [1-9][0-9]* images: .*; a fifth of every class' part.log || fail "the test images are not named"
"$bin/adapt" --backbone "$vit" --model model.safetensors --data train --kind none --shots 6 > part.log 2>&1
grep -q '^test: 6 images: .*; those that were not drawn' part.log || fail "--shots had no effect"

# Classes are compared by name, never by number.
refused 'no file names the 10 classes of the model.*benign' --backbone "$vit" --data train --test shifted
names=a,b,c,d,e,f,g,h,i
refused 'number of names does not equal' --backbone "$vit" --data train --test shifted --class-names "$names"
refused "the model has no class 'benign-like'" --backbone "$vit" --data train --test shifted --class-names "$names,j"
"$bin/adapt" --backbone "$vit" --data train --test shifted --kind none --preprocess mean=0.5,std=0.5 \
    --class-names "benign-like,malignant-like,normal-like,d,e,f,g,h,i,j" > named.log 2>&1
if grep -q 'warning' named.log; then fail "warns of what was given: $(cat named.log)"; fi

# What has no effect is said.
adapt --kind tent --images 400 > one.log 2>&1
grep -q 'warning: --images 400: there are only 18 test images' one.log || fail "no warning of --images"
grep -q 'warning: --kind tent: the 18 images of a run are one call' one.log || fail "no warning of a single call"
adapt --kind 'tent,batch=8;tent,predict=after' > two.log 2>&1
if grep -q 'one call' two.log; then fail "warns of several calls"; fi

# A predict run that adapts nothing is that of predict.
adapt --kind none --predictions none.csv --csv runs.csv > table
[ "$(wc -l < none.csv)" -eq 37 ] || fail "not 18 predictions of each of two runs"
"$bin/predict" --backbone "$vit" --model model.safetensors --csv shifted/*/*.png > predict.csv
awk -F, 'NR == FNR { if (FNR > 1) said[$1] = $2; next }
    FNR > 1 { n = split($4, part, "/"); bad += said["shifted/" part[n - 1] "/" part[n]] != $6; found++ }
    END { exit bad || found != 36 }' predict.csv none.csv || fail "predictions differ from those of predict"
awk -F, 'FNR > 1 { right += $5 == $6; n++ } END { printf "%.1f\n", 100 * right / n }' none.csv > accuracy
grep -q "^| none | $(cat accuracy) |" table || fail "the table's accuracy is not that of the predictions"
grep -q '^none,1,none,' runs.csv
refused '--csv runs.csv: exists already' $data --csv runs.csv
refused '--predictions none.csv: exists already' $data --predictions none.csv
adapt --kind none --csv runs.csv --force > log

# predict --adapt: on pictures in the same order and calls it predicts what adapt predicted.
predict() { "$bin/predict" --backbone "$vit" --model model.safetensors --csv "$@"; }
adapt --kind tent,batch=8,lr=0.02 --predictions tent.csv > log
awk -F, '$3 ~ /tent/ || $4 ~ /lr=0.02/ { for (i = 1; i <= NF; i++) if ($i ~ /png$/) { n = split($i, part, "/")
    print "shifted/" part[n - 1] "/" part[n] "," $(i + 2) "," $(i + 3) } }' tent.csv > expected
[ "$(wc -l < expected)" -eq 18 ] || fail "not 18 predictions of tent"
# shellcheck disable=SC2046  # the names have no blanks
predict --adapt tent,batch=8,lr=0.02 $(cut -d, -f 1 expected) > all.csv
awk -F, 'NR == FNR { class[$1] = $2; p[$1] = $3; next }
    FNR > 1 { most = $3 > $4 ? $3 : $4; if ($5 > most) most = $5; found++
        bad += class[$1] != $2 || most - p[$1] > 1e-6 || p[$1] - most > 1e-6 }
    END { exit bad || found != 18 }' expected all.csv || fail "predict --adapt differs from adapt"
# In two runs with a state it ends with the same bits.
# shellcheck disable=SC2046
predict --adapt tent,batch=8,lr=0.02 --state tent.state $(head -8 expected | cut -d, -f 1) > first.csv
# shellcheck disable=SC2046
predict --adapt tent,batch=8,lr=0.02 --state tent.state $(tail -10 expected | cut -d, -f 1) | tail -n +2 >> first.csv
cmp all.csv first.csv || fail "a state does not continue the adaptation"
# Training images are asked for where they are needed, and are in the state then.
picture=shifted/benign-like/0000.png
predict_refused() {
    message=$1
    shift
    if predict "$@" > refused.log 2>&1; then fail "predict accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "predict '$*' was refused with $(cat refused.log)"
}
predict_refused '--adapt foa_bp: compares pictures with training images; give --source' --adapt foa_bp $picture
predict --adapt foa_bp --source train --source-images 10 --state foa.state $picture shifted/none.png \
    shifted/normal-like/0000.png > foa.csv 2> foa.log && fail "an unreadable picture gave status 0"
[ "$(wc -l < foa.csv)" -eq 3 ] && grep -q 'none.png' foa.log || fail "the other pictures were not predicted"
predict --adapt foa_bp --state foa.state $picture > foa.csv
predict_refused 'compares pictures with no training images' --adapt t3a --source train $picture
predict_refused "given 'fo', expected tent" --adapt fo $picture
predict_refused 'give --adapt KIND too' --source train $picture
predict_refused '--state tent.state: .*kind' --adapt t3a --state tent.state $picture
predict_refused 'names the same file' --adapt tent --state model.safetensors $picture
predict --adapt tent $picture > log 2> one.log
grep -q 'warning: --adapt tent: the 1 images of a run are one call' one.log || fail "no warning of a single call"

# A session computes a whole batch of 252 for 18 images: that counts as 252 images, not as 14 times the time for each.
for batch in 18 252; do
    adapt --kind none --seeds 1 --corrupt none --batch $batch --csv $batch.csv > log
done
awk -F, 'FNR == 2 { seconds[FILENAME] = $8 }
    END { exit !(seconds["252.csv"] > 0 && seconds["252.csv"] < 5 * seconds["18.csv"]) }' 18.csv 252.csv ||
    fail "seconds an image: $(cut -d, -f 8 18.csv 252.csv | tr '\n' ' ')"

# Every kind: each run has the same bits when it is one of four, and alone.
kinds=$("$bin/adapt" $data --kind nothing 2>&1 | sed 's/.*expected none, //; s/, /;/g') || true
adapt --kind "$kinds" --batch 4 --images 8 --seeds 2 --corrupt contrast:2,gaussian_noise:1 --predictions once.csv > table
adapt --kind "$kinds" --batch 4 --images 8 --seeds 1 --corrupt gaussian_noise:1 --predictions again.csv > log
grep -e '^setting' -e '^gaussian_noise:1,1,' once.csv | cmp - again.csv || fail "equal runs made different predictions"
for kind in $(echo "$kinds" | tr ';' ' '); do
    grep -q "^| $kind | [0-9]" table || fail "the table lacks $kind"
    grep "\"none\"" once.csv | cut -d, -f 7 > before
    grep "\"$kind\"" once.csv | cut -d, -f 7 > after
    if cmp -s before after; then fail "$kind changed no probability"; fi
done
grep -q '^| contrast:2 |' table || fail "the table lacks contrast:2"

# The options of a kind stand whole in the file of predictions, however long they are: here with many zeros at the ends.
zeros=$(printf '%055d' 0)
long="foa_bp,lr=0.005$zeros,momentum=0.9$zeros,lambda=30.0$zeros,shift=true"
adapt --kind "$long" --predictions long.csv > table
[ "$(grep -c "\"$long\"" long.csv)" -eq 18 ] || fail "a long kind is cut off in the file of predictions"
echo "adapt: passed"
