#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Remakes the pictures of docs/tutorial.md, docs/report.md and docs/explain.md: runs the tutorial's commands, from the
# phantoms to the report, and takes phantoms and four figures of the report; then maps over a phantom. About three
# minutes.   pictures.sh BUILD
set -eu
build=$(cd "$1" && pwd)
docs=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$docs/../examples" examples
export PATH="$build/examples:$PATH"

awk '/^```text file=methods.txt$/ { on = 1; next } /^```/ { on = 0 } on' "$docs/tutorial.md" > methods.txt
awk '/^```sh / { on = 1; next } /^```/ { on = 0 } on' "$docs/tutorial.md" |
    awk '/^(phantom|compare|report) / { on = 1 } on { print } !/\\$/ { on = 0 }' > commands
sh -eux commands

# $1 the beginning of a figure's title in the report, $2 the file
figure() {
    awk -v title="<title>$1" '
        { text = text $0 "\n" }
        END {
            while (match(text, /<svg[^>]*role="img"[^>]*>/)) {
                text = substr(text, RSTART)
                figure = substr(text, 1, index(text, "</svg>") + 5)
                text = substr(text, 7)
                if (!index(figure, title)) continue
                sub(/<svg /, "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" ", figure)
                sub(/>\n/, ">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", figure)
                print figure
                exit
            }
        }' report.html > "$2"
    [ -s "$2" ]
}
mkdir -p "$docs/pictures"
for class in benign malignant normal; do cp "phantoms/$class-like/0000.png" "$docs/pictures/$class-like.png"; done
figure 'Balanced accuracy (%)' "$docs/pictures/accuracy.svg"
figure 'Reliability of lora' "$docs/pictures/reliability.svg"
figure 'Map of the features after tuning by lora' "$docs/pictures/features.svg"
figure 'Share taken from the class token' "$docs/pictures/attention.svg"

# Maps over a phantom.
finetune --backbone examples/data/vit_cifar10.safetensors --data phantoms --method ept --epochs 10 --out ept.safetensors
explain --backbone examples/data/vit_cifar10.safetensors --model ept.safetensors --kind rollout,ept,cam,occlusion \
    --blend --out maps phantoms/malignant-like/0000.png
for kind in rollout ept cam occlusion; do cp "maps/0001-0000_png.$kind.blend.png" "$docs/pictures/map-$kind.png"; done
