#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# predict --save-masks: folders that are refused before anything is written, among them those with the pictures
# themselves; and a model of one class.
#   folders.sh FOLDER      FOLDER: of the programs
. "$(dirname "$0")/../predict/setup.sh"
maps() {                                                      # MODEL: whose head gives a class for the picture
    LC_ALL=C sed 's/head=\\"linear\\",head_init=\\"normal:0.1\\"/head=\\"patch_linear\\",head_init=\\"zero\\"/' "$1"
}

"$bin/finetune" --backbone vit.safetensors --data scans --method linear --head head=linear,head_init=normal:0.1 \
    --epochs 1 --out linear.safetensors > log 2>&1
maps linear.safetensors > m.safetensors

# Masks never replace the pictures that they are of, under whatever path.
cp -r scans kept
ln -s scans link
for folder in scans ./scans scans/../scans link; do
    for more in --force '--resume --force' --resume; do
        # shellcheck disable=SC2086  # words are wanted
        refused 'would replace the picture scans/benign-like/0000.png' predict --save-masks $folder \
            --out z.csv $more scans
    done
done
refused 'would replace the picture' predict --save-overlays scans --force scans
ln kept/benign-like/0000.png other.png
refused './other.png of other.png would replace the picture' predict --save-overlays . --force other.png
diff -r scans kept > log || fail 'a picture was changed'

# Two folders that are one, and files with the path of a folder of another.
for other in ./two two/ two/../two "$PWD/two"; do
    refused 'give another one' predict --save-masks two --save-overlays "$other" scans
done
refused 'give another one' predict --save-masks two --save-segmentations ./two scans
mkdir col col/a.png
cp scans/benign-like/0000.png col/a.jpg
cp scans/benign-like/0000.png col/a.png/x.png
refused 'two/a.png would be the file of col/a.jpg' predict --save-masks two col
mkdir -p three/benign-like/0001.png
refused 'three/benign-like/0001.png is a folder' predict --save-masks three --force scans
refused 'other.png: is a file' predict --save-masks other.png scans
refused '--save-masks: the path is empty' predict --save-masks '' scans
refused 'parent' predict --save-masks two --save-overlays no/such scans
[ ! -e two ] || fail 'a refused command left a folder'

# Masks of an earlier run are replaced with --force, without a table in a file.
predict --save-masks masks scans > areas 2> log || fail 'no masks'
refused '--force to replace such files' predict --save-masks masks scans
predict --save-masks masks --force scans > again 2> log || fail '--force does not replace masks'
cmp areas again || fail 'other areas'

# Settings without effect, and distances out of range.
for option in trim=3 overlap=0.25 blend=linear border=edge; do
    refused 'no effect with mode=whole' predict --segmenter mode=whole,$option scans
done
for wrong in 1e-320:1 1:1e-7 1e7:1 1:2:3:4 0x1p3:1 1:0x2 inf:1 1:nan '1: 2'; do
    refused '1e-6 to 1e6' predict --spacing "$wrong" scans
done

# Heads of maps without masks.
refused 'head=seg_linear predicts a class for each pixel (32x32, height x width' "$bin/finetune" --backbone vit.safetensors \
    --data scans --method linear --head head=seg_linear --epochs 1
refused 'give masks by finetune --masks' "$bin/finetune" --backbone vit.safetensors --data scans --method linear \
    --head head=seg_linear --epochs 1
refused 'head=patch_linear predicts a class for each patch (4x4, height x width' "$bin/finetune" --backbone vit.safetensors \
    --data scans --method linear --head head=patch_linear --epochs 1
refused '--model m.safetensors: its head predicts a class for each' "$bin/federate" --backbone vit.safetensors \
    --data scans --model m.safetensors --clients 2 --rounds 1

# A model of one class: lines have its pixels only, and a run that was stopped goes on.
printf 'file,finding\n' > one.csv
for i in 0 1 2 3; do
    echo "scans/benign-like/000$i.png,0" >> one.csv
    echo "scans/malignant-like/000$i.png,1" >> one.csv
done
"$bin/finetune" --backbone vit.safetensors --data one.csv --table path=file,labels=all --method linear \
    --head head=linear,head_init=normal:0.1 --epochs 1 --out one.safetensors > log 2>&1 || fail 'one class'
maps one.safetensors > m.safetensors
predict --out one_class.csv scans > log 2>&1 || fail 'one class is not segmented'
[ "$(head -n 1 one_class.csv)" = 'image,width,height,finding' ] || fail "$(head -n 1 one_class.csv)"
(ulimit -f 2; predict --out part.csv scans > log 2>&1) && fail 'a full disk was not noticed'
[ "$(wc -l < part.csv.part)" -gt 3 ] || fail 'no line was written before the disk was full'
predict --out part.csv --resume scans > log 2>&1 || fail 'not resumed'
cmp part.csv one_class.csv || fail 'a resumed run has other results'

LC_ALL=C sed 's/class_names/class_namez/' one.safetensors > nameless.safetensors
maps nameless.safetensors > m.safetensors
predict scans/benign-like/0000.png > log 2>&1 || fail 'a class without a name'
grep -q 'it is called class_0; give --class-names NAME' log || fail 'no warning of a class without a name'
