#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Names in tables: a class that is named as a column is refused, spreadsheets get no formulas. Sets of images that
# lack a class: a threshold that could not be chosen is called the default, and the balanced accuracy has a warning.
#   columns.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/setup.sh"
train() { "$bin/finetune" --backbone vit.safetensors --method linear --epochs 1 --threads 1 "$@"; }

cp scans/benign-like/0000.png =1+1.png
[ "$(predict --format csv-semicolon =1+1.png | tail -1 | cut -d\; -f1)" = "'=1+1.png" ] || fail 'a formula'
[ "$(predict --format csv =1+1.png | tail -1 | cut -d, -f1)" = '=1+1.png' ] || fail 'a changed name'

for k in 0000 0001 0002 0003; do
    for class in benign malignant; do
        case $k$class in 0003malignant) continue ;; 0003benign) split=test ;; 0002*) split=val ;; *) split=train ;; esac
        echo "scans/$class-like/$k.png,$class,$split"
    done
done > rows
{ echo image,label,split; grep -v 'malignant,val' rows; } > table.csv
train --data table.csv --table val=val,test=test,train=train --stop loss --threshold youden --out lacks.safetensors \
    > log 2>&1 || fail 'sets that lack a class'
grep -q "^thresholds: malignant>=0.5 (the default, as youden could not be chosen on 1 validation" log || fail 'default'
grep -q "^decisions: .* 0.5.* (the default, as youden could not be chosen)" log || fail 'decisions'
grep -q "no judged image is 'malignant': the balanced accuracy is the mean over the other classes" log || fail 'warning'

mv scans/normal-like scans/predicted
refused "a class is named 'predicted', as a column of the table is" train --data scans --out x.safetensors \
    --predictions x.csv
[ ! -e x.safetensors ] || fail 'trained before the refusal'
train --data scans --out m.safetensors --force > log 2>&1 || fail 'training'
refused "a class of the model is named 'predicted', as a column" predict --format csv =1+1.png
predict --format jsonl =1+1.png > log || fail 'jsonl'
