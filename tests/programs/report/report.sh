#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The page of report for unusual records: one image, one method, unfinished runs, many classes, methods and studies,
# names with special characters. No value is printed as "nan", CSV files hold the numbers of the page, and
# mistakes are named.
#   report.sh BIN
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "report.sh: $*"; exit 1; }
records() { sh "$here/records.sh" "$@"; }
page() { # $1: name of the page; then arguments of report
    name=$1
    shift
    "$bin/report" --out "$name.html" "$@" > "$name.log" 2>&1 || { cat "$name.log"; fail "$name: refused"; }
    sed '/^<style>/,/<\/style>/d; s/data:text[^"]*//g' "$name.html" > "$name.text"
    if grep -nE '(^|[^a-z])-?(nan|inf)([^a-z]|$)' "$name.text"; then fail "$name: a value is not a number"; fi
    if grep -nE -- '>-0(\.0*)?<' "$name.text"; then fail "$name: a negative zero"; fi
    for tag in section figure figcaption svg title table caption thead tbody tr td th div ul li p text details \
        data a; do
        opened=$(grep -oE "<${tag}[ >]" "$name.html" | wc -l)
        closed=$(grep -o "</$tag>" "$name.html" | wc -l)
        [ "$opened" -eq "$closed" ] || fail "$name: <$tag> $opened times, </$tag> $closed"
    done
    # Each link within the page has its target, which is there once.
    grep -oE 'href="#[^"]*"' "$name.html" | sed 's/href="#//; s/"//' | sort -u > links
    grep -oE ' id="[^"]*"' "$name.html" | sed 's/ id="//; s/"//' | sort > ids
    [ -z "$(uniq -d ids)" ] || fail "$name: the same id twice: $(uniq -d ids)"
    [ -z "$(comm -23 links ids)" ] || fail "$name: a link to nowhere: $(comm -23 links ids)"
    # Each figure that is drawn has a title, a description and its values.
    [ "$(grep -c '<svg[^>]*class="ink"' "$name.html")" -eq "$(grep -c '^<desc>' "$name.html")" ] || fail "$name: <desc>"
    figures=$(grep -c '<figure>' "$name.html" || true)
    [ "$(grep -c '<summary>Values' "$name.html" || true)" -eq "$figures" ] || fail "$name: a figure without values"
}

# One image: the interval of a difference is not defined.
records single 2 2 1 1 1 linear
page single single
grep -A 4 'less that of' single.text | grep '<th scope="row">' | grep -q '<td>–</td>' ||
    fail 'no dash for an interval that is not defined'
records one 2 1 1 1 6
page one one
if grep -q 'Differences to the best method' one.html; then fail 'one method differs from nothing'; fi
grep -q 'has no entry with method linear' one.html || fail 'no note on the missing linear probe'
records class 1 1 1 1 3
page class class
records quiet 2 1 1 1 6 epochs=0
page quiet quiet
if grep -q 'Learning curves' quiet.html; then fail 'learning curves without epochs'; fi
records empty 2 2 1 1 6 none
page empty empty
grep -q 'No run is done yet' empty.html || fail 'no word on records without runs'
# Settings that folds chose: a row for each choice, with the number of runs that have it.
records chosen 2 2 2 2 6 chosen
page chosen --csv choices chosen
tail -n +2 choices/*-settings-chosen-by-folds-of-the-training-images.csv | tr -d '\r' > shown
printf '%s\n' 'method 1,lr=0.01,1' 'method 1,lr=0.02,3' | diff - shown || fail 'settings chosen by folds'
if grep -q 'Settings chosen by folds' one.html; then fail 'choices of a study without any'; fi
records partial 3 3 2 2 12 partial
page partial partial
grep -qF '<data value="1">1</data> of <data value="4">4</data>' partial.html || fail 'runs of the plan'
records many 20 9 2 1 60 names
page many many
grep -qF '&lt;1&gt; &amp; &quot;Überaus&quot;' many.html || fail 'names are not escaped'
if grep -q '<1>' many.html; then fail 'a name became an element'; fi
page nine one one one one one one one one many
page same one quiet
grep -q '<h2>images (quiet)</h2>' same.html || fail 'studies of the same title are not told apart'
[ "$(grep -c '<section class="study"' nine.html)" -eq 9 ] || fail 'nine studies'

# Two draws with equal differences: no interval over draws (of width 0), and a word on so few draws.
records equal 2 2 2 1 12
for key in 1 2; do
    for file in equal/000000000000000$key-*.run.csv; do
        awk -F, -v OFS=, -v value="0.$((9 - key))" 'NR == 2 { $9 = value } { print }' "$file" > edited
        mv edited "$file"
    done
done
page equal equal
row=$(grep -A 4 'less that of' equal.text | grep '<th scope="row">')
[ "$(echo "$row" | grep -o '<td>–</td>' | wc -l)" -eq 1 ] || fail "an interval over equal differences: $row"
grep -q 'The interval over 2 draws is wide' equal.text || fail 'no word on two draws'
page varied partial
if grep -q 'With a single draw' varied.text; then fail 'three draws are called one'; fi

# Without an entry linear a logistic probe stands for the state before tuning. Images are named with their folder.
sed -i 's/,lora,rank=1/,probe,shots=2 method=probe options=kind=logistic/' equal/study.csv
for file in equal/*.test.csv; do sed -i 's,^image ,scans/test/benign/000,' "$file"; done
page probe equal
grep -qF 'method 1 (before tuning)' probe.text || fail 'the logistic probe does not stand for the state before tuning'
grep -qF 'class="name">benign/000' probe.text || fail 'an image without its folder'

# The CSV files beside the page, by both forms, are those in its links; the table says the same.
page linked partial
page beside --csv figures partial
[ "$(grep -o 'href="data:' linked.html | wc -l)" -eq "$(ls figures | wc -l)" ] ||
    fail 'links and files differ in number'
if grep -q 'data:text' beside.html; then fail 'a data link beside files'; fi
unescape() { # %XX of a data: link
    awk 'BEGIN { for (i = 0; i < 256; i++) byte[sprintf("%02X", i)] = i }
        { n = split($0, part, "%"); printf "%s", part[1]
          for (i = 2; i <= n; i++) printf "%c%s", byte[substr(part[i], 1, 2)], substr(part[i], 3) }'
}
for file in figures/*; do
    grep -qF "href=\"$file\"" beside.html || fail "no link to $file"
    grep -oE "download=\"$(basename "$file")\" href=\"[^\"]*" linked.html | sed 's/.*utf-8,//' |
        LC_ALL=C unescape > text
    cmp -s text "$file" || fail "$file is not what the link holds"
done
table=figures/study-1-01-mean-results-of-each-method.csv
grep -oE '<data value="[^"]*"' linked.html | head -3 | sed 's/.*value="//; s/"//' | paste -sd, > shown
awk -F, 'NR == 2 { print $2 "," $4 "," $5 }' "$table" > wanted
diff wanted shown || fail 'the table and its CSV file differ'
sed 's/\r//' "$table" | sed 2,4!d | tr ',.' ';,' > wanted
sed 's/\r//' "${table%.csv}-decimal-comma.csv" | sed 2,4!d | diff wanted - || fail 'decimal commas'
[ "$(head -c 3 "${table%.csv}-decimal-comma.csv" | od -An -tx1 | tr -d ' ')" = efbbbf ] || fail 'no byte order mark'

# The script is there only when asked for, and is the one that the page's policy allows.
if grep -q '<script' linked.html; then fail 'a script that nobody asked for'; fi
page local --local-numbers partial
hash=$(sed -n 's|.*<script>\(.*\)</script>.*|\1|p' local.html | tr -d '\n' | sha256sum | cut -c 1-64 | tr a-f A-F |
    basenc --base16 -d | base64)
grep -qF "script-src 'sha256-$hash'" local.html || fail "the policy does not allow the script, of SHA-256 $hash"

refused() { # $1: words of the message; then arguments of report
    words=$1
    shift
    if "$bin/report" "$@" > log 2>&1; then fail "not refused: $*"; fi
    grep -qF -- "$words" log || { cat log; fail "no '$words'"; }
}
refused 'the folder figures exists already' --out other.html --csv figures partial
refused "expected the name of a folder beside the page" --out other.html --csv a/b partial
refused 'is a file, expected a folder' --out other.html --csv links partial
refused 'the name of the page' --out other.html --csv other.html partial
[ ! -e other.html ] || fail 'a page in spite of a mistake'
page again --csv figures --force partial
# Only the command at the foot differs.
if diff again.html beside.html | grep '^[<>]' | grep -v 'report --out'; then fail 'the same records give another page'; fi
echo 'report.sh: unusual records, CSV files and mistakes'
