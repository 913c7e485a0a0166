#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whether a command could be run: its program exists, and the program's help, or its text where it is a script of
# the project, names every option "--name" and "-X".   command.sh ROOT PROGRAM ARGUMENTS..
set -eu
root=$1 program=$2
shift 2
case $program in
    examples/* | tests/* | scripts/*)
        sh -n "$root/$program"
        help=$(cat "$root/$program") ;;
    git) command -v git > /dev/null; help=$(git clone -h 2>&1 || true) ;;
    cd) exit 0 ;;
    *)
        command -v "$program" > /dev/null || { echo "no program $program"; exit 1; }
        help=$("$program" --help 2>&1; [ "$program" != cmake ] || { cmake --build; cmake --install; } 2>&1 || true) ;;
esac
for word; do
    if [ "$program" = apt-get ] && [ "$word" != install ]; then
        grep -qw -e "$word" "$root/scripts/deps.sh" || { echo "scripts/deps.sh does not install $word"; exit 1; }
    fi
    case $word in
        --[a-z]*) option=${word%%=*} ;;
        -[A-Za-z]*) option=$(printf %.2s "$word") ;;
        *) continue ;;
    esac
    printf '%s\n' "$help" | grep -q -E -e "(^|[^a-z-])$option([^a-z-]|\$)" ||
        { echo "$program has no option $option"; exit 1; }
done
