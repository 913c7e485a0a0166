#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# report of a study of masks: its figures against those computed here from the recorded cases; intervals and tests by
# patient; the best, the median and the worst case with overlays; records that are missing or broken.
#   masks.sh BIN
set -eu
export LC_ALL=C
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "report/masks.sh: $*"; cat log; exit 1; }
vit=$here/../../../examples/data/vit_cifar10.safetensors

"$bin/phantom" --out ph --images 8 --side 48 --masks --difficulty 0.2 > log
printf '%s\n' 'head: --method linear --lr 1e-2' 'LoRA: --method lora --lr 1e-2' > list.txt
"$bin/compare" --backbone "$vit" --data ph/images --masks ph/masks --mask-options classes=tissue:benign:malignant \
    --methods list.txt --shots 4 --samplings 2 --runs 1 --epochs 4 --judge-every 2 --csv a.csv --summary a-s.csv \
    --svg a.svg --records rec > log 2>&1 || fail compare
page() { "$bin/report" --out "$1.html" --csv "$1-csv" --force "$1" > log 2>&1 || fail "report $1"; }
key() { awk -F, -v label="$1" '$1 == "entry" && $2 == label { print $3 }' rec/study.csv; }
head=$(key head) lora=$(key LoRA)

# --- as it is: captions of the shown cases, against the recorded ones -------------------------------------------------
page rec
for words in '<h3[^>]*>Figures of each class' '<h3[^>]*>Dice of each case' 'Dice on the held-out cases, %' \
    '3 classes of pixels (tissue' 'The records do not say which cases are of one patient'; do
    grep -q "$words" rec.html || fail "no '$words'"
done
if grep -q '<h3[^>]*>Confusion\|<h3[^>]*>Reliability\|<h3[^>]*>Calibration' rec.html; then fail 'parts of classes'; fi
# Mean Dice and HD95 of each case in a file of cases, "index,dice,hd95", the largest Dice first.
ranked() {
    awk -F, 'NR > 1 && $3 != "tissue" {
            case_of[$1] = case_of[$1] == "" ? n++ : case_of[$1]; i = case_of[$1]
            if ($6 != "") { dice[i] += $6; d[i]++ }
            if ($10 != "" && $10 != "inf") { hd[i] += $10; h[i]++ } }
        END { for (i = 0; i < n; i++) if (d[i])
            printf "%.9f,%d,Dice %.1f %%, %s\n", dice[i] / d[i], i, 100 * dice[i] / d[i],
                h[i] ? sprintf("HD95 %.1f px", hd[i] / h[i]) : "no HD95" }' "$1" | sort -t, -k1,1nr -k2,2n
}
for method in "$head" "$lora"; do
    ranked "rec/$method-1-1.cases.csv" > order
    n=$(wc -l < order)
    for rank in "best 1" "median $(((n + 1) / 2))" "worst $n"; do
        row=$(sed -n "${rank#* }p" order)
        name=${rank% *}
        [ "$(awk -F, -v rank="$name" '$1 == rank { print $2 }' "rec/$method-1-1.masks.csv")" = \
            "$(echo "$row" | cut -d, -f2)" ] || fail "$name of $method is another case"
        grep -qF "<title>$name case: $(echo "$row" | cut -d, -f3-)</title>" rec.html || fail "no $name of $method: $row"
    done
done
# Labels of a recorded mask: as many pixels of each class as the figures of the case say.
awk -F, 'FNR == NR { if (FNR > 1) for (k = split($6, run, " "); k; k--) { split(run[k], v, "*"); got[$2 "," v[1]] += v[2] }
        next }
    FNR > 1 { i = int((FNR - 2) / 3); c = (FNR - 2) % 3; for (j = 0; j < 3; j++) known[i] += got[i "," j]
        if (known[i] && got[i "," c] + 0 != $5) { print i, c, got[i "," c], $5; exit 1 } }' \
    "rec/$lora-1-1.masks.csv" "rec/$lora-1-1.cases.csv" > log || fail 'a recorded mask is not that of the figures'
# Each shown case has its picture, unchanged in all of them, and an overlay.
[ "$(grep -c '<svg class="overlay"' rec.html)" -eq 6 ] || fail 'not six overlays'
[ "$(grep -o 'class="cells" href="data:image/png;base64,' rec.html | wc -l)" -eq 12 ] || fail 'not six pictures'
[ "$(grep -c '<th scope="col">Unit' rec.html)" -eq 2 ] || fail 'no unit of the distances of each shown case'

# --- known figures: four patients with two cases each, and one case without patient ------------------------------------
cp -r rec known
rm -f known/*-2-1.* known/*.masks.csv
sed -i 's/^samplings,.*/samplings,1/' known/study.csv
heading=$(head -n 1 "rec/$head-1-1.cases.csv")
# $1: seed of the values; $2: added to Dice. Two classes; in case 3 neither mask has the second, in case 6 the true one
# alone, and its pixels are predicted to be tissue.
cases() {
    echo "$heading"
    awk -v seed="$1" -v more="$2" -v CONVFMT=%.9g 'BEGIN {
        srand(seed)
        for (i = 0; i < 9; i++) for (c = 0; c < 3; c++) {
            both = int(1000 * (0.4 + 0.03 * i + 0.2 * rand() + more))
            truth = predicted = 1000
            if (c == 2 && i == 6) both = predicted = 0
            if (c == 0 && i == 6) predicted = 2000
            if (c == 2 && i == 3) both = truth = predicted = 0
            n = truth + predicted
            printf "case%d,%s,%s,%d,%d,%s,%s,%s,%s,%s,%s,px,1\n", i, i < 8 ? "patient" int(i / 2) : "",
                c == 0 ? "tissue" : c == 1 ? "benign" : "malignant", truth, predicted, n ? 2 * both / n : "",
                n ? both / (n - both) : "", predicted ? both / predicted : "", truth ? both / truth : "",
                !n ? "" : predicted ? 2 + i : "inf", !n ? "" : predicted ? 1 + c : "inf" } }'
}
cases 1 0.1 > "known/$head-1-1.cases.csv"
cases 2 0 > "known/$lora-1-1.cases.csv"
# The means of a run are those of its cases: Dice, IoU and distances, in columns 6, 7, 10 and 11 of the cases; first those
# of the classes but tissue, the background, then those of each class.
for method in "$head" "$lora"; do
    means=$(awk -F, '
        function mean(k) { return (s["benign", k] / n["benign", k] + s["malignant", k] / n["malignant", k]) / 2 }
        NR > 1 { for (k = 6; k <= 11; k++) if ($k != "" && $k != "inf") { s[$3, k] += $k; n[$3, k]++ } }
        END {
            printf "%.10g,%.10g,%.10g,%.10g", mean(6), mean(7), mean(10), mean(11)
            split("tissue benign malignant", name, " ")
            for (c = 1; c <= 3; c++) for (k = 6; k <= 11; k++)
                if (k < 8 || k > 9) printf ",%.10g", s[name[c], k] / n[name[c], k]
        }' "known/$method-1-1.cases.csv")
    awk -F, -v OFS=, -v means="$means" 'NR == 1 { for (k = 1; k <= NF; k++) if ($k == "dice_tissue") first = k }
        NR == 2 {
            split(means, m, ",")
            $7 = 9
            for (k = 1; k <= 4; k++) $(7 + k) = m[k]
            for (k = 1; k <= 12; k++) $(first + k - 1) = m[4 + k]
        }
        { print }' "rec/$method-1-1.run.csv" > "known/$method-1-1.run.csv"
done
mv ph gone
page known
grep -q 'its masks cannot be read' log || fail 'no word on missing data'
# By class: mean Dice, HD95 over finite ones, and cases with the class in one mask alone.
awk -F, 'FNR > 1 && $6 != "" { n++; d += $6 } FNR > 1 && $10 != "" && $10 != "inf" { h += $10; k++ } $10 == "inf" { one++ }
    $3 != "malignant" { n = k = d = h = one = 0 }
    $3 == "malignant" { N += n; D += d; H += h; K += k; O += one; n = k = d = h = one = 0 }
    END { printf "%d %.4f %.4f %d\n", N, 100 * D / N, H / K, O }' "known/$head-1-1.cases.csv" > wanted
awk -F, '$1 == "head" && $2 == "malignant" { printf "%d %.4f %.4f %d\n", $3, $4, $10, $NF }' \
    known-csv/*figures-of-each-class.csv > shown
cmp wanted shown > log 2>&1 || fail "figures of a class: $(cat shown), expected $(cat wanted)"
# The difference of pairs, p by all 2^5 swaps of patients, and its bootstrap interval; report draws 2,000 of each.
tail -n +2 "known/$lora-1-1.cases.csv" > other
tail -n +2 "known/$head-1-1.cases.csv" | paste -d, - other | awk -F, '
    function difference(  c, sum) {
        for (c in s) { sum += s[c] / n[c] }
        return sum / 2
    }
    $3 != "tissue" && $6 != "" && $19 != "" {
        g = $2 == "" ? 4 : substr($2, 8)
        value[$3 "," g] += $19 - $6; count[$3 "," g]++ }
    END {
        split("benign malignant", name, " ")
        for (k = 0; k < 32; k++) {
            for (c = 1; c <= 2; c++) s[c] = n[c] = 0
            for (g = 0; g < 5; g++) for (c = 1; c <= 2; c++) {
                s[c] += (int(k / 2 ^ g) % 2 ? -1 : 1) * value[name[c] "," g]; n[c] += count[name[c] "," g] }
            d = difference()
            if (!k) first = d
            more += (d < 0 ? -d : d) >= (first < 0 ? -first : first) - 1e-12
        }
        srand(7)
        for (r = 0; r < 20000; r++) {
            for (c = 1; c <= 2; c++) s[c] = n[c] = 0
            for (k = 0; k < 5; k++) {
                g = int(5 * rand())
                for (c = 1; c <= 2; c++) { s[c] += value[name[c] "," g]; n[c] += count[name[c] "," g] } }
            printf "%.6f\n", 100 * difference() > "resamples"
        }
        printf "%.6f %.6f\n", 100 * first, more / 32 }' > wanted
sort -n resamples | awk '{ v[NR] = $1 } END { print v[500], v[19500] }' >> wanted
grep '^LoRA,' known-csv/*dice-less-that-of-head-percentage-points.csv > shown || fail 'no row of differences'
awk -F, 'FNR == NR { split($0, w, " "); if (FNR == 1) { d = w[1]; p = w[2] } else { low = w[1]; high = w[2] } next }
    function far(a, b, most) { return a - b > most || b - a > most }
    { width = high - low
      if ($2 != 1 || $3 != 5 || far($4, d, 1e-4)) { print "difference or patients"; exit 1 }
      if (far($5, low, 0.1 * width) || far($6, high, 0.1 * width)) { print "interval"; exit 1 }
      if (far($9, p, 5 * sqrt(p / 2000))) { print "p"; exit 1 } }' wanted shown > log ||
    fail "the test of pairs: $(cat shown), expected $(cat wanted)"
grep -q 'All cases of a patient are drawn, and swapped, together' known.html || fail 'not by patient'
# The box: quartiles of the cases, linear between two values.
ranked "known/$head-1-1.cases.csv" | cut -d, -f1 | sort -n | awk '{ v[NR] = 100 * $1 }
    END { for (q = 0; q < 5; q++) { a = q / 4 * (NR - 1); i = int(a)
        printf "%.6f ", v[i + 1] + (a - i) * ((i + 2 in v ? v[i + 2] : v[i + 1]) - v[i + 1]) } }' > wanted
sed -n 's/.*<th scope="row">head<\/th><td><data value="9">9<\/data><\/td>//p' known.html | head -n 1 |
    sed 's/<data value="\([0-9.]*\)">[^<]*/\1 /g; s/<[^>]*>//g' | awk '{ for (i = 1; i <= 5; i++) printf "%.6f ", $i }' > shown
cat wanted shown | awk '{ gsub(/[^0-9.]+/, " "); n = split($0, v, " "); for (i = 1; i <= 5; i++) {
    d = v[i] - v[5 + i]; if (n != 10 || d * d > 1e-6) exit 1 } }' || fail "quartiles: $(cat shown), expected $(cat wanted)"
mv gone ph

# --- records that are missing or broken ----------------------------------------------------------------------------------
cp -r rec less
rm "less/$head-1-1.masks.csv" "less/$lora-2-1.cases.csv"
page less
grep -q "$lora-2-1.cases.csv: there is no such file; this run is left out" log || fail 'a missing file of cases'
grep -q 'head: compare records masks of the first run' less.html || fail 'missing masks are not named'
rm -r less
cp -r rec less
run=1-1
broken() { # $1: kind; $2: a sed program that spoils it; $3: words of the message
    cmp -s "rec/$lora-$run.$1.csv" "less/$lora-$run.$1.csv" || fail 'the records are not whole'
    sed -i "$2" "less/$lora-$run.$1.csv"
    if cmp -s "rec/$lora-$run.$1.csv" "less/$lora-$run.$1.csv"; then fail "changes nothing: $2"; fi
    if "$bin/report" --out x.html less > log 2>&1; then fail "accepted: $2"; fi
    grep -q "$lora-$run.$1.csv.*$3" log || fail "no '$3'"
    cp "rec/$lora-$run.$1.csv" less
}
broken cases '3d' 'expected class'
broken cases '2s/px,1$/cm,1/' 'unit'
broken cases 's/,benign,/,other,/' 'is not a record file'
# Figures that contradict each other; columns of the cases: 4 and 5 pixels, 6 to 11 figures.
set_field() { printf '%s' "s/^\(\([^,]*,\)\{$(($1 - 1))\}\)[^,]*/\1$2/"; }
line=$(awk -F, 'NR > 1 && $4 == 0 && $5 > 0 { print NR; exit }' "rec/$lora-1-1.cases.csv")
broken cases "$line$(set_field 6 1)" ":$line: dice is 1; with 0 true and .* expected 0 or less"
broken cases "$line$(set_field 7 1)" ":$line: iou is 1; with .* expected 0"
broken cases "$line$(set_field 8 0.5)" ":$line: precision is 0.5"
broken cases "$line$(set_field 9 0)" ":$line: recall is 0; .* expected empty"
broken cases "$line$(set_field 10 2)" ":$line: hd95 is 2; .* expected inf"
broken cases "$line$(set_field 11 '')" ":$line: surface_distance is empty; .* expected inf"
broken cases "$line$(set_field 4 5)" ":$line: recall is empty; .* expected 0"
broken cases "$line$(set_field 5 0)" ":$line: dice is 0; .* expected empty"
broken cases '2s/tissue,\([0-9]*\)/tissue,1\1/' ':2: [a-z]* is .* true and .* expected'
line=$(awk -F, 'NR > 1 && $3 != "tissue" && $10 != "" && $10 != "inf" { print NR; exit }' "rec/$lora-1-1.cases.csv")
broken cases "$line$(set_field 10 99)" 'the mean hd95 of the cases is .*1-1.run.csv has'
broken run "2$(set_field 8 0.99)" ' has 0.99'
line=$(awk -F, 'NR > 1 && $3 == "tissue" && $10 != "" && $10 != "inf" && $10 != 0 { print NR; exit }' \
    "rec/$lora-1-1.cases.csv")
broken cases "$line$(set_field 10 98)" 'the mean hd95 of class tissue of the cases is .*1-1.run.csv has'
sed -i 's/$/\r/' "less/$lora-1-1.cases.csv" "less/$lora-1-1.masks.csv"
"$bin/report" --out windows.html less > log 2>&1 || fail 'line ends of Windows'
cp "rec/$lora-1-1.cases.csv" "rec/$lora-1-1.masks.csv" less
broken cases 's/,px,1$/,mm,1/' ':[0-9]*: unit of case .* is another than in'
line=$(awk -F, 'NR > 4 && NR % 3 == 2 && $4 != last { print NR; exit } NR % 3 == 2 { last = $4 }' "rec/$lora-1-1.cases.csv")
swapped=$((line - 3)),$((line - 1))
run=2-1                                                       # without recorded masks
broken cases "$swapped{H;d};$((line + 2)){G;s/\\n\\n/\\n/}" ":$((line - 3)): expected the same case as in"
run=1-1
broken masks '2s/^best/worst/' ':2: the worst case is '
broken masks 's/ 2\*/ 0*/g' ':[234]: the mask of case .* pixels of class'
image=$(sed -n '2s/^best,[0-9]*,\([0-9]*\),.*/\1/p' "rec/$lora-1-1.masks.csv")
broken masks "2$(set_field 3 $(((image + 1) % 12)))" ":2: image $(((image + 1) % 12)) is none of case"
cp -r rec spaced                                              # --spacing, and the distances of a case in pixels
sed -i 's/,px,1$/,mm,1/' spaced/*.cases.csv
if "$bin/report" --out x.html spaced > log 2>&1; then fail 'px became mm'; fi
grep -q 'the spacing of its pixels is not known, and the records in spaced have its distances in mm' log || fail 'unit'
sed -i 's/ shots=/ spacing=1:1 shots=/' spaced/study.csv      # such as in a path of the settings
if "$bin/report" --out x.html spaced > log 2>&1; then fail 'settings with the text " spacing="'; fi
grep -q '^spacing,$' spaced/study.csv || fail 'no row of --spacing'
cp -r spaced former                                           # records without this row
sed -i '/^spacing,/d' former/study.csv
"$bin/report" --out x.html former > log 2>&1 || fail 'distances in mm with --spacing, without its row'
rm x.html
sed -i 's/^spacing,.*/spacing,1:1/; s/ spacing=1:1 shots=/ shots=/' spaced/study.csv
"$bin/report" --out x.html spaced > log 2>&1 || fail 'distances in mm with --spacing'
rm x.html
sed -i 's/,mm,1$/,px,1/' "spaced/$lora-1-1.cases.csv"
if "$bin/report" --out x.html spaced > log 2>&1; then fail 'mm became px'; fi
grep -q "spaced/$lora-1-1.cases.csv:2: unit is px, and the study was made with --spacing" log || fail 'unit, --spacing'
for program in '2s/,48,48,/,48,49,/' '2s/\*/*9/' '2s/^best/first/' '2s/^best,[0-9]*/best,99/' '2s/,48,48,[0-9]/,48,48,7/' \
    '2s/ [^ ]*,\([0-9a-f]*\)$/,\1/'; do
    broken masks "$program" 'is not a record file'
done
"$bin/phantom" --out swapped --images 8 --side 48 --masks --seed 9 > log
cp -r ph/masks kept
cp -r swapped/masks/. ph/masks
if "$bin/report" --out x.html rec > log 2>&1; then fail 'changed masks'; fi
grep -q 'the masks have changed: restore them' log || fail 'no word on changed masks'
cp -r kept/. ph/masks
# Other pictures of the same names and sizes, with the same masks.
cp -r ph/images pictures
cp -r swapped/images/. ph/images
if "$bin/report" --out x.html rec > log 2>&1; then fail 'changed pictures'; fi
grep -q 'ph/images/.*: the picture differs from the one in the records in rec; restore the picture' log ||
    fail 'no word on changed pictures'
cp -r rec older                                               # records of an earlier version know no digests
sed -i 's/,[^,]*$//' older/*.masks.csv
"$bin/report" --out x.html older > log 2>&1 || fail 'records without digests'
rm x.html
cp -r pictures/. ph/images
"$bin/phantom" --out bigger --images 8 --side 64 --masks > log
cp bigger/images/*/*.png ph/images/benign-like/ 2> log || true
if "$bin/report" --out x.html rec > log 2>&1; then fail 'changed data'; fi
[ ! -e x.html ] || fail 'a page in spite of an error'
echo 'report/masks.sh: a page of masks'
