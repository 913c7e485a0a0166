#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures what rates chosen by folds gain (docs/results.md, "Rates chosen by folds"): the list examples/lists/tuned.txt
# on breast ultrasound and chest X-rays, ten images a class, five draws. Continues a measurement that was stopped, and
# prints the tables of what is there.
#   tuned_rates.sh FOLDER OUT [FLAGS]   FOLDER: of the programs; OUT: where CSV files, records and pages go; FLAGS of
#                                       compare, such as --jobs 1. PEFT_SHARED: the folder with data/busi and others.
#   tuned_rates.sh --table CSV          only the table of a CSV file of compare
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/student.sh"

# Rows of labels: balanced accuracy and AUROC (mean +- standard deviation over the draws), and the differences of
# balanced accuracy from the entry "linear" and, of "X tuned", from "X", with the 95 % interval of their mean by Student's
# t over the draws.
table() {
    awk -F, -v student="$student" '
    BEGIN { split(student, t, " ") }
    NR > 1 {
        if (!($1 in seen)) label[++labels] = $1
        seen[$1] = 1
        value[$1, $3] += $9; auroc[$1, $3] += $11; runs[$1, $3]++
        if ($3 > draws) draws = $3
        chosen = $NF == "" || $NF ~ /settings|libpeft/ ? "" : $NF
        gsub(/"/, "", chosen)
        if (chosen != "" && !count[$1, chosen]++) list[$1] = list[$1] (list[$1] == "" ? "" : "\n") chosen
    }
    function mean_of(a, which,   d, n, s, q, x) {
        for (d = 1; d <= draws; d++) if ((a, d) in runs) {
            x = 100 * (which ? auroc[a, d] : value[a, d]) / runs[a, d]
            n++; s += x; q += x * x
        }
        return sprintf("%.1f +- %.1f", s / n, n > 1 ? sqrt((q - s * s / n) / (n - 1) * (q > s * s / n)) : 0)
    }
    function difference(a, b,   d, n, s, q, x, sd, h) {
        if (a == b || !(b in seen)) return ""
        for (d = 1; d <= draws; d++) if ((a, d) in runs && (b, d) in runs) {
            x = 100 * (value[a, d] / runs[a, d] - value[b, d] / runs[b, d])
            n++; s += x; q += x * x
        }
        if (n < 2 || n > 10) return "-"
        sd = q > s * s / n ? sqrt((q - s * s / n) / (n - 1)) : 0
        h = t[n - 1] * sd / sqrt(n)
        return sprintf("%+.1f [%+.1f, %+.1f]", s / n, s / n - h, s / n + h)
    }
    END {
        print "| method | draws | balanced accuracy, % | macro AUROC, % | minus linear | minus fixed | chosen (draws) |"
        print "|---|---|---|---|---|---|---|"
        for (k = 1; k <= labels; k++) {
            a = label[k]; fixed = a; n = 0; text = ""
            if (!sub(/ tuned$/, "", fixed)) fixed = a
            for (d = 1; d <= draws; d++) n += (a, d) in runs
            m = split(list[a], c, "\n")
            for (i = 1; i <= m; i++) text = text (i > 1 ? ", " : "") c[i] " (" count[a, c[i]] ")"
            printf "| %s | %d | %s | %s | %s | %s | %s |\n", a, n, mean_of(a, 0), mean_of(a, 1),
                   difference(a, "linear"), difference(a, fixed), text
        }
    }' "$1"
}

if [ "${1-}" = --table ]; then table "$2"; exit; fi
[ $# -ge 2 ] && [ -n "${PEFT_SHARED-}" ] || { sed -n '3,9p' "$0"; exit 2; }
bin=$1 out=$2
shift 2
mkdir -p "$out"
for data in busi chest_xray; do
    csv=$out/$data.csv
    [ ! -e "$csv" ] || resume=--resume
    "$bin/compare" --backbone "$PEFT_SHARED/data/vit/deit_tiny_patch16_224.safetensors" \
        --data "$PEFT_SHARED/data/$data" --title "$data" --methods "$here/../../examples/lists/tuned.txt" \
        --shots 10 --test-per-class 120 --samplings 5 --runs 1 --csv "$csv" --summary "$out/$data-summary.csv" \
        --svg "$out/$data.svg" --records "$out/$data.records" ${resume-} "$@"
    unset resume
    "$bin/report" --force --out "$out/$data.html" "$out/$data.records"
done
for data in busi chest_xray; do
    printf '\n%s\n\n' "$data"
    table "$out/$data.csv"
done
