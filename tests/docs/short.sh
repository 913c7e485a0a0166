#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands in for a program in blocks of the kind "sh short": runs the program of its own name, in the folder
# PEFT_DOC_BIN, with one epoch (pretrain: four, as its rate rises for three), one draw and two images a class in place
# of the sizes that the page names or the program has by default.
set -eu
program=$(basename "$0") epochs=1
case $program in
    finetune) missing='--epochs' ;;
    compare) missing='--epochs --samplings --runs --shots' ;;
    pretrain) missing='--epochs' epochs=4 ;;
esac
for arg; do
    shift
    case ${before-} in
        --epochs) arg=$epochs ;;
        --samplings | --runs | --warmup) arg=1 ;;
        --shots | --test-per-class) arg=2 ;;
    esac
    before=$arg
    case $arg in
        --epochs | --samplings | --runs | --shots) missing=$(printf '%s\n' "$missing" | sed "s/$arg//") ;;
        --evaluate) missing= ;;
    esac
    set -- "$@" "$arg"
done
for flag in $missing; do
    case $flag in
        --epochs) set -- "$@" $flag $epochs ;;
        --shots) set -- "$@" $flag 2 ;;
        *) set -- "$@" $flag 1 ;;
    esac
done
exec "$PEFT_DOC_BIN/$program" "$@"
