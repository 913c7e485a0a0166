#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# finetune --mask-options without --masks: masks in the folders of their images, with a suffix.
#   beside.sh FOLDER      FOLDER: of the programs
set -eu
. "$(dirname "$0")/setup.sh"

tune() {
    "$bin/finetune" --backbone "$vit" --threads 1 --method linear --epochs 1 "$@" > log 2>&1
}

# Named as in the data set BUSI, benign (1).png and benign (1)_mask.png: the same images and masks in one folder and in
# two train the same model. (A flip is drawn by the number of the file, which counts the masks too.)
"$bin/phantom" --out made --images 6 --side 32 --masks > log
for class in benign malignant normal; do
    mkdir -p one/$class ph/images/$class ph/masks/$class
    for i in 0 1 2 3 4 5; do
        name="$class/$class ($i)"
        cp "made/images/$class-like/000$i.png" "one/$name.png"
        cp "made/masks/$class-like/000$i.png" "one/${name}_mask.png"
        cp "made/images/$class-like/000$i.png" "ph/images/$name.png"
        cp "made/masks/$class-like/000$i.png" "ph/masks/$name.png"
    done
done
tune --data ph/images --masks ph/masks --mask-options classes=tissue:benign:malignant --shots 4 --preprocess flip=0 \
    --out two.safetensors || fail 'two folders'
sed -n '/^Dice /,/^test_images/p' log > two
tune --data one --mask-options classes=tissue:benign:malignant,suffix=_mask --shots 4 --preprocess flip=0 \
    --out one.safetensors || fail 'one folder'
sed -n '/^Dice /,/^test_images/p' log > one.figures
[ -s two ] && cmp two one.figures > log || fail 'other figures of masks beside their images'
grep -q '"mask-options": "classes=tissue:benign:malignant,suffix=_mask"' one.safetensors.record.json ||
    fail 'the record does not have the options'

# predict, too: the pictures and figures of two folders.
predict() { "$bin/predict" --backbone "$vit" --model one.safetensors --threads 1 "$@" > log 2>&1; }
predict --masks ph/masks --case-figures two.csv --out two.lines ph/images || fail 'predict: two folders'
grep '^mean ' log > two
options=classes=tissue:benign:malignant,suffix=_mask
predict --mask-options $options --case-figures one.csv --out one.lines one || fail 'predict: one folder'
[ -s two ] && [ "$(grep '^mean ' log)" = "$(cat two)" ] || fail 'predict: other figures of masks beside their pictures'
[ "$(wc -l < one.lines)" -eq "$(wc -l < two.lines)" ] || fail 'predict: other pictures'
sed 's|^ph/images/|one/|' two.csv | cmp - one.csv > log || fail 'predict: other figures by case'
if predict --case-figures no.csv one; then fail 'figures without masks'; fi
grep -q 'give --masks DIR too, or --mask-options' log || fail 'predict: no cure'

# Several files of a mask are united.
options=classes=tissue:benign:malignant,suffix=_mask
cp 'ph/masks/benign/benign (1).png' 'one/benign/benign (0)_mask_1.png'
tune --data one --mask-options $options --shots 4 --out united.safetensors || fail 'two files of a mask'

# Test images elsewhere have their masks beside them, too, or in --test-masks.
"$bin/phantom" --out other --images 2 --side 32 --masks --seed 2 > log
for class in benign malignant normal; do
    mv other/images/$class-like other/images/$class
    mv other/masks/$class-like other/masks/$class
done
cp -r other/images both
for mask in other/masks/*/*.png; do
    name=${mask#other/masks/}
    cp "$mask" "both/${name%.png}_mask.png"
    mv "$mask" "${mask%.png}_mask.png"
done
rm 'one/benign/benign (0)_mask_1.png'
tune --data one --test both --mask-options $options --out beside.safetensors || fail 'masks beside test images'
sed -n '/^Dice /,/^test_images/p' log > beside
tune --data one --test other/images --test-masks other/masks --mask-options $options --out apart.safetensors ||
    fail '--test-masks'
sed -n '/^Dice /,/^test_images/p' log > apart
[ -s beside ] && cmp beside apart > log || fail 'other figures of the same test images'
rm 'one/benign/benign (1)_mask.png'
if tune --data one --mask-options $options; then fail 'a mask that is missing'; fi
grep -qF 'benign (1)' log || fail 'the image without a mask is not named'
grep -q 'give --masks DIR if they lie elsewhere' log || fail 'no cure'
