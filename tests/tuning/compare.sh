#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare --tune: wrong lists are refused with their line; what was chosen gives the figures of a run that has it as
# flags; equal choices for any number of jobs and after a kill; candidates that diverge; probes.
#   compare.sh FOLDER      FOLDER: of the programs
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
vit=$here/../../examples/data/vit_cifar10.safetensors
"$bin/phantom" --out phantoms --images 10 --side 32 > phantom.log

# Programs that a sanitizer is built into end with an error if they lose memory.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=1"
compare() {
    "$bin/compare" --backbone "$vit" --data phantoms --shots 4 --test-per-class 3 --runs 1 --epochs 2 --unchecked \
        --tune-folds 2 --samplings "${draws-2}" "$@"
}
must_refuse() {
    printf 'a: --method %b\n' "$1" > bad.txt
    if compare --methods bad.txt --csv bad.csv > bad.log 2>&1; then echo "accepted: $1"; exit 1; fi
    grep -qF -- "bad.txt:1: $2" bad.log || { echo "no '$2' in:"; cat bad.log; exit 1; }
    [ ! -e bad.csv ]
}
must_refuse 'lora --tune lr' "--tune: 'lr' is not of the form name=value"
must_refuse 'lora --tune lr=' "--tune: lr has no value; expected lr=VALUE"
must_refuse 'lora --tune lr=1,1' "--tune: lr has the value 1 twice"
must_refuse 'lora --tune lr=1,lr=2' "--tune: 'lr' is given twice"
must_refuse 'lora --tune method=lora' "--tune method: is no setting that can be chosen; expected epochs"
must_refuse 'lora --tune trainer.lr=1' "--tune trainer.lr: is a flag of its own; name it lr"
must_refuse 'lora --lr 1e-3 --tune lr=1e-3,1e-2' "--tune lr: its value is given already, 1e-3; leave that out, or"
must_refuse 'lora --options r=4 --tune options.r=4,8' "--tune options.r: its value is given already, 4"
must_refuse 'lora --tune lr=x1,2' "--tune lr: some values are multiples"
must_refuse 'lora --tune lr=xx' "--tune lr=xx: expected a decimal number behind the x"
must_refuse 'lora --tune lr=x0x1p1' "--tune lr=x0x1p1: expected a decimal number behind the x"
must_refuse 'lora --tune options.rank=1,2' "method 'lora': unknown option 'rank'"
must_refuse 'lora --tune lr=1e-3,fast' "a trainer: option 'lr' is 'fast'"
must_refuse 'lora --tune lr=1,2 --tune-search random' "--tune-search random: expected grid, halving or thirds"
must_refuse 'lora --tune lr=1,2 --tune-folds 1' "--tune-folds 1: expected 2 to 100 folds"
must_refuse 'lora --tune lr=1,2 --tune-folds 5' "--tune-folds 5: class 'benign-like' has only 4 training images"
must_refuse 'lora --tune lr=1,2 --tune-folds 2 --tune-metric map' "--tune-metric: given 'map', no such figure of images with one label; expected"
must_refuse 'lora --tune lr=1,2 --tune-folds 2 --tune-metric f1' "--tune-metric: given 'f1', no such figure"
must_refuse 'lora --tune-folds 2' "--tune-folds: has an effect only with --tune"
must_refuse 'probe --tune lr=1,2' "--tune lr: a probe is not trained in steps; expected options.NAME"
must_refuse 'probe --options kind=knn --tune options.k=3 --tune-search halving' "--tune-search: a probe is not"
must_refuse 'probe --options kind=knn --tune options.k=3,9 --tune-folds 2' "peft_probe_fit: option 'k' is 9"

# The columns of results without those of time and memory.
figures() { cut -d, -f1-15 "$1.csv" | sort; }
study() {
    name=$1
    shift
    compare --csv "$name.csv" --summary "$name-summary.csv" --svg "$name.svg" "$@" > "$name.log" 2>&1 ||
        { cat "$name.log"; exit 1; }
}
# One candidate: the figures of the same settings as flags. Multiples of a rate. The grid of the other two entries.
cat > list.txt << 'END'
flag: --method lora --lr 0.003 --options r=2
one:  --method lora --lr 0.001 --tune lr=x3,options.r=2
some: --method linear --tune lr=1e-4,1e-2,1e6 --tune-search halving
own:  --method linear --tune lr=1e-4,1e-2,1e6 --tune-search halving
      --trainer cache_features=1000,cache_file=own.features
kNN:  --method probe --options kind=knn --tune options.k=1,3
END
study a --methods list.txt --jobs 1 --records records
[ "$(grep -c 'chosen: ' a.log)" -eq 8 ]
grep -q '^one: chosen lr=0.003,options.r=2 in 2 runs$' a.log
grep -q '^some: chosen lr=1e-2 in ' a.log
grep '^flag' a.csv | cut -d, -f2-13 > flag.figures
grep '^one' a.csv | cut -d, -f2-13 | diff flag.figures -
head -1 a.csv | grep -q ',settings,chosen$'
grep -q ',"lr=0.003,options.r=2"$' records/*.run.csv
# The settings have no rate that each run chooses; multiples keep the one that they multiply.
if grep '^some' a-summary.csv | grep ' lr='; then echo 'a rate that no run was trained with'; exit 1; fi
grep '^one' a-summary.csv | grep -q ' lr=0.001 '
# Nor an option of the command line that each run chooses; the others of its list stay.
echo 'near: --method probe --tune options.k=1' > near.txt
study n --methods near.txt --options kind=knn,k=3
grep -q '^near: chosen options.k=1 in ' n.log
grep '^near' n-summary.csv | grep -q ' options=kind=knn '
[ ! -e a.tune-*.state ] && [ ! -e a.tune-*.features ]
# Halving of three candidates: three after a half, two after the whole training, in each of two draws.
[ "$(grep -c ',some,.*,0.5,balanced_accuracy,' a.tune.csv)" -eq 6 ]
[ "$(grep -c ',some,.*,1,balanced_accuracy,' a.tune.csv)" -eq 4 ]
"$bin/report" --out page.html records > report.log
grep -q '<td class="text">lr=0.003,options.r=2</td>' page.html
# "some" shares what the frozen layers make of the images among its candidates; "own" does not. Equal bits.
grep ',some,' a.tune.csv | cut -d, -f3- > one
grep ',own,' a.tune.csv | cut -d, -f3- | diff one -

sed '/^own/,+1d' list.txt > shorter.txt                       # a cache file is of one run at a time
# The interval of the difference over the two draws: t = 12.7062, standard error |d1 - d2| / 2. A dash
# for equal differences.
sed 's/<[^>]*>/ /g; s/  */ /g' page.html > page.txt
awk -F, 'NR > 1 { if (!($1 in sum)) label[++n] = $1; sum[$1] += $9; value[$1, $3] = $9 }
    END {
        best = label[1]
        for (k = 2; k <= n; k++) if (sum[label[k]] > sum[best]) best = label[k]
        for (k = 1; k <= n; k++) if (label[k] != best) {
            d1 = value[label[k], 1] - value[best, 1]; d2 = value[label[k], 2] - value[best, 2]
            half = 12.7062 * (d1 > d2 ? d1 - d2 : d2 - d1) / 2; low = 100 * ((d1 + d2) / 2 - half)
            high = 100 * ((d1 + d2) / 2 + half)
            if (half < 1e-8) printf "%s 2 [-.0-9]* [-.0-9]* to [-.0-9]* – \n", label[k]
            else printf "%s 2 [-.0-9]* [-.0-9]* to [-.0-9]* %.1f to %.1f \n", label[k], (low < -100 ? -100 : low),
                   (high > 100 ? 100 : high)
        }
    }' a.csv > intervals
[ -s intervals ]
while read -r interval; do
    grep -q -e "$interval" page.txt || { echo "no '$interval' in:"; grep ' to ' page.txt; exit 1; }
done < intervals

study b --methods shorter.txt --jobs 3
figures a | grep -v '^own' > one
figures b | diff one -
grep -v ',own,' a.tune.csv | sort > one
sort b.tune.csv | diff one -
sort a.tune.csv > one

# A search that was killed continues: what its table has is not judged again, also where a line was cut.
head -4 a.tune.csv > c.tune.csv
printf 'torn' >> c.tune.csv
head -1 a.csv > c.csv
study c --methods list.txt --jobs 1 --resume
head -4 c.tune.csv > four
head -4 a.tune.csv | diff four -
sort c.tune.csv | diff one -
figures a > one
figures c | diff one -
echo 'other,table' > c.tune.csv
if compare --methods list.txt --csv c.csv --resume > bad.log 2>&1; then exit 1; fi
grep -qF 'c.tune.csv: is no table of --tune; remove the file' bad.log

# A rate that makes training diverge is the worst, and is an error if there is no other.
printf 'a: --method full --tune lr=1e-5,1e6 --trainer clip_norm=0\nb: --method full --tune lr=1e6,1e5\n' > list.txt
draws=1
if compare --methods list.txt --csv d.csv --jobs 1 > d.log 2>&1; then exit 1; fi
grep -q '^a: chosen lr=1e-5 in 1 run$' d.log
grep -q ',a,lr=1e6,1,balanced_accuracy,,$' d.tune.csv
[ "$(grep -c '^b, draw .*--tune: the training of every candidate gave values that are not finite' d.log)" -eq 1 ]
