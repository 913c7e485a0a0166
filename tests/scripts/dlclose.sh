#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program opens libpeft with dlopen, makes a session with threads, calls dlclose, goes on predicting, and frees
# everything; four times. The library must stay loaded, as its threads run its code.
#   dlclose.sh BUILD [CC] [FLAGS..]      FLAGS: -fsanitize=.. if the library was built with it
set -eu
build=$1 cc=${2:-cc}
shift
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/program.c" <<'END_OF_PROGRAM'
#include <dlfcn.h>
#include <peft/peft.h>
#include <stdio.h>
#include <time.h>

#define GET(name) __typeof__(name) *p_##name = (__typeof__(name) *)dlsym(library, #name)

static int one_round(const char *path)
{
    static float pixels[3 * 32 * 32], logits[2];
    const int64_t image_dims[] = { 1, 3, 32, 32 }, logit_dims[] = { 1, 2 };
    void *library = dlopen(path, RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    GET(peft_context_create);
    GET(peft_context_set_threads);
    GET(peft_context_free);
    GET(peft_options_create);
    GET(peft_options_parse);
    GET(peft_options_free);
    GET(peft_backbone_create);
    GET(peft_backbone_free);
    GET(peft_model_create);
    GET(peft_model_free);
    GET(peft_session_create);
    GET(peft_session_predict);
    GET(peft_session_free);
    GET(peft_tensor_wrap);
    GET(peft_tensor_free);
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_model *m;
    peft_session *s;
    peft_tensor *images, *out;
    if (p_peft_context_create(NULL, NULL, NULL, &ctx) || p_peft_context_set_threads(ctx, 4)
        || p_peft_options_create(ctx, &o)
        || p_peft_options_parse(o, "image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64,classes=2")
        || p_peft_backbone_create(ctx, o, &vit) || p_peft_model_create(vit, NULL, &m)
        || p_peft_session_create(m, NULL, &s)
        || p_peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images)
        || p_peft_tensor_wrap(ctx, PEFT_F32, 2, logit_dims, logits, &out)) return 2;
    dlclose(library);
    nanosleep(&(struct timespec){ 0, 50000000 }, NULL);         /* until the threads sleep */
    if (p_peft_session_predict(s, images, out)) return 3;
    p_peft_tensor_free(images);
    p_peft_tensor_free(out);
    p_peft_session_free(s);
    p_peft_model_free(m);
    p_peft_backbone_free(vit);
    p_peft_options_free(o);
    p_peft_context_free(ctx);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 1;
    for (int i = 0; i < 4; i++) {
        const int failed = one_round(argv[1]);
        if (failed) return failed;
    }
    puts("done");
    return 0;
}
END_OF_PROGRAM
"$cc" -std=gnu11 -w "$@" "$work/program.c" -o "$work/program" -I"$root/include" -ldl
[ "$("$work/program" "$build/libpeft.so")" = done ]
