# SPDX-License-Identifier: Apache-2.0
# Splits a page into its code blocks: block N goes to the file OUT/N, and a line "N LINE LANGUAGE KIND WORDS.." to
# standard output, from its fence, such as ```c program or ```text output varying. docs/documentation.md lists the
# kinds. A block without a declared kind, or one that is indented in place of fenced, is a line "error LINE MESSAGE".
#   awk -v out=OUT -f blocks.awk PAGE
function refuse(message) { print "error", NR, message }
BEGIN {
    split("c:program c:file c:fragment c:from sh:run sh:short sh:check sh:from cmake:file cmake:lists cmake:project " \
          "text:output text:file text:formula text:packages c:section sh:section cmake:section meson:section " \
          "ini:section cpp:compile python:from", kinds, " ")
    for (i in kinds) known[kinds[i]] = 1
}
/^<!-- test: / && !inside { section = $3 }
/^#/ && !inside { section = "" }
/^```/ && !inside {
    inside = 1
    info = substr($0, 4)
    words = split(info, word, " ")
    kind = word[2]
    sub(/=.*/, "", kind)
    if (words < 2 || !((word[1] ":" kind) in known))
        refuse("'" $0 "' declares no kind of block; docs/documentation.md lists them")
    if (kind == "section") info = info " " (section == "" ? "none" : section)
    file = out "/" ++blocks
    printf "" > file
    print blocks, NR, info
    next
}
/^```/ { inside = 0; close(file); blank = 0; next }
inside { print > file; next }
/^ +```/ { refuse("a fence that does not begin at the left margin") }
/^    +[^ ]/ && blank { refuse("an indented code block; put it between fences that declare its kind") }
{ blank = /^ *$/ || (/^    / && blank) }
END { if (inside) refuse("the last block has no end") }
