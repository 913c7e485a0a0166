#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict and files of several pictures: --all-slices, with --resume and --per-case; a folder of a DICOM series, whose
# slices come in their order and are a case; the DICOMDIR of a medium.
#   volumes.sh FOLDER      FOLDER: of the programs
# shellcheck disable=SC1091  # the file is in this repository
. "$(dirname "$0")/setup.sh"

# $1: an array of $2 pictures of 32 x 32 grey values (10 bytes and a header of 118), taken from PNG files.
array() {
    mkdir -p "$(dirname "$1")"
    {
        printf '\223NUMPY\001\000\166\000%-117s\n' \
            "{'descr': '|u1', 'fortran_order': False, 'shape': ($2, 32, 32, 1), }"
        cat scans/*/*.png | head -c $(($2 * 1024))
    } > "$1"
}
array v/a.npy 5
array v/b.npy 3
cp scans/benign-like/0000.png v/p.png

# --- all slices: each line is that of a run that chooses the slice --------------------------------------------------
refused 'choose one of them with the option slice=N, N in 0..4; --all-slices takes all' predict v/a.npy
predict --csv --all-slices v > all.csv
slice() { predict --csv --image-options "slice=$2" "v/$1.npy" | sed -n "2s/$1.npy/&#slice=$2/p"; }
for i in 0 1 2 3 4; do slice a "$i"; done > want
for i in 0 1 2; do slice b "$i"; done >> want
predict --csv v/p.png | tail -1 >> want
tail -n +2 all.csv | cmp - want
sed 's/,.*//' want | sort -u > names
[ "$(wc -l < names)" -eq 9 ] || fail 'slices have no names of their own'
threads=3 predict --csv --all-slices v | cmp - all.csv
refused '--all-slices: image options' predict --all-slices --image-options slice=1 v
echo broken > v/c.npy
if predict --csv --all-slices v > broken.csv 2> log; then fail 'a broken file gives status 0'; fi
cmp broken.csv all.csv
grep -q 'v/c.npy: ' log && grep -qF '1 of 10 pictures could not be predicted' log || fail 'broken file'
rm v/c.npy

# --- --resume goes on within a file ---------------------------------------------------------------------------------
if (ulimit -f 4; predict --out t.csv --all-slices v v v v v v > log 2>&1); then fail 'a full disk was not noticed'; fi
head -1 t.csv.part > description
for lines in 0 1 4 9; do
    { cat description; head -$((lines + 1)) all.csv; } > t.csv.part
    predict --out t.csv --resume --all-slices v
    cmp t.csv all.csv || fail "resumed after $lines lines"
    rm t.csv
done
{ cat description; head -4 all.csv; } > t.csv.part
refused 'is of another run' predict --out t.csv --resume v/p.png
rm t.csv.part

# --- with --per-case a file is a case -------------------------------------------------------------------------------
predict --csv --all-slices --per-case mean v > cases.csv
cut -d, -f1-3 cases.csv > log
printf 'case,slices,failed\nv/a.npy,5,0\nv/b.npy,3,0\nv/p.png,1,0\n' | cmp - log || fail 'cases'
awk -F, '
NR == FNR { sub(/#.*/, "", $1); n[$1]++; for (i = 3; i <= NF; i++) sum[$1, i] += $i; next }
FNR > 1 { for (i = 5; i <= NF; i++) { d = $i - sum[$1, i - 2] / n[$1]; if (d > 1e-6 || d < -1e-6) print $1, i, d } }
' all.csv cases.csv > log
[ ! -s log ] || fail 'not the mean of the slices'
predict --csv --all-slices --per-case mean v v v/a.npy 2> log | cmp - cases.csv || fail 'a picture counts twice'
grep -qF '14 of 23 pictures repeat an earlier one' log || fail 'repeated pictures are not counted'
refused '--all-slices for files of several pictures' predict --per-case mean v

names_in() { sed 's/ .*//' "$1" | tr '\n' ' '; }             # of the lines of a file

# --- DICOM ----------------------------------------------------------------------------------------------------------
"$bin/phantom" --out d --images 4 --side 32 --dicom > log
if predict d/IM00001 2>&1 | grep -q 'plug-in'; then
    echo 'volumes.sh: no plug-in for DICOM, so that its part is left out'
    exit 0
fi
mkdir s
cp d/IM00001 s/IM2                                          # Instance Numbers 1 and 2 of one series
cp d/IM00002 s/IM1
predict s > out
[ "$(names_in out)" = 's/IM2 s/IM1 ' ] || { cp out log; fail 'order of slices'; }
predict --csv --per-case mean s | cut -d, -f1-3 > log
printf 'case,slices,failed\ns,2,0\n' | cmp - log || fail 'a series is no case'
predict --csv --per-case mean s s 2> out | cut -d, -f1-3 | cmp - log || fail 'a slice counts twice'
grep -qF '2 of 4 pictures repeat an earlier one' out || fail 'repeated slices are not counted'
refused 'named one by one, such as s/IM1, have no cases; give the folder' predict --csv --per-case mean s/IM1 s/IM2
if grep -q '^case,' log; then fail 'the heading of a table that was refused'; fi
refused 'give the folder' predict --out refused.csv --per-case mean s/IM1 s/IM2
[ ! -e refused.csv.part ] || fail 'a refused --per-case left refused.csv.part'
: > s/IM3                                                   # broken: a slice of the only series
if predict --csv --per-case mean s > out 2> log; then fail 'a broken slice gives status 0'; fi
cut -d, -f1-3 out > log
printf 'case,slices,failed\ns,2,1\n' | cmp - log || fail 'a broken slice does not count in its case'
rm s/IM3
cp d/IM00003 s/IM0
predict --csv --per-case mean s | cut -d, -f1-3 > log
[ "$(grep -c '^s//2\.25\..*,[12],0$' log)" -eq 2 ] || fail 'two series in a folder'
: > s/IM3                                                   # of one of two series: a case of its own
if predict --csv --per-case mean s > out 2> log; then fail 'a broken slice gives status 0'; fi
grep -q '^s/IM3,0,1,' out || fail 'a broken slice'
rm s/IM3

# An element in explicit little endian: group, element, type, and a text of even length below 256.
element() { printf "%b%s%b%s" "$1" "$2" "\\0$(printf %o ${#3})\\0000" "$3"; }
item() {
    printf '\376\377\000\340\377\377\377\377'
    element '\0004\0000\0060\0024' CS "$1"
    element '\0004\0000\0000\0025' CS "$2"
    printf '\376\377\015\340\000\000\000\000'
}
mkdir medium medium/images
cp d/IM00001 medium/images/im1
cp d/IM00002 medium/images/im2
cp scans/benign-like/0000.png medium/logo.png
{
    head -c 128 /dev/zero
    printf DICM
    element '\0002\0000\0020\0000' UI '1.2.840.10008.1.2.1 ' | tr ' ' '\000'
    printf '\004\000\040\022SQ\000\000\377\377\377\377'
    item 'IMAGE ' 'IMAGES\IM2'
    item 'IMAGE ' 'IMAGES\IM1'
    item 'IMAGE ' 'IMAGES\IM3'
    printf '\376\377\335\340\000\000\000\000'
} > medium/DICOMDIR
for path in medium medium/DICOMDIR; do
    if predict "$path" > out 2> log; then fail 'a missing image gives status 0'; fi
    [ "$(names_in out)" = 'medium/images/im2 medium/images/im1 ' ] || { cat out >> log; fail 'medium'; }
    grep -q 'medium/images/IM3: open: No such file' log || fail 'the missing image is not named'
done
predict medium 2>&1 | grep -qF 'medium: left out: 1 not listed in DICOMDIR' || fail 'a picture that is not listed'
if predict --data medium/DICOMDIR > data.out 2> log; then fail 'a missing image gives status 0'; fi
cmp data.out out
refused 'its pictures have no labels' "$bin/finetune" --backbone vit.safetensors --data medium/DICOMDIR \
    --out n.safetensors
if command -v python3 > /dev/null; then
    python3 -c 'import shutil; shutil.make_archive("z", "zip", "medium", "images")'
    predict z.zip > out 2> log
    [ "$(names_in out)" = 'z.zip/images/im1 z.zip/images/im2 ' ] || { cat out >> log; fail 'zip'; }
    refused 'of z.zip have no cases; unpack a zip of DICOM files and give the folder' predict --per-case mean z.zip
fi
echo 'predict: slices of arrays, resumed within a file, as cases; DICOM series, DICOMDIR, files without ending in a zip'
