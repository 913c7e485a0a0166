#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the code blocks of one page in order, in a folder of its own that holds what the page's line "<!-- inputs: NAME..
# -->" takes from INPUTS. blocks.sh calls it.
#   page.sh PAGE INPUTS PREFIX BUILD CC    PREFIX: where BUILD is installed
set -eu
page=$1 inputs=$2 prefix=$3 build=$4 cc=$5
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/docs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PEFT_DOC_BIN="$build/examples"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name peft.pc)")
export PKG_CONFIG_PATH
export PATH="$prefix/bin:$PEFT_DOC_BIN:$PATH"
mkdir -p "$work/blocks" "$work/short" "$work/scratch/build"
for input in $(sed -n 's/^<!-- inputs: \(.*\) -->$/\1/p' "$page"); do cp -r "$inputs/$input" "$work/scratch"; done
ln -s "$PEFT_DOC_BIN" "$build/tests" "$work/scratch/build"
ln -s "$root/examples" "$root/docs" "$root/scripts" "$root/tests" "$work/scratch"
for program in finetune compare pretrain; do ln -s "$here/short.sh" "$work/short/$program"; done

awk -v out="$work/blocks" -f "$here/blocks.awk" "$page" > "$work/list"
failed=0
: > "$work/printed"
fail() {
    echo "$page:$line: $*"
    failed=1
}
# Runs "$@" in the scratch folder; what it prints is kept for a block of output behind.
run() {
    if (cd "$work/scratch" && "$@") > "$work/printed" 2>&1 < /dev/null; then return 0; fi
    fail "fails and prints:"
    tail -n 15 "$work/printed"
}
# $1 source, then flags
compile() {
    source=$1
    shift
    # shellcheck disable=SC2046  # flags are meant to be split
    $cc -std=c11 -Wall -Wextra -Werror "$@" "$source" -o "$work/program" $(pkg-config --cflags --libs peft-io) -lm \
        -Wl,-rpath,"$(pkg-config --variable=libdir peft)" > "$work/printed" 2>&1 && return 0
    fail "does not compile:"
    head -n 15 "$work/printed"
    return 1
}
# A fragment goes to the next line /* BLOCK */ of wrap/$2.c; when none is left, the program is compiled and run.
fragment() {
    wrap=$work/wrap-$2.c
    [ -f "$wrap" ] || cp "$here/wrap/$2.c" "$wrap"
    awk -v block="$1" -v from="$line" -v name="$page" '
        !done && /\/\* BLOCK \*\// {
            printf "#line %d \"%s\"\n", from + 1, name
            while ((getline text < block) > 0) print text
            print "#line " NR + 1 " \"wrapper\""
            done = 1
            next
        }
        { print }' "$wrap" > "$work/filled.c"
    mv "$work/filled.c" "$wrap"
    grep -q '/\* BLOCK \*/' "$wrap" && return 0
    compile "$wrap" -Wno-unused-result -Wno-unused-variable && run "$work/program"
    rm "$wrap"
}
# Commands that need the network, root or hours: programs exist, and take the options that stand there.
check() {
    sed -e ':a' -e '/\\$/ { N; s/\\\n//; ba' -e '}' "$1" |
        sed -e 's/ *#.*//' -e 's/ && /\n/g' -e 's/ | /\n/g' -e 's/ > .*//' -e 's/\$([^)]*)//g' |
        grep -v '^ *$' > "$work/commands"
    while read -r command; do
        case ${command%% *} in                                # an assignment, alone or before a command
            [A-Za-z_]*=*) case $command in *' '*) command=${command#* } ;; *) continue ;; esac ;;
        esac
        # shellcheck disable=SC2086
        (cd "$work/scratch"; "$here/command.sh" "$root" ${command#sudo }) || { fail "in: $command"; }
    done < "$work/commands"
}
cmake_lists() {
    rm -rf "$work/cmake"
    mkdir "$work/cmake"
    {
        [ "$2" = project ] ||
            printf '%s\n' 'cmake_minimum_required(VERSION 3.22)' 'project(app C)' 'add_executable(app app.c)'
        cat "$1"
    } > "$work/cmake/CMakeLists.txt"
    # shellcheck disable=SC2016  # cmake's own variables
    printf '%s\n' '#include <peft/peft.h>' 'int main(void) { return !peft_version_number(); }' > "$work/cmake/app.c"
    run cmake -G Ninja -S "$work/cmake" -B "$work/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc"
    run cmake --build "$work/cmake/build"
}

while read -r number line language kind words; do
    if [ "$number" = error ]; then
        fail "$language $kind $words"
        continue
    fi
    block=$work/blocks/$number
    sed -i "s|/opt/peft|$prefix|g" "$block"
    value=${kind#*=}
    case $language:$kind in
        c:program)
            cp "$block" "$work/app.c"
            cp "$block" "$work/scratch/app.c"
            compile "$work/app.c" && run "$work/program" ;;
        cpp:compile)
            cp "$block" "$work/app.cpp"
            # shellcheck disable=SC2046  # flags are meant to be split
            run c++ -std=c++17 -Wall -Wextra -Werror $(pkg-config --cflags peft-io) -c "$work/app.cpp" \
                -o "$work/app.o" ;;
        c:file=*) cp "$block" "$work/scratch/$value" ;;
        c:fragment=*)
            [ -f "$here/wrap/$value.c" ] || { fail "no tests/docs/wrap/$value.c"; continue; }
            fragment "$block" "$value" ;;
        c:from=* | python:from=* | sh:from=*)
            sed 's/^ *//' "$root/$value" > "$work/whole"
            sed 's/^ *//' "$block" > "$work/part"
            awk -v part="$work/part" '
                BEGIN { while ((getline line < part) > 0) wanted[++n] = line }
                { i = $0 == wanted[i + 1] ? i + 1 : ($0 == wanted[1]); if (i == n) { found = 1; exit } }
                END { exit !found }' "$work/whole" || fail "is not what $value holds" ;;
        sh:run | sh:short)
            [ "$kind" = run ] || words=$work/short
            {
                echo "PATH=${words:+$words:}\$PATH"
                [ ! -f "$work/exported" ] || cat "$work/exported"
                cat "$block"
                echo "export -p | grep -v ' PATH=' > '$work/exported'"
            } > "$work/script"
            run sh -eu "$work/script" ;;
        sh:check) check "$block" ;;
        cmake:lists | cmake:project) cmake_lists "$block" "$kind" ;;
        text:output)
            [ -z "$words" ] || [ "$words" = varying ] || fail "output '$words'; expected nothing or 'varying'"
            awk -v varying="${words:+1}" -f "$here/output.awk" "$block" "$work/printed" > "$work/differs" ||
                { fail "shows other output than the block before it prints"; cat "$work/differs"; } ;;
        cmake:file=* | text:file=*) cp "$block" "$work/scratch/$value" ;;
        text:packages)
            for package in $(cat "$block"); do
                grep -qw -e "$package" "$root/scripts/deps.sh" || fail "scripts/deps.sh does not install $package"
            done ;;
        text:formula) ;;
        *:section)
            { "$root/tests/install/page.sh" --list; echo all; } | grep -qx "$words" ||
                fail "tests/install/page.sh runs no section '$words'" ;;
        *) fail "'$language $kind' lacks its value" ;;
    esac
done < "$work/list"
for wrap in "$work"/wrap-*.c; do
    line=1
    [ ! -f "$wrap" ] || fail "too few blocks for $(basename "$wrap")"
done
[ "$failed" = 0 ] || exit 1
