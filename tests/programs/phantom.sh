#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Phantoms: equal bytes from an equal seed, whatever the number of pictures; nothing is overwritten; and a small network
# learns to tell the classes apart. phantom.sh FOLDER
set -eu
phantom=$1/phantom
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

wrong() {
    echo "phantom: $1"
    exit 1
}
# $1: what the message must hold; then the arguments.
refused() {
    message=$1
    shift
    if "$phantom" "$@" > refused.log 2>&1; then wrong "taken: $*"; fi
    grep -q -e "$message" refused.log || wrong "'$*' was refused with $(cat refused.log)"
}

"$phantom" --help | grep -q '^usage: phantom'
refused 'required'
refused 'expected 1 to 9999' --out no --images 0
refused 'expected 1 to 9999' --out no --images 10000
refused 'whole number' --out no --images 3.5
refused 'expected 16 to 1024' --out no --side 15
refused 'expected 16 to 1024' --out no --side 1025
refused 'whole number' --out no --seed -1
for difficulty in -0.1 4.1 nan 1x ''; do refused 'number from 0 to 4' --out no --difficulty "$difficulty"; done
refused 'is not an option' --out no more
refused 'No such file' --out no/folder
[ ! -e no ] || wrong "a refused command left a folder"

"$phantom" --out one --images 3 --side 40 --seed 5 > /dev/null
mkdir again                                                   # an empty folder will do
"$phantom" --out again --images 3 --side 40 --seed 5 > /dev/null
diff -r one again || wrong "equal commands made different folders"
[ "$(ls one | tr '\n' ' ')" = 'README.txt benign-like malignant-like normal-like ' ] || wrong "other folders"
grep -q 'not medical images' one/README.txt
grep -q 'phantom --out DIR --images 3 --side 40 --seed 5 --difficulty 1$' one/README.txt

"$phantom" --out many --images 12 --side 40 --seed 5 > /dev/null
"$phantom" --out other --images 3 --side 40 --seed 6 > /dev/null
for class in benign-like malignant-like normal-like; do
    [ "$(ls one/$class | tr '\n' ' ')" = '0000.png 0001.png 0002.png ' ] || wrong "other files in $class"
    [ "$(ls many/$class | wc -l)" -eq 12 ] || wrong "not 12 files in $class"
    for i in 0 1 2; do
        cmp one/$class/000$i.png many/$class/000$i.png
        if cmp -s one/$class/000$i.png other/$class/000$i.png; then wrong "the seed changes nothing"; fi
    done
done
[ "$(cksum many/*/*.png | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 36 ] || wrong "a picture was made twice"
# Width and height, 8 bits, grey.
[ "$(od -An -tu1 -j16 -N10 one/normal-like/0000.png | tr -s ' ')" = ' 0 0 0 40 0 0 0 40 8 0' ] || wrong "another format"

cp -r one before
refused 'not empty' --out one --images 3 --side 40
refused 'Not a directory' --out one/README.txt
diff -r one before || wrong "a full folder was changed"

"$phantom" --out data --images 30 --side 32 --difficulty 0.3 > /dev/null
"$1/pretrain" --data data --shots 20 --model image_size=16,patch=4,width=32,depth=2,heads=2,mlp=64,pool=mean \
    --epochs 40 --batch 10 --lr 2e-3 --pad 0 --threads 1 > log
awk '/^test_accuracy/ { good = $2 >= 0.7 } END { exit !good }' log || wrong "$(tail -2 log)"
