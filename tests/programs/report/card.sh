#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The model card of report --card: its figures are those that finetune prints, its limits follow from the record, the
# same inputs give the same bytes, and mistakes are named. The record has intervals and the confusion matrix.
#   card.sh BIN
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "card.sh: $*"; exit 1; }
tune() { "$bin/finetune" --backbone "$vit" --epochs 1 "$@" || fail "finetune $* failed"; }
page() { # $1: name of the page; then arguments of report
    name=$1
    shift
    "$bin/report" --out "$name.html" "$@" > "$name.page" 2>&1 || { cat "$name.page"; fail "$name: refused"; }
    sed '/<style>/,/<\/style>/d; s/data:text[^"]*//g' "$name.html" > "$name.text"
    if grep -nE '(^|[^a-z])-?(nan|inf)([^a-z]|$)' "$name.text"; then fail "$name: a value is not a number"; fi
    for tag in section div figure dl dt dd table tr td th ul li p code small details data a; do
        opened=$(grep -oE "<${tag}[ >]" "$name.html" | wc -l)
        closed=$(grep -o "</$tag>" "$name.html" | wc -l)
        [ "$opened" -eq "$closed" ] || fail "$name: <$tag> $opened times, </$tag> $closed"
    done
}
says() { grep -qF -- "$2" "$1.text" || fail "$1.html does not say '$2'"; }
silent() { if grep -qF -- "$2" "$1.text"; then fail "$1.html says '$2'"; fi; }
refused() { # $1: words of the message; then arguments of report
    words=$1
    shift
    if "$bin/report" "$@" > log 2>&1; then fail "not refused: $*"; fi
    grep -qF -- "$words" log || { cat log; fail "no '$words'"; }
}

"$bin/phantom" --out pictures --images 8 --side 32 > /dev/null
mv pictures/benign-like 'pictures/a <b> & "c"'
tune --data pictures --method lora --options r=4 --val 0.25 --stop loss --out a.safetensors > a.log 2>&1
page a --card a.safetensors --note 'For <tests> only' --date 2026-11-27
says a 'For &lt;tests&gt; only'
says a '<th scope="row">a &lt;b&gt; &amp; &quot;c&quot;</th>'
says a '<code>r=4</code>; the others'
silent a '<code>alpha='
says a 'the best by loss of the validation images'
says a 'Date of this card: 2026-11-27'
says a 'Patients are not known'
says a 'Few test images'
says a 'from the same scanners and sites'
silent a 'No validation images'
says a "<code>$(sha256sum a.safetensors | cut -d ' ' -f 1)</code>"
# Each figure of each class: that which finetune prints, with its interval.
for class in malignant-like normal-like; do
    grep "^  $class .*\[" a.log | sed "s/^  $class *\([0-9]* \)//; s/\[[^]]*\]//g" |
        tr -s ' ' '\n' | grep -v '^$' > printed.txt
    grep "<th scope=\"row\">$class</th>.*<small>" a.text | sed 's/<small>/\n&/g; s/<td>/\n&/g' | grep '^<td>' |
        sed 's/<td>–.*/-/; s/<td><data value="\([^"]*\)".*/\1/' | tail -n +2 |
        awk '{ if ($1 == "-") print; else printf "%.4f\n", $1 }' > shown.txt
    diff printed.txt shown.txt || fail "the figures of $class are not those that finetune prints"
done
interval=$(sed -n 's/^accuracy_interval *//p' a.log)
card=$(grep -A 1 '<dt>Accuracy</dt>' a.text | grep -oE 'value="[^"]*"' | head -n 3 | sed 's/value="//; s/"//' |
    paste -sd ' ' | awk '{ printf "%.4f [%.4f, %.4f]\n", $1, $2, $3 }')
[ "$interval" = "$card" ] || fail "the accuracy is $card, finetune prints $interval"
sed -n '/^confusion matrix/,/^class/p' a.log | sed '1d; $d' |
    awk '{ print $(NF - 2), $(NF - 1), $NF }' > printed.txt
sed -n '/id="confusion"/,/<\/section>/p' a.text | grep '<td class=' |
    sed 's/<small>[^<]*<\/small>//g; s/.*<\/th>//; s/<[^>]*>/ /g' | tr -s ' ' ' ' | sed 's/^ //; s/ $//' > shown.txt
diff printed.txt shown.txt || fail 'the confusion matrix differs'

# The same bytes, and no page is overwritten unless asked for.
cp a.html first.html
refused 'a.html: exists already' --card a.safetensors --out a.html
page a --force --card a.safetensors --note 'For <tests> only' --date 2026-11-27
cmp a.html first.html || fail 'the same inputs give other bytes'
page plain --card a.safetensors
says plain 'Not stated'
silent plain 'Date of this card'
page files --card a.safetensors --csv values
[ "$(ls values/card-0*.csv | wc -l)" -eq 6 ] || fail 'CSV files of the card'
sed 1d values/card-02-confusion-matrix.csv | tr -d '\r' | awk -F, '{ print $(NF - 2), $(NF - 1), $NF }' |
    diff printed.txt - || fail 'the CSV file of the matrix'

# Patients, a threshold, and no validation images: the record has the figures at the threshold.
mkdir two
for class in malignant-like normal-like; do
    mkdir "two/$class"
    for k in 0 1 2 3 4 5 6 7; do cp "pictures/$class/000$k.png" "two/$class/p$((k / 2))_$k.png"; done
done
tune --data two --patients '(p*)_*' --method bitfit --threshold 0 --out b.safetensors > b.log 2>&1
page b --card b.safetensors
says b 'normal-like where its probability is at least 0, else malignant-like; rule: 0, chosen on no images'
says b 'Intervals by patient'
silent b 'Patients are not known'
says b 'No validation images'
figure=$(sed -n 's/^balanced_accuracy *//p' b.log)
recorded=$(sed -n '/"test_figures"/,$s/^ *"balanced_accuracy": \(.*\),$/\1/p' b.safetensors.record.json)
[ "$(printf %.4f "$recorded")" = "$figure" ] || fail "the record has $recorded, finetune prints $figure"

# Records of an earlier version, and of a training that ended before the evaluation.
record=a.safetensors.record.json
cp $record good.json
sed -e '/"methods"/,/"changed"/s/^\( *}\),$/\1/' -e '/"changed": \[/,/\]/d' \
    -e '/"test_figures"/,$s/^\( *"loss": .*\),$/\1/' -e '/"accuracy_interval": \[/,/^    \]$/d' good.json > $record
page old --card a.safetensors
says old 'The record is of an earlier version'
says old 'Not recorded.'
says old '<code>alpha='
sed '/"test_figures": {/,/^  },$/c\  "test_figures": null,' good.json > $record
page untested --card a.safetensors
says untested 'None are recorded'
sed 's/"test_images_trained_on": 0/"test_images_trained_on": 2/' good.json > $record
page both --card a.safetensors
says both '2 of the test images were also trained on'
sed '/"test_figures"/,$s/"positive": [0-9]*,/"positive": 0,/' good.json > $record
page lacking --card a.safetensors
says lacking 'No test images: '

# Mistakes.
damaged() { # $1: words; $2: a sed command for the record
    sed "$2" good.json > $record
    refused "$1" --card a.safetensors --out none.html
}
damaged 'damaged: expected JSON' '100,$d'
damaged 'damaged: expected a member "format"' 's/"format"/"other"/'
damaged "has the format 'libpeft.record.2'" 's/libpeft.record.1/libpeft.record.2/'
damaged 'damaged: expected "sha256"' '0,/"sha256"/s/"sha256"/"other"/'
damaged 'damaged: expected the classes' 's/"classes"/"other"/'
damaged 'damaged: expected a confusion matrix' '/"confusion"/,/\],/s/^\( *\)[0-9]\{1,\}$/\1-1/'
damaged 'damaged: expected figures of each class' '/"test_figures"/,$s/"classes": \[/"classes": [1,/'
cp b.safetensors.record.json $record
refused 'is of another file' --card a.safetensors --out none.html
rm $record
refused 'there is no training record' --card a.safetensors --out none.html
refused 'is no file that can be read' --card missing.safetensors --out none.html
refused 'is for a model card' --note x pictures
refused 'without folders of records' --card b.safetensors --out none.html pictures
[ ! -e none.html ] || fail 'a page in spite of a mistake'
sum=$(sha256sum b.safetensors b.safetensors.record.json)
refused 'b.safetensors' --card b.safetensors --out b.safetensors --force
refused 'b.safetensors.record.json' --card b.safetensors --out b.safetensors.record.json --force
[ "$sum" = "$(sha256sum b.safetensors b.safetensors.record.json)" ] || fail 'an input was overwritten'
echo 'card.sh: figures, limits, older records and mistakes'
