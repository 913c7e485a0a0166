#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare: faults in its list, the same figures for any number of jobs, as finetune, and after being stopped; runs that
# fail or are killed; several labels an image. compare.sh FOLDER
set -eu
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The list $1 must be refused with a message that holds $2.
must_refuse() {
    printf '%b' "$1" > bad.txt
    if "$bin/compare" --backbone "$vit" --data "$data" --methods bad.txt --csv bad.csv > bad.log 2>&1; then
        echo "compare.sh: taken: $1"
        exit 1
    fi
    grep -qF -- "$2" bad.log || { echo "compare.sh: no '$2' in:"; cat bad.log; exit 1; }
}
vit=none data=none
must_refuse '# nothing\n\n' 'bad.txt: nothing to compare'
must_refuse '# one\nlinear --method linear\n' 'bad.txt:2: no label'
must_refuse 'a: --method linear\n: --method ept\n' 'bad.txt:2: the label is empty'
must_refuse 'a: --method linear\n\na: --method ept\n' "bad.txt:3: the label 'a' is that of line 1"
must_refuse 'a: --method linear --no-such 3\n' "bad.txt:1: unrecognized option '--no-such'"
must_refuse 'a: --method linear\n # more:\n\n  --lr 3 4\nb: --method linear\n' "bad.txt:1: '4' is no flag"
must_refuse 'a: linear\n' "bad.txt:1: 'linear' is no flag"

vit=${PEFT_SHARED-}/data/vit/deit_tiny_patch16_224.safetensors
[ -f "$vit" ] || { echo "SKIP: PEFT_SHARED has no data"; exit 77; }
data=$PEFT_SHARED/data/busi
must_refuse 'a: --method linear\nb: --method lorra # typed wrong\n' "bad.txt:2: method 'lorra'"
must_refuse 'a: --method ept --options lenght=3\n' "bad.txt:1: method 'ept': unknown option 'lenght'"
must_refuse 'a: --method ept --lr fast\n' "bad.txt:1: a trainer: option 'lr' is 'fast'"
[ ! -e bad.csv ]

cat > list.txt << 'END'
linear: --method linear      # the head alone
EPT, 5: --method ept --options length=5 --lr 0.1
"FPT":  --method fpt --options side_image=32 --preprocess flip=0 # no flip:

        --trainer cache_features=10000000
END
# $start: exec where the process is to be that of $!.
start=
study() {
    name=$1
    shift
    $start "$bin/compare" --backbone "$vit" --data "$data" --methods list.txt --shots 2 --test-per-class 2 \
        --samplings 2 --runs 2 --epochs 2 --batch 2 --image-size 64 --csv "$name.csv" --summary "$name-summary.csv" \
        --svg "$name.svg" "$@"
}
# The columns that do not tell of time and memory; commas in quotes are of no matter before "settings".
figures() {
    sed 's/"EPT, 5"/EPT/' "$1.csv" | cut -d, -f1-15,17 | sort
}
same() {
    figures "$1" > one
    figures "$2" > other
    diff one other
}
study a --jobs 1 > a.log
[ "$(wc -l < a.csv)" -eq 13 ]
[ "$(wc -l < a-summary.csv)" -eq 4 ]
grep -q '^"EPT, 5",ept,4,' a-summary.csv
grep -q '^"""FPT""",fpt,4,' a-summary.csv
tail -1 a.svg | grep -q '^</svg>$'
grep -q '>EPT, 5</text>' a.svg
study b --jobs 3 > b.log
same a b

# Nothing is written over; nothing is left to do; other settings are other runs.
if study a > again.log 2>&1; then exit 1; fi
grep -q 'a.csv: File exists; --resume' again.log
study a --resume > again.log
[ "$(wc -l < a.csv)" -eq 13 ]
if grep -q 'draw 1, run 1' again.log; then exit 1; fi
study b --resume --weight-decay 0.5 > again.log
[ "$(wc -l < b.csv)" -eq 25 ]

# Stopped in the middle, with a row cut off by a full disk, and resumed.
start='exec' study c --jobs 2 > c.log 2>&1 &
child=$!
while kill -0 $child 2> /dev/null && ! grep -q 'draw 1' c.log; do sleep 0.01; done
kill -INT $child 2> /dev/null || true
wait $child || true
grep -q 'compare: stopped; --resume goes on with c.csv' c.log
[ "$(wc -l < c.csv)" -lt 13 ]
printf 'linear,linear,2,' >> c.csv
study c --jobs 2 --resume > c.log
same a c

# Draw 2 with its first seed is what finetune does with seed 2.
"$bin/finetune" --backbone "$vit" --data "$data" --shots 2 --test-per-class 2 --epochs 2 --batch 2 --image-size 64 \
    --method ept --options length=5 --lr 0.1 --seed 2 --threads 2 --out ept.safetensors > finetune.log
row=$(figures a | grep '^EPT,ept,2,1,')
awk -v row="$row" '{ v[$1] = $2 }
    END {
        split(row, c, ",")
        if (sprintf("%.4f", c[9]) != v["balanced_accuracy"] || sprintf("%.4f", c[11]) != v["auroc_macro"]) exit 1
    }' finetune.log || { echo "compare.sh: finetune differs from '$row'"; cat finetune.log; exit 1; }

# One run that fails and one that is killed: said, and the others are done.
cat > list.txt << 'END'
linear: --method linear
hot: --method full --lr 1e6 --schedule constant --optimizer sgd
END
if study d --jobs 2 > d.log 2> d.err; then exit 1; fi
grep -q '^hot, draw 2, run 1: .*PEFT_E_NONFINITE' d.err
[ "$(grep -c '^linear,' d.csv)" -eq 4 ]
[ "$(wc -l < d.csv)" -eq 5 ]
echo 'linear: --method linear --epochs 300' > list.txt
start='exec' study e --jobs 1 --runs 1 > e.log 2> e.err &
child=$!
while [ ! -s e.csv ]; do sleep 0.01; done                      # behind the check of the list, which has a process too
victim=
while [ -z "$victim" ]; do victim=$(cat "/proc/$child/task/$child/children"); done
# shellcheck disable=SC2086  # a blank follows the number
kill -KILL $victim
if wait $child; then exit 1; fi
grep -q '^linear, draw 1, run 1: killed by signal 9' e.err || { cat e.err; exit 1; }
[ "$(wc -l < e.csv)" -eq 2 ]

# Several labels an image.
for k in 1 2 3 4 5 6; do
    printf '%s 1,0,%d\n%s 0,1,%d\n' "normal/normal_$k.png" $((k % 2)) "benign/benign_$k.png" $((k % 3 == 0))
done > labels.txt
sed "s|^|$data/|" labels.txt > list-of-images.txt
data=$work/list-of-images.txt
echo 'linear: --method linear' > list.txt
study f --shots 0 --test-per-class 0 --runs 1 > f.log
grep -q 'mAP %' f.log
grep -q 'Mean average precision' f.svg
