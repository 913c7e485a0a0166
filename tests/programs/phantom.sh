#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# phantom: a seed gives the same images for any number of images, existing folders are not overwritten, and a small
# network learns to distinguish the classes.
#   phantom.sh FOLDER      FOLDER: of the programs
set -eu
phantom=$1/phantom
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "phantom: $1"
    exit 1
}
# phantom must refuse the arguments after $1 with a message that contains $1.
refused() {
    message=$1
    shift
    if "$phantom" "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}

"$phantom" --help | grep -q '^usage: phantom'
refused 'required'
refused 'expected a whole number from 1 to 9999' --out no --images 0
refused 'expected a whole number from 1 to 9999' --out no --images 10000
refused 'whole number' --out no --images 3.5
refused 'expected a whole number from 16 to 1024' --out no --side 15
refused 'expected a whole number from 16 to 1024' --out no --side 1025
refused 'whole number' --out no --seed -1
for difficulty in -0.1 4.1 nan 0x1 1x ''; do refused 'number from 0 to 4' --out no --difficulty "$difficulty"; done
for shift in -1 3.1 x; do refused 'number from 0 to 3' --out no --shift "$shift"; done
refused 'is not an option' --out no more
refused "the folder 'no' does not exist; make it first (mkdir -p 'no')" --out no/folder
[ ! -e no ] || fail "a refused command left a folder"

"$phantom" --out one --images 3 --side 40 --seed 5 > /dev/null
mkdir again                                                   # an empty folder is accepted
"$phantom" --out again --images 3 --side 40 --seed 5 > /dev/null
diff -r one again || fail "equal commands made different folders"
[ "$(ls one | tr '\n' ' ')" = 'README.txt benign-like malignant-like normal-like ' ] || fail "unexpected folders"
grep -q 'not medical images' one/README.txt
grep -q 'phantom --out DIR --images 3 --side 40 --seed 5 --difficulty 1$' one/README.txt

"$phantom" --out shift0 --images 3 --side 40 --seed 5 --shift 0 > /dev/null
"$phantom" --out shift1 --images 3 --side 40 --seed 5 --shift 1 > /dev/null
"$phantom" --out shift1-many --images 4 --side 40 --seed 5 --shift 1 > /dev/null
for image in benign-like/0002 malignant-like/0000 normal-like/0001; do
    cmp one/$image.png shift0/$image.png || fail "shift 0 is not the reference scanner"
    cmp shift1/$image.png shift1-many/$image.png || fail "a shifted picture depends on the number of pictures"
    if cmp -s one/$image.png shift1/$image.png; then fail "the shift changes nothing"; fi
done
grep -q -- '--difficulty 1 --shift 1$' shift1/README.txt

"$phantom" --out many --images 12 --side 40 --seed 5 > /dev/null
"$phantom" --out other --images 3 --side 40 --seed 6 > /dev/null
for class in benign-like malignant-like normal-like; do
    [ "$(ls one/$class | tr '\n' ' ')" = '0000.png 0001.png 0002.png ' ] || fail "unexpected files in $class"
    [ "$(ls many/$class | wc -l)" -eq 12 ] || fail "not 12 files in $class"
    for i in 0 1 2; do
        cmp one/$class/000$i.png many/$class/000$i.png
        if cmp -s one/$class/000$i.png other/$class/000$i.png; then fail "the seed changes nothing"; fi
    done
done
[ "$(cksum many/*/*.png | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 36 ] || fail "two images are equal"
# Width and height, 8 bits, grey.
[ "$(od -An -tu1 -j16 -N10 one/normal-like/0000.png | tr -s ' ')" = ' 0 0 0 40 0 0 0 40 8 0' ] ||
    fail "the images are not 40 x 40 pixels of 8 bits grey"

# With --masks the pictures are the same, and each has a mask of its size with a palette, in a folder beside them. Only
# the pictures with lesions have a part that is not 0, and in all of them it is of their class.
"$phantom" --out both --images 3 --side 40 --seed 5 --masks > /dev/null
diff -r one/benign-like both/images/benign-like || fail "--masks changes the pictures"
[ "$(cd both/images && ls */*)" = "$(cd both/masks && ls */*)" ] || fail "masks have other names than pictures"
[ "$(od -An -tu1 -j16 -N10 both/masks/normal-like/0000.png | tr -s ' ')" = ' 0 0 0 40 0 0 0 40 8 3' ] ||
    fail "the masks are not 40 x 40 pixels of a palette"
grep -q -- '--difficulty 1 --masks$' both/README.txt
"$phantom" --out both-dicom --images 3 --side 40 --seed 5 --masks --dicom > /dev/null
cmp both/masks/malignant-like/0001.png both-dicom/masks/IM00005.png || fail "--dicom changes the masks"
[ "$(sed -n 's/^\(images.*\),malignant-like,P.*/both-dicom\/\1/p' both-dicom/labels.csv)" = \
  "$(ls both-dicom/images/IM0000[456])" ] && [ "$(ls both-dicom/images | grep -vc '^IM0000[1-9]$')" -eq 0 ] ||
    fail "--masks --dicom: unexpected files"
"$phantom" --out both-shift --images 3 --side 40 --seed 5 --masks --shift 2 > /dev/null
diff -r both/masks both-shift/masks || fail "the scanner changes the masks"

cp -r one before
refused 'not empty' --out one --images 3 --side 40
refused 'Not a directory' --out one/README.txt
diff -r one before || fail "an existing folder was changed"

"$phantom" --out data --images 30 --side 32 --difficulty 0.3 > /dev/null
"$1/pretrain" --data data --shots 20 --model image_size=16,patch=4,width=32,depth=2,heads=2,mlp=64,pool=mean \
    --epochs 40 --batch 10 --lr 2e-3 --pad 0 --threads 1 > log
awk '/^test_accuracy/ { good = $2 >= 0.7 } END { exit !good }' log || fail "$(tail -2 log)"
