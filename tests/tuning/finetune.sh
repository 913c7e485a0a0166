#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune --tune: the model is that of the chosen settings given as flags, also after a stop in the search; --nested adds
# figures and changes nothing; flags that do not go together are refused.
#   finetune.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$bin/phantom" --out phantoms --images 8 --side 32 > phantom.log

# Programs that a sanitizer is built into end with an error if they lose memory.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=1"
# With exec=exec the shell becomes the program.
finetune() {
    name=$1
    shift
    ${exec-} "$bin/finetune" --backbone "$here/../../examples/data/vit_cifar10.safetensors" --data phantoms --method lora \
        --shots 4 --epochs 2 --threads 1 --out "$name.safetensors" "$@" > "$name.log" 2>&1
}
must_refuse() {
    expected=$1
    shift
    if finetune bad "$@"; then echo "accepted: $*"; exit 1; fi
    grep -qF -- "finetune: $expected" bad.log || { echo "no '$expected' in:"; cat bad.log; exit 1; }
    [ ! -e bad.safetensors ]
}
grid='lr=1e-3,1e-2,options.r=2,4'
must_refuse "--tune: cannot be combined with --then, as candidates are trained in one stage" --tune lr=1,2 --then lora
must_refuse "--tune: cannot be combined with --model" --tune lr=1,2 --model phantom.log
must_refuse "--val folds: cannot be combined with --tune, because the settings would be chosen with" --tune lr=1,2 \
    --val folds=3
must_refuse "--nested: judges the choice of settings; give --tune too" --nested 3
must_refuse "--tune-folds: has an effect only with --tune" --tune-folds 3
must_refuse "--tune lr: its value is given already, 0.1" --tune lr=1,2 --lr 0.1
must_refuse "--tune-folds 9: class 'benign-like' has only 4 training images" --tune lr=1,2 --tune-folds 9
must_refuse "--tune-metric: given 'dice', no such figure" --tune lr=1,2 --tune-folds 2 --tune-metric dice
must_refuse "--nested 9: class 'benign-like' has only 4 training images" --tune lr=1,2 --tune-folds 2 --nested 9

finetune a --tune "$grid" --tune-folds 2 --tune-search halving || { cat a.log; exit 1; }
chosen=$(sed -n 's/^chosen: //p' a.log)
lr=${chosen#lr=}
rank=${lr#*options.r=}
[ "$(wc -l < a.safetensors.tune.csv)" -eq 7 ]                 # four candidates, then two, below the heading
finetune b --lr "${lr%%,*}" --options "r=$rank"
figures() { sed -n '/^confusion/,/^auroc_macro/p' "$1.log"; }
figures a > one
figures b | diff one -
if finetune a --tune "$grid" --tune-folds 2; then exit 1; fi  # the files exist

# Stopped after two candidates; nothing is judged twice. Outer folds add figures.
(exec=exec; finetune c --tune "$grid" --tune-folds 2 --tune-search halving --nested 2) &
while [ ! -e c.safetensors.tune.csv ] || [ "$(wc -l < c.safetensors.tune.csv)" -lt 3 ]; do
    kill -0 $! || { cat c.log; exit 1; }
    sleep 0.02
done
kill -TERM $!
if wait $!; then exit 1; fi
grep -q 'stopped while settings were chosen; the same command with --resume continues' c.log
head -3 c.safetensors.tune.csv > before
[ ! -e c.safetensors ]
# Damaged rows are not believed.
cp c.safetensors.tune.csv good
for change in '2s/,[^,]*,\([^,]*\)$/,7,\1/' '2s/,[^,]*,\([^,]*\)$/,nan,\1/' '3s/$/,1/' '3s/,[^,]*$//' 2p; do
    sed "$change" good > c.safetensors.tune.csv
    if cmp -s good c.safetensors.tune.csv; then echo "$change changed nothing"; exit 1; fi
    if finetune c --tune "$grid" --tune-folds 2 --tune-search halving --nested 2 --resume; then
        echo "accepted after $change"
        exit 1
    fi
    grep -q 'tune.csv.*: is damaged: .*; remove the file, and --resume judges' c.log || { cat c.log; exit 1; }
done
cp good c.safetensors.tune.csv
finetune c --tune "$grid" --tune-folds 2 --tune-search halving --nested 2 --resume
head -3 c.safetensors.tune.csv | diff before -
[ "$(wc -l < c.safetensors.tune.csv)" -eq 19 ]                # three searches: two in outer folds, one of all images
[ "$(cut -d, -f1-5 c.safetensors.tune.csv | sort | uniq -d | wc -l)" -eq 0 ]
[ "$(grep -c '^outer fold ' c.log)" -eq 2 ]
[ "$(grep -c '^training_images ' c.log)" -eq 1 ]
[ "$(grep -c '^test_images ' c.log)" -eq 1 ]
sed '1,/^preprocessing/d' c.log > after.log
figures after | diff one -
[ -z "$(find . -name '*.tune-*')" ]

# Pictures are decoded once before a search, for which their preprocessing is known.
[ "$(grep -c '^decoded ' c.log)" -eq 1 ] || { echo 'pictures are not decoded once:'; grep '^decoded ' c.log; exit 1; }

# The record has the candidates, the choice, and the figures of the outer folds; inspect and the model card show them.
"$bin/inspect" c.safetensors.record.json > record.txt
sed -n '/^  tuning:/,/^  nested:/p' record.txt > tuning.txt
grep -qxF "    chosen: $chosen" tuning.txt || { echo "the record has not '$chosen'"; cat tuning.txt; exit 1; }
grep -qx '    folds: 2' tuning.txt
[ "$(grep -c '^        settings: ' tuning.txt)" -eq 4 ]
[ "$(grep -c '^        share: 0.5$' tuning.txt)" -eq 2 ]        # halving trained two of them to the end
[ "$(sed -n '/^  nested:/,$p' record.txt | grep -c '^        chosen: ')" -eq 2 ]
value=$(sed -n "/^        settings: $chosen\$/,/loss/s/^        balanced_accuracy: //p" tuning.txt)
printed=$(sed -n '/^nested folds/,$s/^ *\(lr=.*\)/\1/p' c.log | grep -F "$chosen " | tail -n 1 | sed 's/.*accuracy \(.*\),.*/\1/')
[ "$(printf '%.4f' "$value")" = "$printed" ] || { echo "$value is recorded for $printed"; exit 1; }
nested=$(sed -n '/^95 % bootstrap intervals/,$s/^  balanced_accuracy *//p' c.log)
recorded=$(sed -n '/^  nested:/,$s/^        balanced_accuracy: \([0-9]\)/\1/p' record.txt | tail -n 1)
[ "$(printf '%.4f [%.4f, %.4f]' $recorded)" = "$nested" ] || { echo "$recorded is recorded for $nested"; exit 1; }
"$bin/report" --card c.safetensors --out card.html > /dev/null
grep -qF "Settings: <code>$chosen</code>, the best of 4 combinations by balanced_accuracy on 2 folds" card.html
grep -q '<caption>Training images in outer folds, settings chosen without them</caption>' card.html
set -- $(echo "$nested" | tr -d '[],')
grep -q "<th scope=\"row\">Balanced accuracy</th>.*>$(printf %.3f "$2")</data> to .*>$(printf %.3f "$3")</data>" \
    card.html || { echo "the card has no interval from $2 to $3"; exit 1; }
