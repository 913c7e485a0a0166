#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# report of studies whose images have samples of other kinds than 8 bits: signed NIfTI, floating-point NIfTI, DICOM. The
# page shows them in 8 bits.
#   report_depths.sh FOLDER [dicom]      FOLDER: of the programs; dicom: DICOM files can be read
set -eu
. "$(dirname "$0")/setup.sh"

zeros() { head -c "$1" /dev/zero; }
# A slice of 8 x 8 pixels of NIfTI's data type $1 with $2 bits (octal), whose samples come from the standard input.
slice() {
    printf '\134\001\000\000'
    zeros 36
    printf '\002\000\010\000\010\000\001\000\001\000\001\000\001\000\001\000'
    zeros 14
    printf "\\$1\\000\\$2\\000\\000\\000"
    printf '\000\000\200\077\000\000\200\077\000\000\200\077\000\000\200\077'
    zeros 16
    printf '\000\000\260\103'
    zeros 232
    printf 'n+1\000\000\000\000\000'
    cat
}
# A study of images of data type $2 with $3 bits, $4 bytes and values $5. Its page $1.html shows the best, the
# median and the worst case with an overlay.
study() {
    mkdir -p "$1/images" "$1/masks"
    for class in a b; do
        mkdir "$1/images/$class" "$1/masks/$class"
        for i in 0 1 2 3; do
            tail -c $((3000 + i * 600)) "$vit" | head -c "$4" | slice "$2" "$3" > "$1/images/$class/$i.nii"
            { zeros 32; zeros 32 | tr '\000' '\001'; } | slice 002 010 > "$1/masks/$class/$i.nii"
        done
    done
    "$bin/compare" --backbone "$vit" --data "$1/images" --masks "$1/masks" --mask-options classes=tissue:lesion \
        --preprocess "range=$5,flip=0" --methods list.txt --shots 1 --samplings 1 --runs 1 --epochs 1 \
        --csv "$1.csv" --summary "$1-s.csv" --svg "$1.svg" --records "$1-records" > log 2>&1 || fail "compare of $1"
    page "$1"
    [ "$(grep -o 'class="cells" href="data:image/png' "$1.html" | wc -l)" -eq 6 ] || fail "$1: not three pictures"
}
page() { "$bin/report" --out "$1.html" "$1-records" > log 2>&1 || fail "no page of $1"; }

printf 'head: --method linear\n' > list.txt
study signed 004 020 128 -32768:32767
study float 020 040 256 -1:1

[ "${2-}" ] || exit 0
"$bin/phantom" --out scans --images 4 --side 32 --dicom > log
"$bin/compare" --backbone "$vit" --data scans/labels.csv --methods list.txt --shots 1 --samplings 1 --runs 1 --epochs 1 \
    --csv dicom.csv --summary dicom-s.csv --svg dicom.svg --records dicom-records > log 2>&1 || fail 'compare of DICOM'
page dicom
grep -q 'src="data:image/png' dicom.html || fail 'DICOM: no pictures'
