#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare --masks: figures that are those of finetune and of the recorded cases, for any number of jobs and after
# --resume; columns of each class; learning curves; a study that is killed; what is refused.
#   compare.sh FOLDER      FOLDER: of the programs
set -eu
export LC_ALL=C
. "$(dirname "$0")/setup.sh"

options=classes=tissue:benign:malignant
# $start: exec, so that the process has the id $!, or nothing
start=
study() {
    name=$1
    shift
    $start "$bin/compare" --backbone "$vit" --data ph/images --masks ph/masks --mask-options $options \
        --methods list.txt --shots 4 --samplings 2 --runs 1 --epochs 2 --csv "$name.csv" --summary "$name-s.csv" \
        --svg "$name.svg" "$@"
}
# The column $2 of the run of entry $3 on draw $4 in table $1.
value() {
    awk -F, -v name="$2" -v entry="$3" -v draw="$4" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        $1 == entry && $3 == draw { print $at }' "$1"
}
# The table without the columns of time and memory, sorted.
figures() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) out[i] = $i ~ /seconds|peak_bytes/ }
        { for (i = 1; i <= NF; i++) if (!out[i]) printf "%s,", $i; print "" }' "$1.csv" | sort
}

"$bin/phantom" --out ph --images 6 --side 48 --masks --difficulty 0.3 > log
printf '%s\n' 'head: --method linear --lr 1e-2' \
    'LoRA: --method lora --lr 3e-3 --head head=setr_naive,head_width=8' > list.txt
study a --jobs 1 --records rec --judge-every 1 > log 2>&1 || fail 'failed'
grep -q '^masks: 3 classes' log || fail 'the classes are not named'
grep -q '^LoRA, draw 2, run 1: Dice ' log || fail 'no Dice of a run'
grep -q '^ *runs *Dice % *IoU % *HD95 px *surf. px ' log || fail 'no heading of the table'
grep -q '>Mean Dice (%)<' a.svg || fail 'no chart of Dice'
figures a > one
study b --jobs 3 > log 2>&1 || fail 'failed with three jobs'
figures b | diff one - > log || fail 'other figures with three jobs'

# Draw 2, run 1 equals finetune with seed 2; the columns are means of the recorded cases.
"$bin/finetune" --backbone "$vit" --data ph/images --masks ph/masks --mask-options $options --method linear --lr 1e-2 \
    --shots 4 --epochs 2 --seed 2 --threads 2 --out m.safetensors > log 2>&1 || fail 'finetune failed'
[ "$(printf '%.5f' "$(value a.csv dice head 2)")" = "$(sed -n 's/^test_dice  *//p' log)" ] ||
    fail 'not that of finetune'
key=$(awk -F, '$1 == "entry" && $2 == "head" { print $3 }' rec/study.csv)
cases=rec/$key-2-1.cases.csv
[ "$(sed 1d "$cases" | wc -l)" -eq "$((3 * $(value a.csv test_images head 2)))" ] || fail 'cases'
for figure in 6:dice 7:iou 10:hd95 11:surface_distance; do
    for class in tissue benign malignant; do
        awk -F, -v class=$class -v at="${figure%:*}" -v wanted="$(value a.csv "${figure#*:}_$class" head 2)" '
            $3 == class && $at != "" && $at != "inf" { sum += $at; n++ }
            END { d = n ? sum / n - wanted : 0; exit !(d * d < 1e-14 && (n > 0) == (wanted != "")) }' "$cases" ||
            fail "${figure#*:} of $class is not the mean of the cases"
    done
done
awk -v m="$(value a.csv dice head 2)" -v a="$(value a.csv dice_benign head 2)" \
    -v b="$(value a.csv dice_malignant head 2)" 'BEGIN { d = m - (a + b) / 2; exit !(d * d < 1e-16) }' ||
    fail 'the mean is not that of the classes without the background'
awk -F, -v mean="$(awk -v a="$(value a.csv dice head 1)" -v b="$(value a.csv dice head 2)" \
    'BEGIN { printf "%.12g", (a + b) / 2 }')" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "dice_mean") at = i }
    $1 == "head" { d = $at - mean; found = d * d < 1e-18 } END { exit !found }' a-s.csv ||
    fail 'the summary has another mean'
[ "$(head -n 1 "rec/$key-2-1.curve.csv")" = epoch,loss,dice ] || fail 'heading of the curve'
[ "$(tail -n 1 "rec/$key-2-1.curve.csv" | cut -d, -f3 | cut -c 1-8)" = "$(value a.csv dice head 2 | cut -c 1-8)" ] ||
    fail 'the curve does not end with the figure of the run'

# A run whose figures by case are lost is repeated, with the same figures.
cp "$cases" lost.csv
rm "$cases"
study a --resume --records rec --judge-every 1 > log 2>&1 || fail 'resume failed'
[ "$(grep -c ' run 1: ' log)" -eq 1 ] || fail 'not the one run without cases'
grep -q ' HD95 px *surf. px ' log || fail 'another unit after --resume'
cmp "$cases" lost.csv > log 2>&1 || fail 'other figures by case'
# A study that is killed after its first run, with a torn row.
start=exec
study c --jobs 1 > log 2>&1 &
child=$!
start=
while kill -0 $child 2> /dev/null && ! grep -q 'draw 1, run 1' log; do sleep 0.01; done
kill -KILL $child 2> /dev/null || true
wait $child 2> /dev/null || true
[ "$(wc -l < c.csv)" -lt 5 ] || fail 'not killed in time'
printf 'head,linear,2,' >> c.csv
study c --resume > log 2>&1 || fail 'resume after a kill failed'
figures c | diff one - > log || fail 'other figures after a kill'

refused() { # $1: words of the message; then more arguments of compare
    words=$1
    shift
    if study no "$@" > log 2>&1; then fail "accepted: $*"; fi
    grep -qF -- "$words" log || fail "no '$words'"
    [ ! -e no.csv ] || fail "a table in spite of: $*"
}
refused 'give each of the values an entry of the list' --tune lr=1e-3,1e-2
refused '--per-case: is for classes of images' --per-case mean
if "$bin/compare" --backbone "$vit" --data ph/images --masks ph/masks --mask-options $options --methods list.txt \
    --csv no.csv --summary ./no.csv > log 2>&1 || ! grep -q -- '--csv writes the same file, no.csv' log || [ -e no.csv ]
then fail 'one file for two tables'; fi
refused '--analysis: is for classes of images' --records no --analysis
refused '--maps: is for classes of images' --records no --maps cam
refused '--balance' --balance sampler
refused '--test-masks: needs --test PATH; give it too' --test-masks ph/masks
refused 'head=seg_linear, setr_naive' --head head=linear
cp a.csv other.csv
known=$options
options=$options:other
if study other --resume > log 2>&1; then fail 'a table of other classes was continued'; fi
grep -q 'with the classes tissue, benign, malignant, other; give another --csv' log || fail 'no word on other classes'
cmp a.csv other.csv > log || fail 'the table of other classes was changed'
options=$known
printf 'kNN: --method probe\n' > list.txt
refused 'list.txt:1: --method probe: is a classifier of images' --seed 1
printf 'head: --method linear\n' > list.txt
if "$bin/compare" --backbone "$vit" --data ph/images --spacing 1:1 --methods list.txt > log 2>&1 ||
    ! grep -q 'give --masks DIR too' log; then fail 'a spacing without masks'; fi
refused '--spacing: given' --spacing 1
# Masks beside their images, and distances in millimetres.
mkdir beside
cp -r ph/images/benign-like beside
for mask in ph/masks/benign-like/*.png; do cp "$mask" "beside/benign-like/$(basename "$mask" .png)_mask.png"; done
"$bin/compare" --backbone "$vit" --data beside --mask-options "suffix=_mask,$options" --methods list.txt --shots 4 \
    --samplings 1 --runs 1 --epochs 1 --csv d.csv --summary d-s.csv --svg d.svg --records mm --spacing 2:2 > log 2>&1 ||
    fail 'masks beside their images'
grep -q ' HD95 mm *surf. mm ' log && grep -q '>HD95 (mm)<' d.svg || fail 'the table or the chart has another unit'
"$bin/report" --out d.html mm > log 2>&1 || fail 'no page of masks beside their images'
[ "$(grep -o 'class="cells" href="data:image' d.html | wc -l)" -eq 4 ] || fail 'not two pictures with overlays'
cut -d, -f12 mm/*.cases.csv | sort -u | tr '\n' ' ' | grep -q '^mm unit $' || fail 'not in millimetres'
rm ph/masks/normal-like/0005.png
refused 0005 --seed 1
mv ph/masks benign
mkdir ph/masks
mv benign ph/masks/benign
cp -r ph/masks/benign ph/masks/malignant
options=classes=benign:malignant,per_class=folder,multilabel=true,missing=skip
refused 'compare judges one class a pixel' --seed 1 --unchecked
echo 'segment/compare.sh: a study of masks'
