#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# report warns of record files that are cut short, missing or hold NaN, with file and line, and goes on with the others;
# intervals are by patient where the records know patients, as compare writes them.
#   damaged.sh BIN
set -eu
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
vit=$here/../../../examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "damaged.sh: $*"; exit 1; }
page() { "$bin/report" --force --out "$1.html" --csv "$1" "$1" > log 2>&1 || fail "refused: $(cat log)"; }
warns() { grep -qF -- "warning: $1" log || fail "no '$1' in: $(cat log)"; }
row_of() { grep '^method 1,' "$1"/*-mean-results-of-each-method.csv | cut -d, -f2; }
sh "$here/records.sh" whole 2 2 2 1 6
page whole
if grep -v 'images cannot be read' log | grep warning; then fail 'a warning of records that are whole'; fi
[ "$(row_of whole)" = 2 ] || fail 'runs'

# Changes a copy of the records, of which the first run of the first method has the files $run.KIND.csv.
run=cut/0000000000000001-1-1
change() { rm -rf cut; cp -r whole cut; "$@"; page cut; }
change truncate -s -4 $run.curve.csv
warns "$run.curve.csv:4: the file is cut short; the curve of this run ends after 2 epochs"
[ "$(row_of cut)" = 2 ] || fail 'a curve that is cut leaves the run out'
grep -q 'id="study-1-curves"' cut.html || fail 'no curves'
shorter() { sed -i 's/rank=1/rank=1 epochs=3/' cut/study.csv && sed -i '$d' $run.curve.csv; }
change shorter
warns "$run.curve.csv:4: the file is cut short; the curve of this run ends after 2 epochs"
change sed -i '3s/,[^,]*,/,nan,/' $run.curve.csv
warns "$run.curve.csv:3: the loss is 'nan', which is no finite number"
change sed -i '4s/,[^,]*$/,inf/' $run.curve.csv
warns "$run.curve.csv:4: the balanced accuracy is 'inf', which is no finite number"
change rm $run.curve.csv
warns "$run.curve.csv: there is no such file; this run has no learning curve"
change truncate -s -4 $run.test.csv
warns "$run.test.csv:7: the file is cut short, after 5 of 6 predictions; this run is left out"
grep -qF '1 of 2' cut.html || grep -qF '>1</data> of <data value="2">' cut.html || fail 'the page counts the run'
change sed -i '5,$d' $run.test.csv
warns "$run.test.csv:5: the file is cut short, after 3 of 6 predictions"
change sed -i '1,$d' $run.test.csv
warns "$run.test.csv:1: the file is cut short, after 0 of 6 predictions"
change rm $run.test.csv
warns "$run.test.csv: there is no such file; this run is left out"
change rm $run.run.csv
warns "$run.run.csv: there is no such file, but there is $run.test.csv; this run is left out"

# With a patient for each image the intervals are those of images; with fewer patients they are not.
differences() { cut -d, -f"$2" "$1"/*-balanced-accuracy-less-that-of-*points.csv; }
sh "$here/records.sh" images 3 2 2 1 30
sh "$here/records.sh" single 3 2 2 1 30 patients=30
sh "$here/records.sh" several 3 2 2 1 30 patients=7
for name in images single several; do page $name; done
grep -q 'do not say which images are of one patient: they are taken for independent' images.html || fail 'images'
grep -q 'a bootstrap over the patients of the held-out images' several.html || fail 'patients'
head -n 1 several/*-balanced-accuracy-less-that-of-*points.csv | grep -q '^.*,Runs,Patients,' || fail 'no number of patients'
differences single 3 | grep -qx 30 || fail '30 patients'
differences several 3 | grep -qx 7 || fail '7 patients'
differences images 3- > of_images
differences single 4- | diff of_images - || fail 'images of 30 patients'
if differences several 4- | cmp -s of_images -; then fail 'patients have no effect'; fi

# compare records a hash of each patient's id, equal in all runs.
"$bin/phantom" --out scans --images 6 --side 32 > log
find scans -name '*.png' | LC_ALL=C sort |
    awk 'BEGIN { print "image,label,patient" } { split($0, part, "/"); print $0 "," part[2] ",Doe " int(NR / 2) }' > scans.csv
printf 'near: --method probe --options kind=knn,k=1\nmean: --method probe --options kind=prototypes\n' > list.txt
"$bin/compare" --backbone "$vit" --data scans.csv --shots 2 --samplings 2 --runs 1 --methods list.txt --csv out.csv \
    --summary sum.csv --svg out.svg --records records > log 2>&1 || fail "compare: $(cat log)"
if grep -l Doe records/*.test.csv; then fail 'an id is in the records'; fi
for file in records/*.test.csv; do
    head -n 1 "$file" | grep -q ',patient$' || fail "$file has no patients"
    tail -n +2 "$file" | while IFS=, read -r name rest; do
        id=$(sed -n "s|^$name,.*,||p" scans.csv)
        [ "${rest##*,}" = "$(printf %s "$id" | sha256sum | cut -c 1-16)" ] || fail "$name: ${rest##*,} is no hash of '$id'"
    done
done
page records
grep -q 'a bootstrap over the patients of the held-out images' records.html || fail 'the page does not know patients'
