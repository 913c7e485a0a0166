#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Manual pages and completions: each names every option that --help names, and shells accept the completions.
#   manual.sh FOLDER      FOLDER: of the programs
set -eu
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "manual.sh: $1"
    exit 1
}
programs=0
for program in finetune predict inspect merge convert compare report adapt pretrain phantom explain aggregate \
    federate; do
    programs=$((programs + 1))
    "$bin/$program" --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' > options
    [ "$(wc -l < options)" -gt 2 ] || fail "$program: no options in --help"
    for kind in manual bash zsh fish; do "$bin/$program" --print $kind > $kind; done
    sed 's/\\-/-/g' manual > plain
    while read -r option; do
        grep -q -- "^.B --$option\( \|\$\)" plain || fail "$program: the manual has no --$option"
        grep -q -- "[ ']--$option[] |')]" bash || grep -q -- " --$option " bash || fail "$program: bash: no --$option"
        grep -q -- "'--$option\[" zsh || fail "$program: zsh has no --$option"
        grep -q -- "-l $option " fish || fail "$program: fish has no --$option"
    done < options
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES 'EXIT STATUS' ENVIRONMENT; do
        grep -q "^.SH $section" manual || fail "$program: the manual has no section $section"
    done
    if command -v groff > /dev/null; then
        groff -man -ww -Tascii manual 2> errors > shown
        [ ! -s errors ] || fail "$program: groff: $(head -3 errors)"
    fi
    if command -v bash > /dev/null; then
        bash -n bash
        bash -c ". ./bash; COMP_WORDS=(peft-$program --hel); COMP_CWORD=1; _peft_$program; [ \"\${COMPREPLY[*]}\" = --help ]" ||
            fail "$program: bash does not complete --hel"
    fi
done
# $1: a program, $2: a flag with a list of values, $3: the first letters of a word, $4: the words that begin so
completes() {
    "$bin/$1" --print bash > bash
    bash -c ". ./bash; COMP_WORDS=(peft-$1 $2 $3); COMP_CWORD=2; _peft_$1; echo \"\${COMPREPLY[*]}\"" > words
    echo "$4" | cmp - words || fail "bash: $1 $2 $3"
}
if command -v bash > /dev/null; then
    completes finetune --optimizer '' 'adamw sgd'
    completes finetune --per-case m 'mean max'
    "$bin/inspect" --methods | grep '^v[a-z]*$' | sort > methods
    [ -s methods ] || fail 'no method begins with v'
    "$bin/finetune" --print bash > bash
    bash -c '. ./bash; COMP_WORDS=(peft-finetune --method v); COMP_CWORD=2; _peft_finetune
             printf "%s\n" "${COMPREPLY[@]}"' | sort | cmp - methods || fail 'bash: methods'
    completes finetune --lr '' ''
fi
"$bin/predict" --print zsh | grep -qF ':f32|bf16x3|bf16|int8|int8_all:(f32 bf16x3 bf16 int8 int8_all)' || fail 'zsh: values of --compute'
"$bin/predict" --print fish | grep -q -- "-l compute -x -a 'f32 bf16x3 bf16 int8 int8_all' -d" || fail 'fish: values of --compute'
if "$bin/merge" --print csh > /dev/null 2> log; then fail 'csh was accepted'; fi
grep -q 'expected manual, bash, zsh or fish' log || fail 'the message for csh'
echo "manual: $programs programs"
