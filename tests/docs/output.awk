# SPDX-License-Identifier: Apache-2.0
# Whether a program printed what a page shows. A line "..." of the page stands for any number of lines, "..." within a
# line for any text. Blanks at the end of a line do not count; with varying=1 neither do runs of blanks, and any number
# may stand where the page has one. Prints the first line that differs and exits with 1.
#   awk [-v varying=1] -f output.awk EXPECTED ACTUAL
function plain(line) {
    sub(/[ \t\r]+$/, "", line)
    if (varying) {
        gsub(/[-+]?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?/, "#", line)
        gsub(/ +/, " ", line)
    }
    return line
}
function same(expected, actual,    part, n, i, at) {
    n = split(expected, part, /[.][.][.]/)
    if (n < 2) return expected == actual
    if (index(actual, part[1]) != 1) return 0
    actual = substr(actual, length(part[1]) + 1)
    for (i = 2; i < n; i++) {
        if (!(at = index(actual, part[i]))) return 0
        actual = substr(actual, at + length(part[i]))
    }
    return length(actual) >= length(part[n]) && substr(actual, length(actual) - length(part[n]) + 1) == part[n]
}
FNR == NR { expected[++wanted] = plain($0); next }
{ actual[++got] = plain($0) }
END {
    for (i = j = 1; i <= wanted; i++) {
        if (expected[i] == "...") {
            if (i == wanted) exit 0
            for (i++; j <= got && !same(expected[i], actual[j]); j++) { }
            if (j > got) break
            j++
        } else if (j > got || !same(expected[i], actual[j])) break
        else j++
    }
    if (i <= wanted) print "shown:   " expected[i] "\nprinted: " (j <= got ? actual[j] : "nothing more")
    else if (j <= got) print "shown:   nothing more\nprinted: " actual[j]
    else exit 0
    exit 1
}
