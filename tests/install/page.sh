#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the commands of one section of docs/linking.md. A section begins with "<!-- test: NAME -->" ("NAME static": only
# the static libraries are installed). A block after "<!-- file: PATH -->" is written to that file, other blocks of sh
# are run; files of "<!-- test: all -->" belong to every section. The page's paths /opt/peft, /opt/peft/lib,
# /src/libpeft and /src/libpeft/build, and its compiler, are replaced by those of the test.
#   page.sh NAME BUILD TREE WORK [CC CXX]   TREE: made by tree.sh; WORK: a folder, which is emptied
#   page.sh --list                          prints the names of the sections
#   page.sh --self-test WORK                a failing command, and a section without output, must be refused
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
page=${PEFT_PAGE-$root/docs/linking.md}

names() { sed -n 's/^<!-- test: \([a-z_]*\).*-->$/\1/p' "$page" | grep -vx all; }

# Writes the files of the section $1, and its commands as commands.sh, to the current folder.
extract() {
    awk -v want="$1" '
        /^<!-- test: / { section = $3; file = ""; next }
        /^<!-- file: / { file = $3; next }
        /^#/ && !inside { section = "" }
        /^```/ && inside { inside = 0; if (out != "") close(out); next }
        /^```/ {
            inside = 1
            out = ""
            if (section == want || section == "all") out = file != "" ? file : ($0 ~ /^```sh( |$)/ ? "commands.sh" : "")
            if (out ~ /\//) { folder = out; sub(/\/[^\/]*$/, "", folder); system("mkdir -p " folder) }
            file = ""
            next
        }
        inside && out != "" { print >> out }' "$page"
}

run() {
    name=$1 build=$(cd "$2" && pwd) tree=$(cd "$3" && pwd) work=$4
    prefix=$tree/shared
    grep -q "^<!-- test: $name static -->" "$page" && prefix=$tree/static
    libdir=$(dirname "$(dirname "$(find "$prefix" -name peft.pc)")")
    rm -rf "$work"
    mkdir -p "$work"
    cd "$work"
    work=$PWD
    export CC="$work/cc" CXX="${6:-c++}"
    printf '#!/bin/sh\nexec %s/quick_cc.sh %s "$@"\n' "$here" "${5:-cc}" > cc
    chmod +x cc
    export CMAKE_GENERATOR=Ninja                    # starts fewer processes than make
    extract "$name"
    [ -s commands.sh ] || { echo "page.sh: $page has no commands for '$name'"; exit 1; }
    {
        # shellcheck disable=SC2016  # the dollars belong to the shell that runs the commands
        echo 'cc() { "$CC" "$@"; }'
        cat commands.sh
    } | sed "s|/opt/peft/lib\>|$libdir|g; s|/opt/peft\>|$prefix|g; s|/src/libpeft/build\>|$build|g
             s|/src/libpeft\>|$root|g" > run.sh
    sed -i "s|/src/libpeft\>|$root|g" CMakeLists.txt meson.build 2> /dev/null || true
    sh -eu run.sh > log 2>&1 || { cat log; echo "page.sh: section '$name' failed"; exit 1; }
    # Each run of ./app or out/app prints one line; `runs` counts all commands that end in app.
    runs=$(grep -c 'app$' run.sh) printed=$(grep -cE '^libpeft [0-9.]+: 2 blocks$' log || true)
    wanted=$(grep -cE '(^|[ ])(\./|out/)app$' run.sh)
    [ "$runs" -gt 0 ] && [ "$printed" -eq "$wanted" ] ||
        { cat log; echo "page.sh: section '$name' ran its program $printed times, expected $wanted"; exit 1; }
}

case ${1-} in
    --list) names ;;
    --self-test)
        work=$2
        rm -rf "$work"
        mkdir -p "$work/build" "$work/tree/shared/lib/pkgconfig"
        : > "$work/tree/shared/lib/pkgconfig/peft.pc"
        for command in false 'echo nothing > app'; do
            # shellcheck disable=SC2016
            printf '<!-- test: one -->\n```sh\n%s\n: ./app\n```\n' "$command" > "$work/page.md"
            if PEFT_PAGE=$work/page.md "$0" one "$work/build" "$work/tree" "$work/one" > "$work/log"; then
                echo "page.sh: not refused: $command"
                exit 1
            fi
            grep -qE "section 'one' (failed|ran its program 0 times, expected 1)" "$work/log"
        done ;;
    *) run "$@" ;;
esac
