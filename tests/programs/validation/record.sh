#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The training record of finetune, and its class balance (--balance).
#   record.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "record: $1"
    exit 1
}
tune() { "$bin/finetune" --backbone "$vit" --data pictures --method bitfit --epochs 1 "$@"; }
refused() {
    message=$1
    shift
    if tune "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}
"$bin/phantom" --out pictures --images 8 --side 32 > /dev/null
"$bin/phantom" --out others --images 2 --side 32 --seed 9 > /dev/null
rm pictures/normal-like/000[4-9]*

# Every training image is listed with the sum of its content; the model file's sum is right.
tune --val 0.25 --out a.safetensors > a.log
record=a.safetensors.record.json
grep -q "^record  *$record\$" a.log || fail 'the record is not named'
model=$(sha256sum a.safetensors | cut -d ' ' -f 1)
grep -q "\"sha256\": \"$model\"" $record || fail 'no sum of the model'
training=$(sed -n 's/^training: \([0-9]*\) images.*/\1/p' a.log)
sed -n '/^    "training": {/,/^    },/p' $record | sed -n 's/^ *"name": "\(.*\)",$/\1/p' > trained.txt
[ "$(wc -l < trained.txt)" -eq "$training" ] || fail "$(wc -l < trained.txt) files are listed, trained on $training"
while read -r file; do
    grep -q "\"sha256\": \"$(sha256sum "$file" | cut -d ' ' -f 1)\"" $record || fail "no sum of $file"
done < trained.txt
content=$(while read -r file; do sha256sum "$file"; done < trained.txt | sha256sum | cut -d ' ' -f 1)
grep -q "\"content_sha256\": \"$content\"" $record || fail 'no sum of the contents'
sed -n '/^    "validation": {/,/^    },/p' $record | sed -n 's/^ *"name": "\(.*\)",$/\1/p' > held.txt
[ -s held.txt ] || fail 'no validation image is listed'
if grep -qxF -f trained.txt held.txt; then fail 'an image is in two sets'; fi
"$bin/inspect" $record > inspected.txt
for text in 'training record' '  given: backbone data val out method epochs' '    model_epoch: 1' \
    '      files: .* (--full lists them)'; do
    grep -q -e "$text" inspected.txt || fail "inspect does not print '$text'"
done
figure=$(sed -n 's/^balanced_accuracy  *//p' a.log)
printed=$(sed -n '/^  test_figures:/,$s/^    balanced_accuracy: //p' inspected.txt)
[ "$(printf '%.4f' "$printed")" = "$figure" ] || fail "the record says $printed, finetune $figure"
"$bin/inspect" --full $record | grep -q "name: $(head -n 1 trained.txt)\$" || fail 'inspect --full lists no files'
refused "a.safetensors: exists already" --out a.safetensors
rm a.safetensors
tune --out a.safetensors > /dev/null                         # the record of a model that is gone is replaced
grep -q '"validation": null' $record || fail 'the record was not replaced'
# inspect names the record beside a model, and says whether it is that of this file.
beside() { "$bin/inspect" "$1" | grep -qF "  record: $2" || fail "inspect $1 does not print 'record: $2'"; }
beside a.safetensors "$record, of this file, by its SHA-256"
cp a.safetensors alone.safetensors
beside alone.safetensors 'there is no alone.safetensors.record.json beside it'
sed 's/"sha256": "./"sha256": "x/' $record > alone.safetensors.record.json
beside alone.safetensors 'alone.safetensors.record.json, of another file'
echo '{}' > alone.safetensors.record.json
beside alone.safetensors 'alone.safetensors.record.json is no training record'
printf '{"format": "libpeft.record.1", "x": [1, {"y": tru}]}' > broken.json
if "$bin/inspect" broken.json > /dev/null 2>&1; then fail 'inspect takes a broken record'; fi
# A file of another kind in the record's place is kept, unless --force is given.
echo 'my notes' > kept.safetensors.record.json
refused 'kept.safetensors.record.json, an existing file that is no training record' --out kept.safetensors
[ "$(cat kept.safetensors.record.json)" = 'my notes' ] || fail 'a file that is no record was overwritten'
tune --force --out kept.safetensors > /dev/null
"$bin/inspect" kept.safetensors.record.json | grep -q 'training record' || fail '--force writes no record'

# Values of JSON: escapes have four hexadecimal digits, numbers the grammar of RFC 8259.
of_value() { printf '{"format": "libpeft.record.1", "x": %s}' "$1" > value.json; }
for value in '"\u4"' '"\u 41"' '"\u+041"' '"\u00g1"' '"\' '"\u' nan inf 0x1p3 .5 1. 01 +1 1e -; do
    of_value "$value"
    if "$bin/inspect" value.json > value.log 2>&1; then fail "inspect takes the value $value"; fi
    grep -q 'value.json' value.log || fail "no error of $value: $(cat value.log)"
done
for value in '"A\u0041\u00e9\ud83d\ude00"' 0 -0.5e+3 1E5 10.25; do
    of_value "$value"
    "$bin/inspect" value.json > value.log || fail "inspect refuses the value $value"
    case $value in \"*) value=$(printf 'AA\303\251\360\237\230\200') ;; esac
    grep -qxF "  x: $value" value.log || fail "not $value: $(cat value.log)"
done
# A name that is no UTF-8 gives a valid record, from which inspect reads the same bytes.
name=$(printf 'latin-\351.safetensors')
tune --out "$name" > /dev/null
LC_ALL=C grep -q 'latin-.udce9.safetensors' "$name.record.json" || fail 'bytes that are no UTF-8'
"$bin/inspect" "$name.record.json" | LC_ALL=C grep -qF "path: $name" || fail 'another name is read'

# Weights of the loss from the training images: those of the formula give the same model.
tune --test others --balance weights --out w.safetensors > w.log
weights=$(sed -n 's/^class balance: class_weights //p' w.log)
[ "$weights" = 0.833333333,0.833333333,1.66666667 ] || fail "weights are '$weights', of 8, 8 and 4 images"
tune --test others --trainer "class_weights=$weights" --out x.safetensors > /dev/null 2>&1
cmp w.safetensors x.safetensors || fail 'the model differs from that of the weights'
tune --test others --balance sampler --out s.safetensors > s.log 2> /dev/null
grep -q "^class balance: each class is drawn equally often, 20 images in an epoch" s.log ||
    fail "no line of the sampler"
[ -s s.safetensors ] || fail 'no model of the sampler'
if cmp -s w.safetensors s.safetensors; then fail 'the sampler has no effect'; fi
refused 'expected sampler or weights' --balance loss
refused 'sets class_weights, which --trainer gives too' --balance weights --trainer class_weights=1,1,1
refused 'give class_weights=balanced' --trainer pos_weight=balanced
find pictures -name '*.png' | sort | awk '{ print $0, (NR % 2) "," (NR % 3 == 0) }' > multi.txt
"$bin/finetune" --backbone "$vit" --data multi.txt --method bitfit --epochs 1 --balance weights --val 0.2 --stop map \
    --out m.safetensors > m.log 2> /dev/null
grep -q '^class balance: pos_weight ' m.log || fail 'no pos_weight'
grep -q '^  validation  map ' m.log || fail 'no map of the validation images'
if "$bin/finetune" --backbone "$vit" --data multi.txt --balance sampler --out n.safetensors > n.log 2>&1; then
    fail 'a sampler of several labels'
fi
grep -q 'give --balance weights' n.log || fail "refused with $(cat n.log)"
printf 'sampled: --method bitfit --balance sampler\nplain: --method bitfit\n' > list.txt
"$bin/compare" --backbone "$vit" --data pictures --shots 2 --samplings 1 --runs 1 --methods list.txt --epochs 1 \
    > c.log 2>&1 ||
    fail "compare refuses --balance: $(cat c.log)"
