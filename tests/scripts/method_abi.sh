#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft_sys_register_method refuses a method that was compiled with headers of another layout: members of structs added,
# reordered or of another type, enumerators added or reordered, another PEFT_METHOD_VERSION.
#   method_abi.sh BUILD [CC]
set -eu
build=$1 cc=${2:-cc}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/program.c" <<'END'
#include <peft/sys/method.h>
#include <stdio.h>

static peft_status init(peft_adapter *a, const peft_vit *vit) { (void)vit; return peft_sys_init_status(a); }

/* 0: registered, 3: refused for its layout, 1: anything else */
int main(void)
{
    const peft_method mine = { .name = "mine", .init = init };
    peft_context *ctx;
    if (peft_context_create(NULL, NULL, NULL, &ctx)) return 1;
    const peft_status s = peft_sys_register_method(ctx, &mine, PEFT_METHOD_ABI);
    if (s) puts(peft_last_error());
    peft_context_free(ctx);
    return s == PEFT_E_UNSUPPORTED ? 3 : s ? 1 : 0;
}
END

# Compiles the program with the headers under $1, runs it, and prints its exit status.
exit_status() {
    "$cc" -std=c11 -I"$1" "$work/program.c" -o "$work/program" "$build/libpeft.so" -Wl,-rpath,"$build"
    status=0
    "$work/program" > "$work/output" || status=$?
    echo "$status"
}

# Lines: a header of peft/sys, and the sed command that changes its layout.
edits() {
    cat <<'END'
method s/int64_t width, depth,/int64_t depth, width,/
method s/int64_t width, depth,/int64_t classes, width, depth,/
method s/int64_t layer;/int64_t layer, block;/
method s/peft_val q, k, v,/peft_val k, q, v,/
method s/peft_val in, out;/peft_val out, in;/
method s/typedef struct peft_val { uint32_t id; }/typedef struct peft_val { uint64_t id; }/
method s/\*name, \*summary, \*paper;/*summary, *name, *paper;/
method s/size_t          state_size;/size_t state_size, more;/
method s/^    PEFT_IMAGE,/    PEFT_NOWHERE, PEFT_IMAGE,/
method s/PEFT_BRANCH,$/PEFT_RESIDUAL, PEFT_BRANCH,/
method s/^    PEFT_PATCH, PEFT_QKV, PEFT_Q, PEFT_K,/    PEFT_PATCH, PEFT_QKV, PEFT_K, PEFT_Q,/
method s/const char \*name, \*settings;/const char *settings, *name;/
method s/typedef float peft_real;/typedef double peft_real;/
method s/PEFT_METHOD_VERSION [0-9]*u/PEFT_METHOD_VERSION 99u/
option s/double      lo, hi;/float lo, hi;/
option s/const char \*fallback;/const char *text, *fallback;/
END
}

must_exit() {
    [ "$(exit_status "$1")" = "$2" ] || { echo "method_abi.sh: $3:"; cat "$work/output"; exit 1; }
}

must_exit "$root/include" 0 "refused with the library's own headers"
edits > "$work/edits"
while read -r header edit; do
    rm -rf "$work/include"
    cp -r "$root/include" "$work/include"
    changed=$work/include/peft/sys/$header.h
    sed "$edit" "$root/include/peft/sys/$header.h" > "$changed"
    if cmp -s "$changed" "$root/include/peft/sys/$header.h"; then
        echo "method_abi.sh: '$edit' changes nothing in $header.h"
        exit 1
    fi
    must_exit "$work/include" 3 "not refused after $edit"
    grep -q 'compile it with the headers of this library' "$work/output"
done < "$work/edits"
echo "method_abi.sh: $(wc -l < "$work/edits") other layouts refused"
