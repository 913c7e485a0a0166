#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links and names of the pages: README.md, docs, the README.md files in examples.
# * Each relative link leads to a file, and its #part to a heading of that page.
# * Each page of docs can be reached from docs/README.md by links.
# * Each public header and each program has a page in docs/README.md.
# * What a page names exists: functions and macros of this library, paths of the project, programs, options "--name".
# * The pages that a program's --help names exist.
#   links.sh BUILD [ROOT]       links.sh --self-test BUILD
set -eu
self_test=
[ "$1" != --self-test ] || { self_test=yes; shift; }
build=$(cd "$1" && pwd)
root=$(cd "${2:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

# Names that pages may use although they are not the project's own: options of other programs, a key of Hugging Face's,
# and names that stand for any of their kind.
foreign='--build --install --prefix --cflags --libs --static --variable --define-variable --define-prefix --exclude-libs --raw
    --allow-run-as-root --oversubscribe
    peft_type peft_x PEFT_MAJOR PEFT_SYS_N'

pages() { { echo README.md; find docs examples -name '*.md'; } | sort; }

# "PAGE TARGET" for each link outside of code blocks and of `code`.
links() {
    pages | xargs awk '
        FNR == 1 { inside = 0 }
        /^```/ { inside = !inside }
        inside { next }
        {
            gsub(/`[^`]*`/, "")
            while (match($0, /\]\([^) ]+\)/)) {
                print FILENAME, substr($0, RSTART + 2, RLENGTH - 3)
                $0 = substr($0, RSTART + RLENGTH)
            }
        }'
}
# "PAGE#PART" for each heading, as GitHub makes parts of headings.
headings() {
    pages | xargs awk '
        FNR == 1 { inside = 0 }
        /^```/ { inside = !inside }
        inside || !/^#+ / { next }
        {
            sub(/^#+ +/, "")
            part = tolower($0)
            gsub(/[^a-z0-9 _-]/, "", part)
            gsub(/ /, "-", part)
            part = FILENAME "#" part
            print part (seen[part]++ ? "-" seen[part] - 1 : "")
        }'
}
# A path with its "x/.." and "." removed.
plain_path() { realpath -m --relative-to="$root" "$1"; }

check_links() {
    links > "$work/links"
    headings > "$work/headings"
    : > "$work/edges"
    while read -r page target; do
        case $target in http://* | https://* | mailto:*) continue ;; esac
        file=${target%%#*}
        path=$(plain_path "$(dirname "$page")/$file")
        [ -n "$file" ] || path=$page
        [ -e "$path" ] || { echo "$page: no $target"; continue; }
        case $target in *\#*) grep -qxF "$path#${target#*#}" "$work/headings" || echo "$page: no part $target" ;; esac
        echo "$page $path" >> "$work/edges"
    done < "$work/links"
    awk '
        { to[$1] = to[$1] " " $2 }
        END {
            reached["docs/README.md"] = 1
            for (changed = 1; changed;) {
                changed = 0
                for (page in reached) {
                    n = split(to[page], next_page, " ")
                    for (i = 1; i <= n; i++) if (!(next_page[i] in reached)) reached[next_page[i]] = changed = 1
                }
            }
            for (page in reached) print page
        }' "$work/edges" | sort > "$work/reached"
    pages | grep '^docs/' | sort | comm -23 - "$work/reached" | sed 's/$/: no way leads here from docs\/README.md/'
}

# The words of files that match $1, one a line; $1 an extended regular expression, then grep's arguments.
words() {
    pattern=$1
    shift
    grep -rohIE -e "$pattern" "$@" | sort -u
}
# "PAGE: no $1 WORD" for words of pages that match $2 and are not among those of file $3.
unknown() {
    pages | xargs grep -oHE -e "$2" | sort -u | awk -v what="$1" -v file="$3" '
        BEGIN { while ((getline word < file) > 0) known[word] }
        { page = word = $0; sub(/:.*/, "", page); sub(/[^:]*:/, "", word) }
        !(word in known) { print page ": no " what " " word }'
}
# "PAGE:CODE" for each `code` of a page.
code() { pages | xargs awk -F '`' '{ for (i = 2; i < NF; i += 2) print FILENAME ":" $i }'; }

check_names() {
    words '\bpeft_[a-z0-9_]+' include CMakeLists.txt cmake src/io/CMakeLists.txt > "$work/public"
    printf '%s\n' $foreign >> "$work/public"
    sort -u -o "$work/public" "$work/public"
    { cat "$work/public"; words '\bpeft_[a-z0-9_]+' src tests; } | sort -u > "$work/any"
    unknown 'name' '\bpeft_[a-z0-9_]+' "$work/public" > "$work/missing"
    # What the two pages about the inside name may also be there.
    grep -E '^docs/(architecture|internals)\.md' "$work/missing" | sed 's/.* //' | sort -u | comm -23 - "$work/any" |
        sed 's/^/docs: no name /'
    grep -vE '^docs/(architecture|internals)\.md' "$work/missing" || true
    words '\b(pf|pk)_[a-z0-9_]*[a-z0-9]\b' src tests > "$work/inner"
    unknown 'name' '\b(pf|pk)_[a-z0-9_]*[a-z0-9]\b' "$work/inner"
    {
        printf '%s\n' $foreign
        words '\b(PEFT|PF|PK|IO)_[A-Z0-9_]+' include src CMakeLists.txt cmake tests/*.sh tests/CMakeLists.txt \
            examples scripts
    } | sort -u > "$work/macros"
    unknown 'name' '\b(PEFT|PF|PK|IO)_[A-Z0-9_]+' "$work/macros"

    ls "$build/examples" > "$work/programs"
    {
        printf '%s\n' $foreign
        for program in $(programs); do "$build/examples/$program" --help | grep -oE -e '--[a-z][a-z-]*'; done
        for program in bench bench_memory; do "$build/tests/$program" --help 2>&1 || true; done |
            grep -oE -e '--[a-z][a-z-]*'
        words '--[a-z][a-z-]*' tests/scripts tests/abi tests/bench/peers scripts examples/demo.sh \
            bindings/python/examples
    } | sort -u > "$work/options"
    unknown 'option' '(^|[^a-z,-])--[a-z][a-z-]*' /dev/null | sed 's/option .*--/option --/' |
        while read -r page no what option; do
            grep -qx -e "$option" "$work/options" || echo "$page $no $what $option"
        done

    # N and NAME stand for a name of the reader's.
    code | sed -e 's/:</:include\//' -e 's/>$//' |
        grep -E '^[^:]*:(src|tests|include|examples|docs|scripts|cmake|build/examples)/[A-Za-z0-9_./-]*$' |
        grep -vE '[:/_](N|NAME)([._]|$)' |
        while IFS=: read -r page path; do
            case $path in build/*) found=$build/${path#build/} ;; *) found=$path ;; esac
            [ -e "$found" ] || echo "$page: no file $path"
        done
    printf 'io\nmpi\n' | sort -u - "$work/programs" | sed 's/^/peft-/' > "$work/installed"
    unknown 'program' '\bpeft-[a-z_]+' "$work/installed"
}

# The programs of the build, one a line
programs() {
    while read -r program; do
        [ ! -f "$build/examples/$program" ] || [ ! -x "$build/examples/$program" ] || echo "$program"
    done < "$work/programs"
}

# Pages that a --help names.
check_help() {
    programs | while read -r program; do
        "$build/examples/$program" --help | grep -oE '\bdocs/[A-Za-z0-9_./-]+\.md' | sort -u | while read -r page; do
            [ -f "$page" ] || echo "$program --help: no file $page"
        done
    done
}

# Each header and each program is in the index.
check_index() {
    for header in include/peft/*.h; do
        header=$(basename "$header")
        case $header in peft.h | io.h | export.h) continue ;; esac          # that include all, or mark declarations
        grep -qF "\`<peft/$header>\`" docs/README.md || echo "docs/README.md: no page for <peft/$header>"
    done
    for program in $(programs); do
        grep -qF "[$program](" docs/README.md || echo "docs/README.md: no page for $program"
    done
}

check() {
    cd "$root"
    { check_links; check_names; check_help; check_index; } > "$work/faults"
    [ -s "$work/faults" ] || return 0
    cat "$work/faults"
    return 1
}

if [ -z "$self_test" ]; then
    check
    exit
fi
here=$root
root=$work/root
mkdir "$root"
(cd "$here" &&
    cp -r README.md CHANGELOG.md LICENSE CMakeLists.txt docs examples include src tests scripts cmake bindings "$root")
ln -s "$build" "$root/build"

# Faults, and below what the report must say of each.
cat >> "$root/docs/predict.md" << 'EOF'

[a page](no_such_page.md)
[a part](finetune.md#no-such-part)
Call peft_no_such_function.
Set `PEFT_NO_SUCH_SETTING`.
Give `--no-such-option`.
Look into `src/no_such_file.c`.
Look into `<peft/no_such.h>`.
Run `peft-no_such_program`.
EOF
: > "$root/include/peft/new.h"
echo '# Alone' > "$root/docs/alone.md"
mv "$root/docs/choosing.md" "$work"
if check > "$work/said"; then echo "no fault is found"; exit 1; fi
while read -r expected; do
    grep -qF -e "$expected" "$work/said" || { echo "expected '$expected':"; cat "$work/said"; exit 1; }
done << 'EOF'
docs/predict.md: no no_such_page.md
docs/predict.md: no part finetune.md#no-such-part
no name peft_no_such_function
no name PEFT_NO_SUCH_SETTING
no option --no-such-option
no file src/no_such_file.c
no file include/peft/no_such.h
no program peft-no_such_program
docs/README.md: no page for <peft/new.h>
docs/alone.md: no way leads here
finetune --help: no file docs/choosing.md
EOF
echo "eleven mistakes are found"
