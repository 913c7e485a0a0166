#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare --maps and report: maps of the images that the page shows, of the first run of each entry; overlays that lie
# where the network sees a picture that is not square, beside the picture and not in it; kinds and methods without maps
# are named; records without maps, and records that are broken.
#   maps.sh BIN
set -eu
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "maps.sh: $*"; exit 1; }
vit=$here/../../../examples/data/vit_cifar10.safetensors

# Pictures of 48 x 32 pixels, noise with a bright left (class a) or right half (class b).
mkdir -p data/a data/b
for class in a b; do
    for k in 1 2 3 4 5 6; do
        LC_ALL=C awk -v class=$class -v k=$k 'BEGIN {
            srand(k); printf "P5\n48 32\n255\n"
            for (i = 0; i < 48 * 32; i++)
                printf "%c", 40 + int(20 * rand()) + ((i % 48 < 24) == (class == "a") ? 60 : 0) }' > data/$class/$k.pgm
    done
done
# The shorter side stays, and of the longer one the network sees the middle 32 pixels: columns 8 to 40.
printf '%s\n' 'ept: --method ept --lr 0.03' 'lora: --method lora' 'probe: --method probe --options kind=knn,k=1' > list.txt
study() { # $1: name; then more arguments
    name=$1
    shift
    "$bin/compare" --backbone "$vit" --data data --methods list.txt --shots 2 --samplings 2 --runs 1 --epochs 1 \
        --preprocess size=32,resize=shorter,crop_pct=1 --csv "$name.csv" --summary "$name-s.csv" --svg "$name.svg" \
        --records "$name" "$@" > log 2>&1
}
study rec --maps rollout,ept,cam || { cat log; fail 'compare --maps'; }
[ "$(find rec -name '*.maps.csv' | wc -l)" -eq 3 ] || fail 'not a record for the first run of each entry'
[ "$(find rec -name '*-1-1.maps.csv' | wc -l)" -eq 3 ] || fail 'records of another run than the first'
key() { awk -F, -v label="$1" '$1 == "entry" && $2 == label { print $3 }' rec/study.csv; }
ept=rec/$(key ept)-1-1.maps.csv lora=rec/$(key lora)-1-1.maps.csv probe=rec/$(key probe)-1-1.maps.csv
for kind in rollout ept cam; do
    grep -q "^$kind,[0-9]*,[01]*,48,32,8,0,40,32,8,8," "$ept" || { cut -c 1-80 "$ept"; fail "geometry of $kind"; }
    grep -q "^$kind,,,,,,,,,,,,a probe " "$probe" || fail "no word on $kind of a probe"
done
grep -q '^ept,,,,,,,,,,,,.*no block' "$lora" || fail 'no word on prompts that lora lacks'
grep -q '^cam,' "$lora" || fail 'lora has no Grad-CAM'
awk -F, 'NF != 13 && !/"/ { exit 1 }' "$ept" || fail 'fields of a row'

# --- the page ----------------------------------------------------------------------------------------------------------
only() { # $1: folder; $2: label: a copy of the records in which this entry is the only one
    cp -r rec "$1"
    awk -F, -v label="$2" '$1 != "entry" || $2 == label' rec/study.csv > "$1/study.csv"
}
page() {
    "$bin/report" --out "$1.html" --force "$1" > log 2>&1 || { cat log; fail "report $1"; }
}
only of-ept ept
page of-ept
# The page shows the images that the record has, each with three maps over the picture.
grep -oE '<title>held-out image [0-9]*' of-ept.html | grep -oE '[0-9]*$' | sort -n > shown
cut -d, -f2 "$ept" | sed 1d | sort -nu > recorded
sort -nu shown | diff recorded - || fail 'other images than those of the record'
[ "$(grep -c '<use href="#case-1-' of-ept.html)" -eq $((3 * $(wc -l < shown))) ] || fail 'not three maps for a picture'
[ "$(grep -c '<svg class="over" viewBox="0 0 96 64"' of-ept.html)" -eq $((4 * $(wc -l < shown))) ] || fail 'shape'
[ "$(grep -c '<image x="16" y="0" width="64" height="64" preserveAspectRatio="none"' of-ept.html)" -eq \
    $((3 * $(wc -l < shown))) ] || fail 'an overlay lies elsewhere than what the network sees'
grep -qE '<title>Grad-CAM over held-out image [0-9]*, class [ab]: (largest value [0-9.e-]* at the (upper |lower )?(left|middle|right)|0 everywhere)</title>' \
    of-ept.html || fail 'text of a map'
grep -q '<summary>Values<span class="hidden"> of Maps over held-out image' of-ept.html || fail 'values of maps'
# The place of the largest value, from the record of the first roll-out.
row=$(grep -m 1 '^rollout,' "$ept")
wanted=$(echo "$row" | awk -F, '{ n = split($12, v, " "); for (i = 1; i <= n; i++) if (i == 1 || v[i] > v[at]) at = i
    x = (8 + ((at - 1) % 8 + 0.5) * 4) / 48; y = (int((at - 1) / 8) + 0.5) / 8
    split("upper ,,lower ", a, ","); split("left,middle,right", b, ","); print a[int(3 * y) + 1] b[int(3 * x) + 1] }')
grep -qE "<title>Roll-out over held-out image $(echo "$row" | cut -d, -f2): largest value [0-9.e-]* at the $wanted</title>" \
    of-ept.html || fail "the largest value is not at the $wanted"
only of-lora lora
page of-lora
grep -q 'Attention on prompts: lora has none: .*no block' of-lora.html || fail 'a kind that lora lacks is not named'
only of-probe probe
page of-probe
grep -q 'Grad-CAM: probe has none: a probe' of-probe.html || fail 'no word that probes have no maps'
if grep -q 'class="over"' of-probe.html; then fail 'a map of a probe'; fi

# --- without maps, and without the pictures ------------------------------------------------------------------------------
cp -r of-ept without
rm without/*.maps.csv
page without
grep -q 'There are no maps over the images' without.html || fail 'a missing record is not named'
sed -i '/^maps,/d' without/study.csv
page without
if grep -qi '[^a-z]maps over\|class="over"' without.html; then fail 'maps in a study without'; fi
# The pictures are the same with maps and without.
grep -oE '<img alt="held-out[^>]*|<img class="tiny" alt="held-out[^>]*' without.html | grep -oE 'base64,[^"]*' | sort > plain
grep -oE '<image id="case-[^>]*' of-ept.html | grep -oE 'base64,[^"]*' | sort > below
[ -s plain ] || fail 'no picture'
cmp plain below || fail 'a picture differs from that without maps'
mv data gone
page of-ept
grep -q '<svg class="over"' of-ept.html || fail 'no maps without the pictures'
if grep -q '<use ' of-ept.html; then fail 'a map over no picture'; fi
mv gone data

# --- resume, mistakes --------------------------------------------------------------------------------------------------
study rec --resume --maps rollout,ept,cam || { cat log; fail 'resume'; }
if grep -q ', run 1:' log; then fail 'a run with all maps was repeated'; fi
study rec --resume --maps rollout,cam,occlusion || { cat log; fail 'resume with another kind'; }
[ "$(grep -c ', draw 1, run 1:' log)" -eq 3 ] || fail 'runs without the maps asked for were not repeated'
grep -q '^occlusion,.*,8,8,' "$ept" || fail 'no occlusion'
refused() { # $1: words of the message; then a command
    words=$1
    shift
    if "$@" > log 2>&1; then fail "not refused: $*"; fi
    grep -qF -- "$words" log || { cat log; fail "no '$words'"; }
}
compare() { "$bin/compare" --backbone "$vit" --data data --methods list.txt --csv x.csv "$@"; }
refused "--maps: 'saliency' is no kind of map; expected some of rollout" compare --records x --maps saliency
refused '--maps: cam is given twice' compare --records x --maps cam,cam
refused '--maps have an effect only with --records' compare --maps cam
[ ! -e x ] && [ ! -e x.csv ] || fail 'files in spite of a mistake'
broken() { # $1: a sed program that spoils the record of ept
    cp "$ept" "of-ept/$(basename "$ept")"
    sed -i "$1" "of-ept/$(basename "$ept")"
    refused 'is not a record file that this version of compare wrote' "$bin/report" --out x.html of-ept
}
broken '2s/,8,8,/,8,9,/'
broken '2s/,8,8,[^ ]*/,8,8,nan/'
broken '2s/^\([a-z]*\),[0-9]*/\1,99/'
broken '2s/,8,0,40,32,/,8,0,8,32,/'
broken '2s/,48,32,/,0,32,/'
broken '2s/,[^,]*$//'
echo 'maps.sh: maps in records and on the page'
