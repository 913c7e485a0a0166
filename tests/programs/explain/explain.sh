#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# explain: files for each picture and kind, of the picture's size; the same bytes again; a broken picture among others;
# nothing is overwritten without --force; what is refused.
#   explain.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/../predict/setup.sh"

"$bin/phantom" --out new --images 2 --side 40 --seed 5 > log
rm new/README.txt
explain() {
    "$bin/explain" --backbone vit.safetensors --model m.safetensors --threads "${threads-1}" "$@"
}

explain --kind rollout,cam,occlusion --blend --out maps new > log 2>&1 || fail 'explain'
[ "$(wc -l < maps/index.csv)" -eq 19 ] || fail 'not a line for each of six pictures and three kinds'
# six pictures with an overlay, values and a blended picture for each kind; index.csv and scale.png
[ "$(find maps -type f | wc -l)" -eq 56 ] || fail 'files in maps'
head -n 1 maps/index.csv | grep -q '^number,picture,kind,class,lowest,highest,rows,columns,left,top,right,bottom,' ||
    fail 'columns of index.csv'
grep -q '^1,new/benign-like/0000.png,rollout,,' maps/index.csv || fail 'a roll-out is of no class'
grep -q '^6,new/normal-like/0001.png,cam,[a-z-]*-like,' maps/index.csv || fail 'no class of cam'
# Width and height of a PNG stand behind its first 16 bytes, bit depth and colour type (6: RGB with alpha) behind them.
header() { od -An -tu1 -j16 -N10 "$1" | tr -s ' '; }
for kind in rollout cam occlusion; do
    [ "$(header "maps/0004-0001_png.$kind.png")" = ' 0 0 0 40 0 0 0 40 8 6' ] || fail "overlay of $kind"
    [ "$(wc -c < "maps/0004-0001_png.$kind.npy")" -eq 192 ] || fail "values of $kind"        # 128 + 16 floats
done
threads=3 explain --kind rollout,cam,occlusion --blend --batch 3 --out again new > log 2>&1 || fail 'explain again'
diff -r maps again > log || fail 'other files by other threads and batches'

# --- where the network looks: with a centre crop of half the side the border is transparent -----------------------------
explain --kind rollout --preprocess size=32,resize=64x64 --out crop new/benign-like/0000.png > log 2>&1 || fail 'crop'
grep -q ',4,4,10,10,30,30,' crop/index.csv || fail 'the box of a centre crop'
[ -s crop/0001-0000_png.rollout.png ] && [ -s maps/0001-0000_png.rollout.png ] || fail 'no overlay of a crop'
if cmp -s crop/0001-0000_png.rollout.png maps/0001-0000_png.rollout.png; then fail 'a crop changes nothing'; fi

# --- broken pictures, and files that exist -------------------------------------------------------------------------------
head -c 100 new/benign-like/0000.png > broken.png
if explain --values csv --kind cam --out some broken.png new/benign-like/0001.png > log 2>&1; then
    fail 'a broken picture is no error'
fi
grep -q 'broken.png' log && grep -q '1 of 2 pictures have no maps' log || fail 'the broken picture is not named'
[ "$(wc -l < some/0002-0001_png.cam.csv)" -eq 4 ] || fail 'values as csv'
# values that cannot be written, as a folder has their name, are an error of their picture alone
for ending in csv npy; do
    mkdir -p "part/0001-0000_png.cam.$ending"
    if explain --values "$ending" --kind cam --force --out part new/benign-like/000?.png > log 2>&1; then
        fail 'a folder in place of values is no error'
    fi
    grep -q '1 of 2 pictures have no maps' log && [ -e "part/0002-0001_png.cam.$ending" ] ||
        fail 'the other picture has no values'
done
refused 'the folder is not empty' explain --out some new
explain --kind cam --force --out some new/benign-like/0001.png > log 2>&1 || fail '--force'
[ -e some/0001-0001_png.cam.npy ] || fail 'files of --force'

refused "'saliency' is no kind of map; expected some of rollout, ept, cam, occlusion" explain --kind saliency --out x new
refused "the model has no class 'cyst'; expected one of benign-like, malignant-like" explain --class cyst --out x new
# a first class whose name is longer than the message's list of names
find scans -name '*.png' | LC_ALL=C sort | awk -v name="$(printf '%0600d' 0)" 'BEGIN { print "path,label" }
    { print $0 "," (NR % 2 ? "other" : name) }' > long.csv
"$bin/finetune" --backbone vit.safetensors --data long.csv --method linear --epochs 1 --out long.safetensors > log 2>&1 ||
    fail 'finetune with a long name of a class'
refused "has no class 'cyst'; expected one of ..., other" "$bin/explain" --backbone vit.safetensors \
    --model long.safetensors --kind cam --class cyst --out x new
refused 'maps of --kind rollout are of no class' explain --kind rollout --class benign-like --out x new
refused 'no kind of --kind cam has this option' explain --kind cam --map-options fuse=max --out x new
refused 'expected mean, max or min' explain --kind rollout --map-options fuse=least --out x new
refused 'expected a model with method ept' explain --kind ept --out x new
for wrong in 2 0x0.8p0 inf nan ' 0.5' ''; do
    refused "--opacity: given '$wrong', expected a decimal number from 0 to 1" explain --opacity "$wrong" --out x new
done
refused 'expected npy or csv' explain --values text --out x new
[ ! -e x ] || fail 'a refused command made a folder'

# --- several labels for an image -----------------------------------------------------------------------------------------
find scans -name '*.png' | LC_ALL=C sort | awk 'BEGIN { print "path,round,large" } { print $0 "," NR % 2 "," NR % 3 % 2 }' > l.csv
"$bin/finetune" --backbone vit.safetensors --data l.csv --method lora --epochs 1 --out m2.safetensors > log 2>&1 ||
    fail 'finetune with several labels'
several() { "$bin/explain" --backbone vit.safetensors --model m2.safetensors "$@"; }
refused 'give --class NAME' several --kind cam --out y new
several --kind cam,occlusion --class large --out y new/benign-like > log 2>&1 || fail 'several labels'
[ "$(grep -c ',large,' y/index.csv)" -eq 4 ] || fail 'class of several labels'
