#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Files of compare, report and finetune have the same bytes where the user's locale has decimal commas; folders that
# cannot be written to are refused before any work, and nothing is left.
#   outputs.sh BIN
set -eu
bin=$(cd "$1" && pwd)
vit=$(cd "$(dirname "$0")/../../.." && pwd)/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
fail() { echo "outputs.sh: $*"; exit 1; }
"$bin/phantom" --out scans --images 6 --side 32 > log
rm -r scans/normal-like
printf 'near: --method probe --options kind=knn,k=1\nlinear: --method linear --lr 0.02 --tune lr=x0.5,x1 --tune-folds 2\n' \
    > list.txt
study() { # $1: folder of the files; then further arguments
    "$bin/compare" --backbone "$vit" --data scans --shots 2 --samplings 1 --runs 1 --methods list.txt --epochs 1 \
        --csv "$1/a.csv" --summary "$1/sum.csv" --svg "$1/a.svg" --records "${2-$1/records}" > log 2>&1
}

mkdir out closed
touch file
chmod 555 closed
refuses() { # $1: words of the message; $2: --records
    if study out "$2"; then fail "not refused: --records $2"; fi
    grep -qF "compare: --records $2: $1" log || fail "no '$1': $(cat log)"
    [ -z "$(ls out closed | grep -v ':$' | grep .)" ] || fail "--records $2 left $(ls out closed)"
}
refuses "the folder 'gone' does not exist" gone/records
refuses "'file' is a file, expected a folder" file
if [ ! -w closed ]; then                                      # else the user is root
    refuses "the folder 'closed' cannot be written to" closed/records
    refuses "the folder 'closed' cannot be written to" closed
    if "$bin/report" --out closed/page.html out > log 2>&1; then fail 'report writes'; fi
    grep -qF "report: --out closed/page.html: the folder 'closed' cannot be written to" log || fail "$(cat log)"
fi

# Times differ from run to run; all else does not.
# Rows of jobs that run at the same time come in the order in which they end.
without_times() { cut -d, -f1-15 "$1" | sort; }
in_locale() { # $1: folder of the files
    mkdir -p "$1"
    study "$1" || fail "compare: $(cat log)"
    "$bin/finetune" --backbone "$vit" --data scans --method linear --epochs 1 --lr 0.02 --threshold 0.3 --force \
        --predictions "$1/p.csv" --out model.safetensors > log 2>&1 || fail "finetune: $(cat log)"
    sed '/^epoch\|seconds\|_mib\|^decoded\|p\.csv/d' log > "$1/finetune.log"
    grep -v '"date"\|p\.csv"' model.safetensors.record.json > "$1/record"
    cp model.safetensors "$1"
    "$bin/report" --force --card model.safetensors --out card.html > log || fail "card: $(cat log)"
    sed '/20[0-9][0-9]-/d' card.html > "$1/card.html"
}
in_locale out
export LOCPATH="$work/locales" LC_ALL=de_DE.UTF-8
mkdir locales
if ! localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 > log 2>&1; then
    echo 'SKIP: the locale de_DE.UTF-8 cannot be made here'
    exit 0
fi
in_locale german
# The same records give the same page in both locales.
"$bin/report" --force --out page.html german/records > log && mv page.html german
LC_ALL=C "$bin/report" --force --out page.html german/records > log && cmp page.html german/page.html
for file in p.csv finetune.log record model.safetensors card.html; do
    cmp "out/$file" "german/$file" || fail "$file depends on the locale"
done
without_times out/a.csv | sed 's/out/x/g' > c
without_times german/a.csv | sed 's/german/x/g' | cmp - c || fail 'the CSV file of compare depends on the locale'
for file in out/records/*.test.csv out/records/*.curve.csv out/a.tune.csv; do
    cmp "$file" "german/${file#out/}" || fail "$file depends on the locale"
done
