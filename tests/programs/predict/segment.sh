#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict with a model whose head gives a map: masks, overlays and areas, tiles, resuming, and what is refused.
#   segment.sh FOLDER      FOLDER: of the programs
. "$(dirname "$0")/setup.sh"
pixel() {                                                     # the header of a PNG file: sides, bits, colour type
    od -An -tu1 -j16 -N10 "$1" | tr -s ' '
}

# The head of the same size that gives a class for each patch.
"$bin/finetune" --backbone vit.safetensors --data scans --method linear --head head=linear,head_init=normal:0.1 \
    --epochs 1 --out linear.safetensors > log 2>&1
LC_ALL=C sed 's/head=\\"linear\\",head_init=\\"normal:0.1\\"/head=\\"patch_linear\\",head_init=\\"zero\\"/' \
    linear.safetensors > m.safetensors

# Areas, as CSV and text: they add up to the pictures.
predict --csv scans > areas.csv 2> log
[ "$(head -n 1 areas.csv)" = 'image,width,height,benign-like,malignant-like,normal-like' ] || fail "$(cat areas.csv)"
[ "$(wc -l < areas.csv)" -eq 19 ] || fail 'not a line for each picture'
awk -F, 'NR > 1 && ($2 != 32 || $3 != 32 || $4 + $5 + $6 != 1024) { exit 1 }' areas.csv || fail 'wrong areas'
awk -F, 'NR > 1 { for (k = 4; k <= 6; k++) if ($k > 0 && $k < 1024) some = 1 } END { exit !some }' areas.csv ||
    fail 'all pictures have one class'
predict --task segment --spacing 0.5:2 scans/benign-like/0000.png > log
grep -q '^scans/benign-like/0000.png  32x32  benign-like=[0-9]*([0-9]* mm2) ' log || fail 'no area in mm2'
predict --image-options region=0:0:20:10 scans/benign-like/0000.png > log
grep -q '^scans/benign-like/0000.png  10x20  ' log || fail 'the size is not height x width'

# Masks and overlays of a folder: under its paths, of the size of the pictures, with the pixels that the table counts.
"$bin/phantom" --out large --images 1 --side 75 > log
cp large/benign-like/0000.png scans/benign-like/large.png
predict --save-masks masks --save-overlays overlays --out areas.csv --spacing 0.5:2 --force scans > log 2>&1 ||
    fail 'failed'
[ "$(cd masks && ls -R)" = "$(cd scans && ls -R | grep -v README)" ] || fail 'masks have other names than pictures'
[ "$(pixel masks/benign-like/large.png)" = ' 0 0 0 75 0 0 0 75 8 3' ] || fail 'a mask of another size'
[ "$(pixel overlays/benign-like/large.png)" = ' 0 0 0 75 0 0 0 75 8 2' ] || fail 'an overlay of another size'
awk -F, 'NR > 1 && ($4 + $5 + $6 != $2 * $3 || $7 != $4 || $8 != $5 || $9 != $6) { exit 1 }' areas.csv ||
    fail 'wrong areas in mm2'                                 # a pixel of 0.5 x 2 mm has 1 mm2
head -n 1 areas.csv | grep -q ',normal-like,benign-like mm2,malignant-like mm2,normal-like mm2$' || fail 'columns'

# Threads do not change a byte; tiles differ from the whole, and take the same options as peft_segmenter_create.
threads=3 predict --save-masks masks3 --out areas3.csv --spacing 0.5:2 scans > log 2>&1
diff -r masks masks3 && cmp areas.csv areas3.csv || fail 'threads change the results'
predict --segmenter mode=tiles,overlap=0.25,blend=linear --save-masks tiles scans > log 2>&1
cmp masks/normal-like/0001.png tiles/normal-like/0001.png || fail 'one tile is not the whole picture'
if cmp -s masks/benign-like/large.png tiles/benign-like/large.png; then fail 'tiles are not used'; fi

# A run that was killed goes on: its lines stay, what is missing is predicted, and the results are those of one run.
"$bin/phantom" --out slow --images 3 --side 75 > log
tiled() {
    predict --segmenter mode=tiles,overlap=0.9 "$@" slow/*-like > log 2>&1
}
tiled --save-masks once --out once.csv
"$bin/predict" --backbone vit.safetensors --model m.safetensors --threads 1 --segmenter mode=tiles,overlap=0.9 \
    --save-masks twice --out twice.csv slow/*-like > log 2>&1 &
process=$!
until [ -e twice.csv ] || { [ -e twice.csv.part ] && [ "$(wc -l < twice.csv.part)" -gt 4 ]; }; do sleep 0.01; done
kill -9 $process
wait $process || true
[ ! -e twice.csv ] && [ -e twice.csv.part ] || fail 'the run was over before it was killed'
[ "$(find twice -name '*.png' | wc -l)" -lt 9 ] || fail 'the killed run wrote all masks'
if predict --segmenter mode=tiles --out twice.csv --resume slow/*-like > log 2>&1; then fail 'other options'; fi
tiled --save-masks twice --out twice.csv --resume || fail 'not resumed'
cmp once.csv twice.csv && diff -r once twice || fail 'a resumed run has other results'

predict --csv scans/benign-like scans/no-such.png > some.csv 2> log && fail 'no error'
grep -q '1 of 8 pictures could not be predicted' log || fail 'a missing picture is not counted'

# JSON lines.
predict --format jsonl --spacing 1:1 scans/benign-like/0000.png > log
grep -q '^{"image": "scans/benign-like/0000.png", "width": 32, "height": 32, "pixels": {"benign-like": ' log || fail json
grep -q ', "mm2": {"benign-like": [0-9]*, "malignant-like": [0-9]*, "normal-like": [0-9]*}}$' log || fail json

refused 'exists' predict --save-masks masks scans
predict --save-masks masks --force scans > log 2>&1 || fail '--force does not replace masks'
cp scans/benign-like/0000.png scans/benign-like/0000.jpg
refused 'would both have the file two/0000.png' predict --save-masks two scans/benign-like/0000.png \
    scans/benign-like/0000.jpg
refused 'give another one' predict --save-masks two --save-overlays two scans
refused 'ROW:COLUMN' predict --spacing 0.5 scans
refused 'ROW:COLUMN' predict --spacing 0.5:-1 scans
refused '--segmenter: ' predict --segmenter mode=half scans
refused 'leave it out' predict --threshold 0.5 scans
refused 'expected classify or segment' predict --task detect scans
refused 'leave --task out' predict --task classify scans
refused 'one class for the picture' "$bin/predict" --backbone vit.safetensors --model linear.safetensors \
    --task segment scans
refused 'leave it out' "$bin/predict" --backbone vit.safetensors --model linear.safetensors --save-masks two scans
[ ! -e two ] || fail 'a refused command left a folder'
