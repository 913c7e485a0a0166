#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands in for a program in blocks of the kind "sh short": runs the program of its own name, in the folder PEFT_DOC_BIN,
# with one epoch (pretrain: four, as its rate rises for three), one draw and two images a class in place of the sizes
# that the page names.
set -eu
program=$(basename "$0") epochs=1
[ "$program" != pretrain ] || epochs=4
for arg; do
    shift
    case ${before-} in
        --epochs) arg=$epochs ;;
        --samplings | --runs | --warmup) arg=1 ;;
        --shots | --test-per-class) arg=2 ;;
    esac
    before=$arg
    set -- "$@" "$arg"
done
exec "$PEFT_DOC_BIN/$program" "$@"
