#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What headers declare, those that they include as well, a line each:
#   f NAME DECLARATION     of each exported function
#   t NAME                 of each typedef
#   d NAME TYPEDEF         of each typedef that defines no struct or enum
# declarations.sh INCLUDE CC HEADER...     INCLUDE: the folder of the headers; HEADER: peft/session.h
set -eu
export LC_ALL=C
include=$1 cc=$2
shift 2
printf '#include <%s>\n' "$@" | "$cc" -std=gnu11 -E -P -I"$include" -x c - |
    awk 'BEGIN { RS = "\001" } {
        gsub(/[ \t\n]+/, " ")
        mark = "__attribute__((visibility(\"default\")))"
        rest = $0
        while ((at = index(rest, mark)) > 0) {
            rest = substr(rest, at + length(mark))
            if (!match(rest, /peft_[a-z0-9_]+ ?\(/)) continue
            name = substr(rest, RSTART, RLENGTH)
            sub(/ ?\($/, "", name)
            depth = 1
            for (i = RSTART + RLENGTH; depth > 0 && i <= length(rest); i++) {
                c = substr(rest, i, 1)
                depth += (c == "(") - (c == ")")
            }
            print "f", name, substr(rest, 1, i - 1)
        }
        rest = $0
        while (match(rest, /typedef /)) {
            rest = substr(rest, RSTART + RLENGTH)
            depth = 0
            for (i = 1; i <= length(rest); i++) {
                c = substr(rest, i, 1)
                depth += (c == "{") - (c == "}")
                if (c == ";" && depth == 0) break
            }
            text = whole = substr(rest, 1, i - 1)
            sub(/\{.*\}/, "", text)
            if (match(text, /\( ?\* ?peft_[a-z0-9_]+/)) text = substr(text, RSTART, RLENGTH)
            else sub(/ ?[\[(].*/, "", text)
            if (!match(text, /peft_[a-z0-9_]+ ?$/)) continue
            name = substr(text, RSTART, RLENGTH)
            sub(/ $/, "", name)
            print "t", name
            if (whole !~ /\{/) print "d", name, "typedef " whole
        }
    }' |
    sort -u
