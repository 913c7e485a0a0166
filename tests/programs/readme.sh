#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# README.md keeps its word: its C program compiles without a warning, links by README's own line against an installed
# libpeft, runs, and writes a file of the size it names that predict takes; and its links lead somewhere.
# readme.sh BUILD [CC]
set -eu
build=$(cd "$1" && pwd) cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$root/README.md" > "$work/app.c"
grep -q 'int main' "$work/app.c"
cd "$work"

cmake --install "$build" --prefix "$work/peft" > log
pc=$(dirname "$(find "$work/peft" -name peft-io.pc)")
line=$(grep '^    cc app.c .*peft-io' "$root/README.md" | sed "s|^    cc|$cc -std=c11 -Wall -Wextra -Werror|")
[ -n "$line" ] || { echo "readme.sh: README.md lacks the line that links its program"; exit 1; }
PKG_CONFIG_PATH=$pc sh -c "$line"

# Links of README and of every page in docs lead to files; what is installed has them too.
for page in "$root"/README.md "$root"/docs/*.md "$root"/docs/methods/*.md; do
    { grep -oE '\]\([^)#:]+' "$page" || true; } | sed 's/^](//' | sort -u > links
    while read -r link; do
        [ -e "$(dirname "$page")/$link" ] || { echo "readme.sh: $page: no $link"; exit 1; }
    done < links
done
doc=$(dirname "$(find "$work/peft" -name advice.md)")
[ -f "$doc/methods/lora.md" ] && [ -f "$doc/../README.md" ]

# The program runs where README says its files lie, here with a small network and synthetic images; predict, as
# installed, takes the result.
[ -x "$work/peft/bin/peft-predict" ] || { echo "readme.sh: the programs are not installed"; exit 0; }
mkdir scans
"$work/peft/bin/peft-phantom" --out scans/train --images 3 --side 32 > log
"$work/peft/bin/peft-phantom" --out new --images 1 --side 32 --seed 7 > log
rm scans/train/README.txt
cp "$root/examples/data/vit_cifar10.safetensors" deit_tiny_patch16_224.safetensors
./app > log
grep -q 'MiB planned' log
"$work/peft/bin/peft-predict" --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors \
    new/*/0000.png > table
[ "$(grep -c 'benign-like=.* malignant-like=.* normal-like=' table)" -eq 3 ]

# EPT's file on a DeiT-Ti is as long as README says: parameters of docs/results.md, and a header.
vit=${PEFT_SHARED-}/data/vit/deit_tiny_patch16_224.safetensors
[ -f "$vit" ] || exit 0
rm scans.safetensors
cp "$vit" deit_tiny_patch16_224.safetensors
sed 's/fit(trainer, 20,/fit(trainer, 1,/' app.c > short.c
PKG_CONFIG_PATH=$pc sh -c "$(echo "$line" | sed 's/app\.c/short.c/; s/-o app/-o short/')"
./short > log
bytes=$(wc -c < scans.safetensors)
[ "$bytes" -gt 940000 ] && [ "$bytes" -lt 960000 ] || { echo "readme.sh: EPT's file has $bytes bytes"; exit 1; }
