#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict --adapt with a model that segments: it adapts picture by picture, or to tiles, a state goes on, and what a
# kind cannot do is refused.
#   adapt.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

predict() {
    "$bin/predict" --backbone "$vit" --model m.safetensors --threads "${threads-1}" "$@"
}

# The head has batch norms, which vptta aligns as published.
"$bin/phantom" --out ph --images 6 --side 32 --masks > log
rm -r ph/images/normal-like ph/masks/normal-like
"$bin/phantom" --out other --images 2 --side 40 --shift 2 --seed 2 > log
"$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --threads 1 --method linear --lr 1e-2 \
    --epochs 10 --batch 4 --mask-options classes=tissue:benign:malignant --head head=setr_naive,head_width=16 \
    --loss ce --trainer 'class_weights="0.05,1,1"' --out m.safetensors > log 2>&1 || fail 'not trained'
predict --csv --save-masks plain other > plain.csv 2> log || fail 'not segmented'

# Each kind changes the results, and equal runs agree, whatever the threads.
for kind in vptta,align=batch_norm tent,lr=0.5; do
    predict --adapt $kind --csv --save-masks one other > one.csv 2> log || fail "$kind"
    if cmp -s plain.csv one.csv; then fail "$kind changes no area"; fi
    threads=2 predict --adapt $kind --csv --save-masks two other > two.csv 2> log || fail "$kind"
    cmp one.csv two.csv && diff -r one two || fail "$kind: threads change the results"
    [ "$(head -n 1 one.csv)" = 'image,width,height,tissue,benign,malignant' ] || fail 'other columns'
    rm -r one two
done

# Tent predicts before its update, so the first picture has the mask of the model as it is. A state goes on.
first=other/benign-like/0000.png
[ "$(grep -F "$first" one.csv)" = "$(grep -F "$first" plain.csv)" ] || fail 'tent changes the first picture'
sed 1d one.csv | cut -d, -f 1 > names
# shellcheck disable=SC2046  # the names have no blanks
predict --adapt tent,lr=0.5 --state tent.state --csv $(head -n 3 names) > parts.csv 2> log || fail 'no state'
# shellcheck disable=SC2046
predict --adapt tent,lr=0.5 --state tent.state --csv $(tail -n 3 names) 2> log | sed 1d >> parts.csv
cmp one.csv parts.csv || fail 'a state does not go on'

# Statistics of training images are asked for, and taken from a folder without classes. Tiles are calls of --batch.
refused '--adapt vptta: compares pictures with training images; give --source' predict --adapt vptta other
predict --adapt vptta --source ph/images/benign-like --state v.state $first > log 2>&1 || fail 'no statistics'
predict --adapt vptta --state v.state $first > log 2>&1 || fail 'the state has no statistics'
predict --adapt tent,lr=0.5 --batch 2 --segmenter mode=tiles --csv other > tiles.csv 2> log || fail 'no tiles'
predict --segmenter mode=tiles --csv other > plain_tiles.csv 2> log
if cmp -s tiles.csv plain_tiles.csv; then fail 'tiles do not adapt'; fi

refused 'whole pictures are segmented one by one' predict --adapt tent --batch 4 other
refused 'whole pictures are segmented one by one' predict --adapt tent,batch=4 other
refused 'kind=t3a: the model' predict --adapt t3a other
refused 'kind=foa ' predict --adapt foa other
refused 'give --adapt KIND,compute=bf16' predict --adapt tent --compute bf16 other
refused 'predict --adapt KIND' "$bin/adapt" --backbone "$vit" --model m.safetensors --data ph/images --test other
predict --adapt tent $first > log 2>&1
grep -q 'the 1 images of a run are one call' log || fail 'no warning of a call that changes nothing'
