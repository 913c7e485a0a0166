#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare: errors in the list of runs, equal results for any number of jobs, after --resume and as from finetune, runs
# that fail or are killed, several labels per image. report: the HTML page made from the records of compare --records.
#   compare.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# compare must refuse the list $1 with a message that contains $2.
must_refuse() {
    printf '%b' "$1" > bad.txt
    if "$bin/compare" --backbone "$vit" --data "$data" --methods bad.txt --csv bad.csv > bad.log 2>&1; then
        echo "compare.sh: accepted: $1"
        exit 1
    fi
    grep -qF -- "$2" bad.log || { echo "compare.sh: no '$2' in:"; cat bad.log; exit 1; }
}
vit=none data=none
must_refuse '# nothing\n\n' 'bad.txt: has no entry'
must_refuse '# one\nlinear --method linear\n' 'bad.txt:2: the line has no colon'
must_refuse 'a: --method linear\n: --method ept\n' 'bad.txt:2: the label is empty'
must_refuse 'a: --method linear\n\na: --method ept\n' "bad.txt:3: line 1 has the same label 'a'"
must_refuse 'a: --method linear --no-such 3\n' "bad.txt:1: unrecognized option '--no-such'"
must_refuse 'a: --method linear\n # more:\n\n  --lr 3 4\nb: --method linear\n' "bad.txt:1: '4' is not a flag"
must_refuse 'a: --method prefix --then lora\n' "bad.txt:1: --then: a run of compare is one training"
must_refuse 'a: --method e2vpt --prune=50\n' "bad.txt:1: --prune=50: a run of compare is one training"
must_refuse 'a: --method lora --stop loss\n' "bad.txt:1: --stop: is a flag of finetune, which asks for validation"
must_refuse 'a: --method lora --val=0.2\n' "bad.txt:1: --val: is a flag of finetune"
must_refuse 'a: linear\n' "bad.txt:1: 'linear' is not a flag"

# Probes: wrong options and flags are found before the first run.
vit=$here/../../examples/data/vit_cifar10.safetensors data=phantoms
"$bin/phantom" --out phantoms --images 12 --side 32 > phantom.log
must_refuse 'a: --method probe --lr 3\n' 'bad.txt:1: --lr: a probe is not trained in steps'
must_refuse 'a: --method probe --trainer momentum=0.5\n' 'bad.txt:1: --trainer: a probe is not trained'
must_refuse 'a: --method probe --head head=mlp\n' 'bad.txt:1: --head head=mlp: a probe takes the place'
must_refuse 'a: --method linear\nb: --method probe --options kid=knn\n' "bad.txt:2: peft_probe_fit: unknown option 'kid'"
must_refuse 'a: --method probe --options kind=knn,k=31\n' "bad.txt:1: peft_probe_fit: option 'k' is 31, expected at most"
# Equal figures for any number of jobs, for every seed, with other probes in the list, and after --resume; the page.
cat > probes.txt << 'END'
logistic: --method probe --options kind=logistic,standardize=true
kNN: --method probe --options kind=knn,k=3
linear: --method linear --epochs 1
cls: --method probe --options kind=prototypes --head pool=cls
END
probes() {
    name=$1
    shift
    "$bin/compare" --backbone "$vit" --methods probes.txt --samplings 2 --csv "$name.csv" --summary "$name-summary.csv" \
        --svg "$name.svg" "$@" > "$name.log" 2> "$name.err"
}
# Accuracies, loss, numbers and steps of each run; those of run $2 alone.
probe_figures() {
    awk -F, -v run="$2" '$4 ~ run { print $1, $2, $3, $7, $8, $9, $10, $11, $12, $13, $14, $15 }' "$1.csv" |
        sort
}
probes p1 --data phantoms --shots 3 --runs 2 --jobs 1 --records recp --analysis
probes p3 --data phantoms --shots 3 --runs 2 --jobs 3 --epochs 7                     # of the methods: no probe reads it
probe_figures p1 . | grep -v '^linear' > one
[ "$(wc -l < one)" -eq 13 ]
probe_figures p3 . | grep -v '^linear' | diff one -
probe_figures p1 1 | grep 'probe' > one
[ "$(wc -l < one)" -eq 6 ]
probe_figures p1 2 | grep 'probe' | diff one -
grep -Eq '^kNN +4 .* - ' p1.log
sed -i '/^cls/d' probes.txt
sed -i '/^kNN,probe,2,2/d' p1.csv
probes p1 --data phantoms --shots 3 --runs 2 --jobs 1 --resume
[ "$(grep -c ' run [12]: ' p1.log)" -eq 1 ]
probe_figures p1 . | grep '^kNN' > one
probe_figures p3 . | grep '^kNN' | diff one -
"$bin/report" --out probes.html recp > report.log
grep -q '<th scope="row">kNN<' probes.html
# Several labels for an image.
for k in 0 1 2 3 4 5 6 7 8; do
    printf '%s/phantoms/benign-like/000%d.png %d,%d\n' "$work" $k $((k % 2)) $((k % 3 == 0))
done > several.txt
probes several --data several.txt --shots 0 --runs 1 || { cat several.err; exit 1; }
[ "$(grep -c 'mAP' several.log)" -eq 7 ]

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
# $start: exec, so that the process has the id $!, or nothing
start=
study() {
    name=$1
    shift
    $start "$bin/compare" --backbone "$vit" --data "$data" --methods list.txt --shots "${shots-2}" \
        --test-per-class "${each-2}" --samplings 2 --runs "${runs-2}" --epochs 2 --batch 2 --image-size 64 \
        --csv "$name.csv" --summary "$name-summary.csv" --svg "$name.svg" "$@"
}
# The columns except those of time and memory; no value before the column "settings" has a comma in quotes but "EPT, 5".
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

# An existing file is refused; --resume repeats no finished run; runs with other settings are added.
if study a > again.log 2>&1; then exit 1; fi
grep -q 'a.csv: exists already; give --resume' again.log
study a --resume > again.log
[ "$(wc -l < a.csv)" -eq 13 ]
if grep -q 'draw 1, run 1' again.log; then exit 1; fi
study b --resume --weight-decay 0.5 > again.log
[ "$(wc -l < b.csv)" -eq 25 ]

# --records and --analysis change no result. A run is finished if its row and its records exist.
records() {
    study r --records rec --analysis --title 'A <b> & "c"' --note 'Trial only' --judge-every 1 "$@"
}
records --jobs 2 > r.log
same a r
[ "$(find rec -type f | wc -l)" -eq 73 ]
records --resume > again.log
if grep -q ' run [12]:' again.log; then exit 1; fi
if study r2 --records rec > again.log 2>&1; then exit 1; fi
grep -q 'rec: holds the records of a study; give --resume' again.log
if study q --title none > again.log 2>&1; then exit 1; fi
grep -q 'only with --records DIR' again.log
entry=$(sed -n 's/^entry,linear,\([0-9a-f]*\),.*/\1/p' rec/study.csv)
cp -r rec before
rm "rec/$entry-2-1.test.csv"
records --resume > again.log
[ "$(grep -c ' run [12]:' again.log)" -eq 1 ]
grep -q '^linear, draw 2, run 1:' again.log
cmp "rec/$entry-2-1.test.csv" "before/$entry-2-1.test.csv"
cmp "rec/$entry-2-1.curve.csv" "before/$entry-2-1.curve.csv"
awk -F, 'NR > 1 && (NF != 3 || $3 == "") { exit 1 } END { if (NR != 3) exit 1 }' "rec/$entry-2-1.curve.csv"
rm "rec/$entry-1-2.map.csv"
records --resume > again.log
[ "$(grep -c ' run [12]:' again.log)" -eq 1 ]
for kind in space map mass; do cmp "rec/$entry-1-2.$kind.csv" "before/$entry-1-2.$kind.csv"; done
if study q --analysis > again.log 2>&1; then exit 1; fi
grep -q 'only with --records DIR' again.log

# What the analysis finds: tuning of the head alone changes no feature, EPT does; fpt has no such feature; EPT has 12
# blocks of 17 tokens with sinks, on average and for an image of each of three classes.
ept=$(sed -n 's/^entry,"EPT, 5",\([0-9a-f]*\),.*/\1/p' rec/study.csv)
fpt=$(sed -n 's/^entry,"""FPT""",\([0-9a-f]*\),.*/\1/p' rec/study.csv)
features() { sed -n "s/^$1_\([a-z_]*\),/\1 /p" "rec/$2-1-1.space.csv"; }
[ "$(features before "$entry" | wc -l)" -eq 5 ]
[ "$(features before "$entry")" = "$(features after "$entry")" ]
[ "$(features before "$ept")" = "$(features before "$entry")" ]
[ "$(features before "$ept")" != "$(features after "$ept")" ]
[ "$(features after "$fpt" | awk 'NF == 1' | wc -l)" -eq 5 ]
awk -F, 'NR > 1 && ($2 != $4 || $3 != $5 || $2 == "") { exit 1 } END { if (NR != 7) exit 1 }' "rec/$entry-1-1.map.csv"
[ "$(wc -l < "rec/$entry-1-1.mass.csv")" -eq 1 ]
awk -F, 'NR > 1 { n[$1]++; for (i = 3; i <= NF; i++) if ($i <= 0 || $i >= 1) exit 1 }
    NF != 19 { exit 1 }
    END { if (NR != 49 || n["mean"] != 12 || n[0] != 12 || n[2] != 12 || n[4] != 12) exit 1 }' "rec/$ept-1-1.mass.csv"

# A record file that has lost rows is an error that names it, and no page is written.
cp -r rec damaged
for kind in run space map; do
    for rows in 0 1 2; do
        [ "$rows" -lt 2 ] || [ "$kind" = map ] || continue
        head -n "$rows" "rec/$ept-1-1.$kind.csv" > "damaged/$ept-1-1.$kind.csv"
        rc=0
        "$bin/report" --out damaged.html damaged > damaged.log 2>&1 || rc=$?
        if [ "$rc" -ne 1 ] || [ -e damaged.html ] || ! grep -q "$kind.csv: is not a record file" damaged.log; then
            echo "compare.sh: $kind.csv with $rows rows: status $rc, $(cat damaged.log)"
            exit 1
        fi
    done
    cp "rec/$ept-1-1.$kind.csv" damaged
done

# The page of report: complete HTML without external references, with escaped labels, the same twice, and with all six
# test images of the best method.
"$bin/report" --out page.html rec > report.log
cp page.html page-before.html
"$bin/report" --out page.html --force rec > report.log
cmp page.html page-before.html
tail -1 page.html | grep -q '^</html>$'
for tag in section figure figcaption svg title table thead tbody tr td th div ul li p text details; do
    opened=$(grep -oE "<${tag}[ >]" page.html | wc -l)
    closed=$(grep -o "</$tag>" page.html | wc -l)
    if [ "$opened" -eq 0 ] || [ "$opened" -ne "$closed" ]; then
        echo "compare.sh: <$tag> $opened times, </$tag> $closed"
        exit 1
    fi
done
[ "$(grep -o '<svg' page.html | wc -l)" -eq "$(grep -oE '<title>[^<]+</title>' page.html | sed 1d | wc -l)" ]
if grep -qiE '<script|<link|https?:|@import|url\(' page.html; then exit 1; fi
grep -qF '<h2>A &lt;b&gt; &amp; &quot;c&quot;</h2>' page.html
grep -q 'class="note".*>Trial only<' page.html
# Each of the six held-out images is right or wrong, and is among the six most uncertain ones.
[ "$(grep -o 'src="data:image/png;base64,' page.html | wc -l)" -eq 12 ]
# Means and 95 % intervals of four runs (t = 3.1824); the first entry of the confusion matrix of "linear".
plain() { sed 's/<[^>]*>/ /g'; }
grep -m 1 '<th scope="row">linear<' page.html | plain | awk '{ print $1, $3, $6, $8 }' > shown
awk -F, '$1 == "linear" { n++; v[n] = 100 * $9; sum += 100 * $9 }
    END {
        mean = sum / n
        for (i = 1; i <= n; i++) s += (v[i] - mean) ^ 2
        half = 3.182446 * sqrt(s / (n - 1) / n)
        low = mean < half ? 0 : mean - half
        high = mean + half > 100 ? 100 : mean + half
        printf "linear %.1f %.1f %.1f\n", mean, low, high
    }' a.csv > wanted
diff wanted shown
# Each other method's mean less that of the best one, within its interval; p is between 0 and 1.
sed -n '/<h3[^>]*>Differences/,/<\/table>/p' page.html | grep '<th scope="row">' |
    sed 's/<data[^>]*>//g; s/<\/data>//g; s/<[^>]*>/,/g; s/&quot;//g' |
    tr -s , > shown
sed 's/^"EPT, 5"/EPT/; s/^"""FPT"""/FPT/' a.csv > means.csv
awk -F, 'FNR == NR { if (FNR > 1) { n[$1]++; sum[$1] += 100 * $9 } next }
    {
        for (k in n) if (best == "" || sum[k] / n[k] > sum[best] / n[best]) best = k
        if (split($5, ends, " to ") != 2) { print "no interval: " $0; bad = 1 }
        d = $4 - (sum[$2] / n[$2] - sum[best] / n[best])
        if (d < -0.06 || d > 0.06 || ends[1] > $4 || ends[2] < $4 || $7 <= 0 || $7 > 1) { print "wrong: " $0; bad = 1 }
        rows++
    }
    END { for (k in n) methods++; exit bad || rows != methods - 1 }' means.csv shown
# ECE (15 bins), Brier score and NLL of "linear"; its silhouette before and after tuning.
row_of() { sed -n "/<h3[^>]*>$1/,\$p" page.html | grep -m 1 '<th scope="row">linear' | plain; }
row_of Calibration | sed 's/(before tuning)//' | awk '{ print $2, $4, $5 }' > shown
cat "rec/$entry"-*.test.csv | awk -F, '$3 ~ /^[0-2]$/ {
        n++
        best = 4
        for (c = 4; c <= 6; c++) {
            if ($c > $best) best = c
            brier += ($c - ($3 == c - 4)) ^ 2
        }
        nll -= log($($3 + 4))
        for (b = 0; b < 14 && $best > (b + 1) / 15; b++) { }
        error[b] += ($3 == best - 4) - $best
    }
    END {
        for (b in error) ece += error[b] < 0 ? -error[b] : error[b]
        printf "%.1f %.3f %.3f\n", 100 * ece / n, brier / n, nll / n
    }' > wanted
diff wanted shown
row_of Features | awk '{ print $11, $13 }' > shown
cat "rec/$entry"-*.space.csv | awk -F, '$1 ~ /_silhouette/ { n[$1]++; sum[$1] += $2 }
    END {
        b = "before_silhouette"
        a = "after_silhouette"
        printf "%.3f %.3f\n", sum[b] / n[b], sum[a] / n[a]
    }' > wanted
diff wanted shown
grep -q '<h3[^>]*>Attention that prompts take' page.html
[ "$(grep -o '<use href="#input-' page.html | wc -l)" -eq 36 ]
# Scatter before and after tuning has the same number of decimals, of every method.
sed -n '/<h3[^>]*>Features/,/<\/table>/p' page.html | plain | awk '/\342\206\222/ {
        for (i = 2; i < NF; i++)
            if ($i == "\342\206\222" && $(i + 1) ~ /[0-9]/)
                print length($(i - 1)) - index($(i - 1) ".", "."), length($(i + 1)) - index($(i + 1) ".", ".")
    }' > decimals
awk '{ bad += $1 != $2 } END { exit bad || NR < 5 }' decimals || { echo "compare.sh: decimals differ"; cat decimals; exit 1; }
mkdir plain
cp before/study.csv before/*.run.csv before/*.curve.csv before/*.test.csv plain
"$bin/report" --out plain.html plain > report.log
if grep -q '<h3[^>]*>Features\|<h3[^>]*>Attention' plain.html; then exit 1; fi
grep -q '<h3[^>]*>Calibration' plain.html
cat "rec/$entry"-*.test.csv | awk -F, '$3 == 0 && $4 >= $5 && $4 >= $6 { n++ } END { print n + 0 }' > wanted
sed -n '/<figure class="matrix/,$p' page.html | grep -m 1 '<tbody>' | plain | awk '{ print $2 }' | diff wanted -
# Missing data give a page without images; changed data and damaged records are refused.
sed "s|^data,.*|data,gone|" before/study.csv > rec/study.csv
"$bin/report" --out gone.html rec > report.log 2>&1
grep -q 'gone cannot be read' report.log
if grep -q '<img' gone.html; then exit 1; fi
cp before/study.csv rec/study.csv
must_not_report() {
    if "$bin/report" --out bad.html rec > report.log 2>&1; then exit 1; fi
    grep -q "$1" report.log || { echo "compare.sh: no '$1' in:"; cat report.log; exit 1; }
    [ ! -e bad.html ]
}
sed -i 's/^seed,1/seed,2/' rec/study.csv
for f in rec/*-2-?.*; do cp "$f" "$(echo "$f" | sed 's/-2-/-3-/')"; done
for f in before/*-1-?.*; do cp "$f" "rec/$(basename "$f" | sed 's/-1-/-2-/')"; done
must_not_report 'the data have changed since the records in rec were made'
cp before/study.csv rec/study.csv
sed 's/^\([^,]*,1\),[0-9]/\1,3/' "before/$entry-1-1.test.csv" > "rec/$entry-1-1.test.csv"
must_not_report 'test.csv: is not a record file'
sed -i 's/^samplings,.*/samplings,many/' rec/study.csv
must_not_report 'rec/study.csv: is not a record file'
rm rec/study.csv
must_not_report 'rec/study.csv: no such file'

# A study that is stopped, whose last row is incomplete as after a full disk, is resumed with equal results.
: > c.log
start='exec' study c --jobs 2 > c.log 2>&1 &
child=$!
while kill -0 $child 2> /dev/null && ! grep -q 'draw 1, run' c.log; do sleep 0.01; done
kill -INT $child 2> /dev/null || true
wait $child || true
grep -q 'compare: stopped; give --resume to continue with c.csv' c.log
[ "$(wc -l < c.csv)" -lt 13 ]
printf 'linear,linear,2,' >> c.csv
study c --jobs 2 --resume > c.log
same a c

# A run that was killed before or within the heading is begun anew; another file of one line is refused and kept.
: > empty.csv
study empty --jobs 2 --resume > c.log
same a empty
head -c 20 a.csv > begun.csv
runs=1 study begun --resume > c.log
[ "$(head -n 1 begun.csv)" = "$(head -n 1 a.csv)" ]
printf 'name,age' > other.csv
if study other --resume > c.log 2>&1; then exit 1; fi
grep -q 'other.csv: its first line is not the heading of a CSV file of compare' c.log
[ "$(cat other.csv)" = name,age ]

# Draw 2, run 1 equals finetune with seed 2.
"$bin/finetune" --backbone "$vit" --data "$data" --shots 2 --test-per-class 2 --epochs 2 --batch 2 --image-size 64 \
    --method ept --options length=5 --lr 0.1 --seed 2 --threads 2 --out ept.safetensors > finetune.log
row=$(figures a | grep '^EPT,ept,2,1,')
awk -v row="$row" '{ v[$1] = $2 }
    END {
        split(row, c, ",")
        if (sprintf("%.4f", c[9]) != v["balanced_accuracy"] || sprintf("%.4f", c[11]) != v["auroc_macro"]) exit 1
    }' finetune.log || { echo "compare.sh: finetune differs from '$row'"; cat finetune.log; exit 1; }

# A run that fails is reported, and the other runs finish; then a run that is killed.
cat > list.txt << 'END'
linear: --method linear
hot: --method full --lr 1e6 --schedule constant --optimizer sgd
END
if study d --jobs 2 > d.log 2> d.err; then exit 1; fi
grep -q '^hot, draw 2, run 1: .*PEFT_E_NONFINITE' d.err
[ "$(grep -c '^linear,' d.csv)" -eq 4 ]
[ "$(wc -l < d.csv)" -eq 5 ]
echo 'linear: --method linear --epochs 300' > list.txt
start='exec' runs=1 study e --jobs 1 > e.log 2> e.err &
child=$!
# Wait for a row: before the first run, the list is checked in a process too.
while [ ! -s e.csv ]; do sleep 0.01; done
victim=
while [ -z "$victim" ]; do victim=$(cat "/proc/$child/task/$child/children"); done
# shellcheck disable=SC2086  # the value ends with a blank
kill -KILL $victim
if wait $child; then exit 1; fi
grep -q '^linear, draw 1, run 1: killed by signal 9' e.err || { cat e.err; exit 1; }
[ "$(wc -l < e.csv)" -eq 2 ]

# Several labels per image.
for k in 1 2 3 4 5 6; do
    printf '%s 1,0,%d\n%s 0,1,%d\n' "normal/normal_$k.png" $((k % 2)) "benign/benign_$k.png" $((k % 3 == 0))
done > labels.txt
sed "s|^|$data/|" labels.txt > list-of-images.txt
data=$work/list-of-images.txt
echo 'linear: --method linear' > list.txt
shots=0 each=0 runs=1 study f > f.log
grep -q 'mAP %' f.log
grep -q 'Mean average precision' f.svg
if shots=0 each=0 runs=1 study g --records several > g.log 2>&1; then exit 1; fi
grep -q 'records: .* has several labels per image' g.log
[ ! -e g.csv ]
