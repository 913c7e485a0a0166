#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The documentation is installed, and EPT's file for a DeiT-Ti has the size that README.md states: its program trains
# one epoch on synthetic images. (tests/docs/blocks.sh runs all code blocks of README.md.)
#   readme.sh BUILD [CC]
set -eu
build=$(cd "$1" && pwd) cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cmake --install "$build" --prefix "$work/peft" > log
doc=$(dirname "$(find "$work/peft" -name choosing.md)")
[ -f "$doc/methods/lora.md" ] && [ -f "$doc/../README.md" ]
[ -x "$work/peft/bin/peft-predict" ] || { echo "SKIP: this build has no programs"; exit 77; }
vit=${PEFT_SHARED-}/data/vit/deit_tiny_patch16_224.safetensors
[ -f "$vit" ] || { echo "SKIP: PEFT_SHARED has no DeiT-Ti"; exit 77; }

awk '/^```c program$/ { on = 1; next } /^```$/ { on = 0 } on' "$root/README.md" |
    sed 's/fit(trainer, 20,/fit(trainer, 1,/' > app.c
grep -q 'fit(trainer, 1,' app.c
PKG_CONFIG_PATH=$(dirname "$(find "$work/peft" -name peft-io.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are meant to be split
$cc app.c $(pkg-config --cflags --libs peft-io) -Wl,-rpath,"$(pkg-config --variable=libdir peft-io)" -o app
mkdir scans
"$work/peft/bin/peft-phantom" --out scans/train --images 3 --side 32 > log
rm scans/train/README.txt
cp "$vit" deit_tiny_patch16_224.safetensors
./app > log
bytes=$(wc -c < scans.safetensors)
[ "$bytes" -gt 940000 ] && [ "$bytes" -lt 960000 ] || { echo "readme.sh: EPT's file has $bytes bytes"; exit 1; }
