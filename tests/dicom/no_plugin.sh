#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Without the plug-in, with one that DCMTK's libraries are missing for, and with one of another version, a DICOM file is
# refused with the reason and the cure; with it beside libpeft-io it is read. Programs link libpeft-io as shared library.
#   no_plugin.sh BUILD [CC] [FLAGS..]      FLAGS: -fsanitize=.. if the libraries were built with it
set -eu
build=$1 cc=${2:-cc}
shift
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/program.c" <<'END_OF_PROGRAM'
#include <peft/io.h>
#include <stdio.h>
#include <string.h>

/* A file of one pixel, in explicit little endian without preamble. */
static const char file[] = "\10\0\26\0UI\6\0" "1.2.3\0" "\50\0\2\0US\2\0\1\0" "\50\0\4\0CS\14\0MONOCHROME2 "
    "\50\0\20\0US\2\0\1\0" "\50\0\21\0US\2\0\1\0" "\50\0\0\1US\2\0\10\0" "\50\0\1\1US\2\0\10\0" "\50\0\2\1US\2\0\7\0"
    "\50\0\3\1US\2\0\0\0" "\340\177\20\0OB\0\0\2\0\0\0\52";

int main(void)
{
    peft_context *ctx;
    peft_image *im = NULL;
    char first[2000] = "";
    if (peft_context_create(NULL, NULL, NULL, &ctx)) return 2;
    for (int i = 0; i < 2; i++) {                               /* the second attempt gives the same reason */
        if (!peft_image_load_memory(ctx, file, sizeof file, NULL, &im)) {
            printf("read %d\n", *(const unsigned char *)peft_image_pixels(im));
            peft_image_free(im);
            break;
        }
        if (i && strcmp(first, peft_last_error())) return 3;
        snprintf(first, sizeof first, "%s", peft_last_error());
    }
    if (*first) printf("%s\n", first);
    peft_context_free(ctx);
    return 0;
}
END_OF_PROGRAM
mkdir "$work/lib"
cp -P "$build"/libpeft.so* "$build"/src/io/libpeft-io.so* "$work/lib"
"$cc" -std=gnu11 "$@" "$work/program.c" -o "$work/program" -I"$root/include" -L"$work/lib" -lpeft-io -lpeft \
    -Wl,-rpath,"$work/lib"

says() {
    "$work/program" > "$work/out" 2> "$work/err" || { echo "status $?"; cat "$work/out" "$work/err"; exit 1; }
    for word; do
        grep -q -- "$word" "$work/out" || { echo "no_plugin.sh: no '$word' in:"; cat "$work/out"; exit 1; }
    done
    if [ -s "$work/err" ]; then echo "no_plugin.sh: output on stderr:"; cat "$work/err"; exit 1; fi
}
soname=libpeft-dicom.so.1
says "$soname" libdcmtk-dev "cannot open shared object file"
echo "no library" > "$work/lib/$soname"
says "$work/lib/$soname" "file too short\|invalid ELF header"
echo 'const unsigned *peft_dicom_plugin(void); const unsigned *peft_dicom_plugin(void) { static const unsigned v = 99; return &v; }' \
    > "$work/old.c"
"$cc" -shared -fPIC "$work/old.c" -o "$work/lib/$soname"
says "interface version 99"
cp "$build/src/io/$soname" "$work/lib/$soname"
says "read 42"
