#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libpeft with the C library musl, whose strerror_r and headers differ from glibc's: libpeft.a is compiled with
# musl-gcc, and a static program predicts and checks the message of a file that does not exist. Debian has no jansson
# for musl: if PEFT_JANSSON_SOURCE names its source folder, it is built too, and the program saves and loads a model.
#   musl.sh WORK
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$1
command -v musl-gcc > /dev/null || { echo "musl.sh: musl-gcc is missing (Debian: musl-tools)"; exit 77; }
mkdir -p "$work/include"
work=$(cd "$work" && pwd)
for header in jansson.h jansson_config.h Random123 cblas.h openblas_config.h; do
    for folder in /usr/include /usr/include/*-linux-gnu /usr/include/*-linux-gnu/openblas-*; do
        [ -e "$folder/$header" ] && ln -sfn "$folder/$header" "$work/include/$header"
    done
done
# libjansson.a; without PEFT_JANSSON_SOURCE it is empty, which is enough for the functions that the program calls.
rm -f "$work"/*.o "$work"/*.a
with=
if [ -n "${PEFT_JANSSON_SOURCE-}" ]; then
    with=-DWITH_JANSSON
    for name in STDINT_H UNISTD_H FCNTL_H SYS_STAT_H SYS_TYPES_H SYS_TIME_H LOCALE_H; do
        echo "#define HAVE_$name 1"
    done > "$work/include/jansson_private_config.h"
    echo "#define INITIAL_HASHTABLE_ORDER 3" >> "$work/include/jansson_private_config.h"
    (cd "$work" && musl-gcc -O1 -DHAVE_CONFIG_H -c -I"$work/include" "$PEFT_JANSSON_SOURCE"/src/*.c)
fi
(cd "$work" && find . -maxdepth 1 -name '*.o' -exec ar rc libjansson.a {} +)
[ -e "$work/libjansson.a" ] || ar rc "$work/libjansson.a"
{
    echo "Name: jansson"
    echo "Description: jansson for musl"
    echo "Version: 2.14"
    echo "Cflags: -I$work/include"
    echo "Libs: -L$work -ljansson"
} > "$work/jansson.pc"
export PKG_CONFIG_LIBDIR="$work"

CC="$root/tests/install/quick_cc.sh musl-gcc" cmake -G Ninja -S "$root" -B "$work/build" -DCMAKE_BUILD_TYPE=None \
    -DPEFT_WERROR=ON -DPEFT_TESTS=OFF -DPEFT_EXAMPLES=OFF -DPEFT_IO=OFF -DPEFT_CBLAS_INCLUDE="$work/include" \
    -DPEFT_RANDOM123_INCLUDE="$work/include" -DPEFT_BLAS_LIBRARY=libblas.so.3 -DPEFT_BLAS_NAME=blas \
    > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
cmake --build "$work/build" --target peft_static > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }

cat > "$work/program.c" <<'CODE'
#include <peft/peft.h>
#include <stdio.h>
#include <string.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s: %s\n", #call, peft_last_error()); return 1; } } while (0)

int main(void)
{
    static float pixels[3 * 32 * 32], logits[2], again[2];
    const int64_t image_dims[] = { 1, 3, 32, 32 }, logit_dims[] = { 1, 2 };
    peft_context *ctx;
    peft_options *o, *heads;
    peft_backbone *vit, *none;
    peft_adapter *lora;
    peft_model *m;
    peft_session *s;
    peft_tensor *images, *out;
    for (int i = 0; i < 3 * 32 * 32; i++) pixels[i] = (float)(i % 17) / 17;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_context_set_threads(ctx, 2));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_create(ctx, &heads));
    TRY(peft_options_parse(o, "image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64,seed=1"));
    TRY(peft_options_set_int(heads, "classes", 2));
    TRY(peft_backbone_create(ctx, o, &vit));
    TRY(peft_adapter_create(vit, "lora", NULL, &lora));
    TRY(peft_model_create(vit, heads, &m));
    TRY(peft_model_attach(m, lora));
    TRY(peft_session_create(m, NULL, &s));
    TRY(peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images));
    TRY(peft_tensor_wrap(ctx, PEFT_F32, 2, logit_dims, logits, &out));
    TRY(peft_session_predict(s, images, out));
    if (logits[0] == 0 || logits[0] == logits[1]) return 2;
    if (peft_backbone_load(ctx, "no such folder/file.safetensors", NULL, &none) != PEFT_E_IO) return 3;
    if (!strstr(peft_last_error(), "No such file or directory")) return fprintf(stderr, "%s\n", peft_last_error()), 4;
#ifdef WITH_JANSSON
    TRY(peft_model_save(m, "musl.safetensors"));
    peft_session_free(s);
    peft_model_free(m);
    TRY(peft_model_load(vit, "musl.safetensors", &m));
    TRY(peft_session_create(m, NULL, &s));
    memcpy(again, logits, sizeof logits);
    TRY(peft_session_predict(s, images, out));
    if (memcmp(again, logits, sizeof logits)) return 5;
#else
    (void)again;
#endif
    peft_tensor_free(images);
    peft_tensor_free(out);
    peft_session_free(s);
    peft_model_free(m);
    peft_adapter_free(lora);
    peft_backbone_free(vit);
    peft_options_free(heads);
    peft_options_free(o);
    peft_context_free(ctx);
    puts(peft_build_info());
    return 0;
}
CODE
# Without jansson, only functions of jansson may be undefined.
link() {
    # shellcheck disable=SC2086  # nothing, or one word
    musl-gcc -static -std=c11 -Wall -Werror -I"$root/include" $with "$work/program.c" "$work/build/libpeft.a" \
        "$work/libjansson.a" -lm -o "$work/program" "$@" > "$work/log" 2>&1
}
if ! link; then
    if [ -n "$with" ] || grep 'undefined reference' "$work/log" | grep -v '`json_' ||
        ! grep -q 'undefined reference' "$work/log"; then
        tail -20 "$work/log"
        exit 1
    fi
    link -Wl,--unresolved-symbols=ignore-all || { tail -20 "$work/log"; exit 1; }
fi
(cd "$work" && ./program)
