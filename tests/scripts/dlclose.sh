#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program opens libpeft at run time, makes a session with threads, closes the library and goes on: the threads must
# not lose their code. dlclose.sh BUILD [CC]
set -eu
build=$1 cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/program.c" <<'END'
#include <dlfcn.h>
#include <peft/peft.h>
#include <stdio.h>
#include <time.h>

#define GET(name) __typeof__(name) *p_##name = (__typeof__(name) *)dlsym(library, #name)

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    GET(peft_context_create);
    GET(peft_context_set_threads);
    GET(peft_options_create);
    GET(peft_options_parse);
    GET(peft_backbone_create);
    GET(peft_model_create);
    GET(peft_session_create);
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_model *m;
    peft_session *s;
    if (p_peft_context_create(NULL, NULL, NULL, &ctx) || p_peft_context_set_threads(ctx, 4)
        || p_peft_options_create(ctx, &o)
        || p_peft_options_parse(o, "image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64,classes=2")
        || p_peft_backbone_create(ctx, o, &vit) || p_peft_model_create(vit, NULL, &m)
        || p_peft_session_create(m, NULL, &s)) return 2;
    dlclose(library);
    nanosleep(&(struct timespec){ 0, 100000000 }, NULL);        /* threads watch for work, then sleep */
    puts("lives");
    return 0;
}
END
"$cc" -std=gnu11 -w "$work/program.c" -o "$work/program" -I"$root/include" -ldl
[ "$("$work/program" "$build/libpeft.so")" = lives ]
