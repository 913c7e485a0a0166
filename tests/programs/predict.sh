#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict: pictures from folders, zips and lists; formats of the table; broken pictures among others; a table in a file,
# which a stopped run leaves in FILE.part and --resume completes with the same bytes.
#   predict.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/predict/setup.sh"

"$bin/phantom" --out new --images 8 --side 32 --seed 5 > log
rm new/README.txt

# --- where pictures come from: the same lines, but for the names -------------------------------------------------------
find new -name '*.png' | LC_ALL=C sort > list.txt
# shellcheck disable=SC2046  # names without blanks
predict $(cat list.txt) > files.out
[ "$(wc -l < files.out)" -eq 24 ] || fail 'not a line for each picture'
predict new > folder.out 2> log
cmp files.out folder.out
predict list.txt > list.out
cmp files.out list.out
threads=3 predict new > two.out
cmp files.out two.out
PEFT_VERBOSE=1 predict new > two.out 2> log
cmp files.out two.out
grep -q '^libpeft: session .* images  *8x3x' log || fail 'pictures are not predicted eight at a time'
sed 's/$/ 1/' list.txt > labelled.txt
predict labelled.txt > list.out
cmp files.out list.out
if command -v python3 > /dev/null; then
    python3 -c 'import shutil; shutil.make_archive("new", "zip", ".", "new")'
    predict new.zip | sed 's#^new.zip/##' > zip.out
    cmp files.out zip.out
fi
mkdir mixed
cp new/benign-like/0000.png mixed/a.png
echo text > mixed/notes.txt
predict mixed > mixed.out 2> log
[ "$(wc -l < mixed.out)" -eq 1 ] && grep -qF 'mixed: left out: 1 .txt' log || fail 'files in mixed'
refused 'no pictures, but 1 .txt' predict --csv "$(mkdir none; cp mixed/notes.txt none; echo none)"
refused 'neither a picture nor a list of pictures' predict mixed/notes.txt

refused 'predict needs no classes: leave --data out, and give the path as PICTURES' predict --data new/benign-like
{ echo path,label; sed 's/$/,a/' list.txt; } > rows.csv
refused "no split 'test'; open all rows, without a split, or name the column by split=COLUMN; leave --split out" \
    predict --data rows.csv --split test
predict --data rows.csv | cmp - files.out
predict_list() { predict --data labelled.txt "$@"; }
refused 'leave --split out to take all pictures' predict_list --split test

# --- formats ------------------------------------------------------------------------------------------------------------
predict --csv new > new.csv
predict --format csv new | cmp - new.csv
[ "$(head -1 new.csv)" = 'image,predicted,benign-like,malignant-like,normal-like' ] || fail 'heading'
predict --format jsonl new > new.jsonl
[ "$(wc -l < new.jsonl)" -eq 24 ] || fail 'lines of JSON'
sed -n 's/^{"image": "\([^"]*\)", "predicted": "\([^"]*\)", "probabilities": {"benign-like": \([^,]*\), "malignant-like": \([^,]*\), "normal-like": \([^}]*\)}}$/\1,\2,\3,\4,\5/p' \
    new.jsonl > from_json
tail -n +2 new.csv | cmp - from_json
cp new/benign-like/0000.png 'a "b",c.png'
predict --format jsonl 'a "b",c.png' | grep -qF '{"image": "a \"b\",c.png", "predicted"' || fail 'quotes in JSON'
refused "--format: given 'xml', expected text, csv, csv-semicolon or jsonl" predict --format xml new
refused '--csv and --format jsonl' predict --csv --format jsonl new
predict --out ending.jsonl new
cmp ending.jsonl new.jsonl || fail 'the format by the ending .jsonl'
predict --out ending.JSONL --csv new
cmp ending.JSONL new.csv || fail '--csv before the ending'
predict --out ending.json --format jsonl new
cmp ending.json new.jsonl || fail '--format before the ending'
refused '--out ending.xlsx: predict writes no spreadsheets; give FILE.csv' predict --out ending.xlsx new
refused '--out ending.xlsx: predict writes no spreadsheets' predict --out ending.xlsx --format csv new
refused 'give FILE.csv, or --format csv' predict --out ending.tsv new
refused 'give FILE.jsonl, or --format jsonl' predict --out ending.json --force new

# --- a table in a file ----------------------------------------------------------------------------------------------------
predict --out t.csv new
cmp t.csv new.csv
predict --out t.jsonl --format jsonl new
cmp t.jsonl new.jsonl
[ ! -e t.csv.part ] || fail 't.csv.part was left'
refused 't.csv: exists already' predict --out t.csv new
predict --out t.csv --force new
cmp t.csv new.csv
refused 'is for a table in a file; give --out FILE too' predict --resume new
refused "the folder 'nosuch' does not exist" predict --out nosuch/t.csv new
refused '--format text: is for the terminal' predict --out u.csv --format text new
refused 'give --state FILE' predict --out u.csv --resume --adapt tent new

# --- broken pictures among others: they are named, the others are predicted, the status says so ---------------------------
cp -r new broken
for i in 1 3; do head -c 200 new/normal-like/000$i.png > broken/normal-like/000$i.png; done
echo text > broken/benign-like/0002.png
if predict --out broken.csv broken 2> log; then fail 'broken pictures give status 0'; fi
for name in normal-like/0001 normal-like/0003 benign-like/0002; do
    grep -q "broken/$name.png: " log || fail "$name is not named"
done
grep -qF '3 of 24 pictures could not be predicted' log || fail 'number of broken pictures'
grep -v 'normal-like/0001\|normal-like/0003\|benign-like/0002' new.csv | sed 's/^new/broken/' | cmp - broken.csv
if predict new nosuch.png > part.out 2> log; then fail 'a missing file gives status 0'; fi
cmp part.out files.out
grep -q 'nosuch.png: open: No such file' log && grep -q '1 of 25 pictures could not be predicted' log || fail 'missing file'

# --- --resume goes on with FILE.part, also after half a line ---------------------------------------------------------------
make_part() {                                               # r.csv.part with the first $1 bytes of the table
    rm -f r.csv
    { cat description; head -c "$1" new.csv; } > r.csv.part
}
# A run whose file may have no more than 2,048 bytes, as on a full disk, leaves the lines that had room.
if (ulimit -f 4; predict --out r.csv new new new > log 2>&1); then fail 'a full disk was not noticed'; fi
grep -q 'r.csv.part: .*what was written is not complete, the same command with --resume goes on' log || fail 'full disk'
[ ! -e r.csv ] || fail 'r.csv is not complete'
head -1 r.csv.part > description
predict --out r.csv --resume new new new
predict --out three.csv new new new
cmp r.csv three.csv || fail 'resumed after a full disk'
rm r.csv
grep -q '^predict 1: backbone [0-9a-f]' description || fail 'description'
size=$(wc -c < new.csv)
for bytes in 0 1 30 $((size / 3)) $((size / 2)) $((size - 1)) "$size"; do
    make_part "$bytes"
    refused 'is of a run that was stopped; give --resume' predict --out r.csv new
    predict --out r.csv --resume new
    cmp r.csv new.csv || fail "resumed after $bytes bytes"
    [ ! -e r.csv.part ] || fail 'r.csv.part was left'
done
make_part $((size / 2))
cp r.csv.part kept.part
refused 'pictures that this command does not name, such as new/benign-like' predict --out r.csv --resume new/normal-like
[ ! -e r.csv ] || fail 'a table of two sets of pictures'
cmp r.csv.part kept.part || fail 'a refused --resume changed r.csv.part'
predict --out r.csv --resume new
cmp r.csv new.csv || fail 'resumed by the right command after a refused one'
rm r.csv
make_part $((size / 2))
head -c 300 /dev/zero >> r.csv.part                         # as a computer without power leaves a file
predict --out r.csv --resume new
cmp r.csv new.csv || fail 'zeros behind the lines'
rm r.csv
head -c 20 description > r.csv.part                         # killed before the first line was written
predict --out r.csv --resume new
cmp r.csv new.csv || fail 'a description that is not complete'
make_part $((size / 2))
refused 'is of another run' predict --out r.csv --resume --preprocess mean=0.4 new
refused 'is of another run' predict --out r.csv --resume --compute bf16 new
refused 'is of another run' "$bin/predict" --backbone vit.safetensors --out r.csv --resume new
"$bin/finetune" --backbone vit.safetensors --data scans --method lora --options alpha=3 --epochs 1 --out m2.safetensors \
    > log 2>&1
refused 'is of another run' "$bin/predict" --backbone vit.safetensors --model m2.safetensors --out r.csv --resume new
[ ! -e r.csv ] && [ -e r.csv.part ] || fail 'a refused --resume changed files'

# --- --out is none of the files that are read ------------------------------------------------------------------------------
{ echo path; cat list.txt; } > table.csv
cp table.csv kept.csv
refused 'names the same file' predict --data table.csv --out table.csv --force
refused 'names the same file' predict --out list.txt --force list.txt
cmp table.csv kept.csv || fail 'the table was written over'
mkdir folder
cp vit.safetensors folder/model.safetensors
refused 'this command reads the file' "$bin/predict" --backbone folder --model m.safetensors --out folder/model.safetensors \
    --force new
cmp folder/model.safetensors vit.safetensors || fail 'the backbone was written over'
cp new/benign-like/0000.png "$(printf 'a\377b.png')"
predict --format jsonl "$(printf 'a\377b.png')" | grep -qF '{"image": "a\udcffb.png"' || fail 'a name that is no UTF-8'
echo 'predict: 24 pictures from files, folder, zip and list; 3 formats; resumed after 7 lengths'
