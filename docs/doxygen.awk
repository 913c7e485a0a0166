# SPDX-License-Identifier: Apache-2.0
# Turns the comments of a public header into Doxygen's. The headers stay readable as they are; the rules that their
# comments follow are these:
# * the first comment of a file describes the file;
# * a comment describes the declarations below it, up to the next empty line; one that stands within a declaration, or
#   behind it on its last line, describes that declaration alone;
# * a comment in a struct or enum does the same for members and values. One without a comment of its own is described
#   by the comment of the struct or enum if that names it (values also without PEFT_);
# * "/* --- title --- */" begins a section. A handle, "typedef struct x x;", without a comment is described by its
#   section, else by the file.
# What remains without a comment is left to Doxygen, which warns of it.
#   awk -f doxygen.awk HEADER

# The words of a comment in one line, with all that Doxygen would take for a command escaped.
function words(comment) {
    sub(/^\/\*+[ \t]*/, "", comment)
    sub(/[ \t]*\*+\/$/, "", comment)
    gsub(/\n[ \t]*\*?[ \t]*/, " ", comment)
    gsub(/[\\@<>&#%"]/, "\\\\&", comment)
    gsub(/::/, ":\\:", comment)
    gsub(/--/, "-", comment)
    gsub(/ - /, " \\- ", comment)
    return comment
}
function described(text, code) { return text == "" ? code : "/** " text " */ " code }
function names(text, word,    at, before, after, rest) {
    word = tolower(word)
    sub(/^peft_/, "", word)
    rest = tolower(text)
    gsub(/peft_/, "", rest)
    while (at = index(rest, word)) {
        before = at > 1 ? substr(rest, at - 1, 1) : " "
        after = substr(rest, at + length(word), 1)
        if (before !~ /[a-z0-9_]/ && after !~ /[a-z0-9_]/) return 1
        rest = substr(rest, at + length(word))
    }
    return 0
}

# The next comment, line end, or piece of code between ; , { } in text; code in parentheses is not divided.
function next_token(    c, depth, from) {
    from = at
    c = substr(text, at, 1)
    if (substr(text, at, 2) == "/*") {
        at += index(substr(text, at), "*/") + 1
        return substr(text, from, at - from)
    }
    if (c ~ /[\n;,{}]/ && !open) { at++; return c }
    for (; at <= size; at++) {
        c = substr(text, at, 1)
        if (substr(text, at, 2) == "/*" || c == "\n") break
        if (c == "(") open++
        else if (c == ")") open--
        else if (c ~ /[;,{}]/ && !open) break
    }
    if (at == from) at++                        # a line end in parentheses
    return substr(text, from, at - from)
}
function trim(s) { gsub(/[ \t\n]+/, " ", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }

# A comment behind on the same line, if there is one; it is taken away from the text.
function behind(    rest, comment) {
    rest = substr(text, at)
    if (!match(rest, /^[ \t]*\/\*/)) return ""
    at += RLENGTH - 2
    comment = next_token()
    return words(comment)
}

# --- members of a struct, values of an enum -------------------------------------------------------
function member(code, own,    type, part, n, i, name, doc, out) {
    code = trim(code)
    if (code == "") return
    waiting_code[++waiting] = code
    waiting_doc[waiting] = own
}
# Members of a line share the comment behind it.
function flush_members(own,    i, doc, name, code) {
    for (i = 1; i <= waiting; i++) {
        code = waiting_code[i]
        name = code
        sub(/ *=.*/, "", name)
        sub(/\[.*/, "", name)
        if (name ~ /\(\*/) { sub(/.*\(\*/, "", name); sub(/\).*/, "", name) }
        sub(/.*[ *]/, "", name)
        doc = own != "" ? own : waiting_doc[i] != "" ? waiting_doc[i] : names(type_doc, name) ? type_doc : ""
        print described(doc, code) (is_enum ? "," : ";")
    }
    waiting = 0
}
function body(    token, code, doc, own, type, first) {
    doc = code = type = ""
    first = 1
    while (at <= size) {
        token = next_token()
        if (token == "}") {
            member(code, doc)
            flush_members("")
            return
        }
        if (token ~ /^\/\*/) {
            if (trim(code) == "" && first) { flush_members(""); doc = words(token) }
            else { if (trim(code) != "") member(type code, doc); flush_members(words(token)); code = "" }
            ends = 0
        } else if (token == "," && !is_enum) {
            code = trim(code)
            if (type == "") {
                match(code, /.*[ ]/)
                type = substr(code, 1, RLENGTH)
                code = substr(code, RLENGTH + 1)
            }
            member(type code, doc)
            code = ""
        } else if (token == "," || token == ";") {
            member(type code, doc)
            code = type = ""
            first = 0
        } else if (token == "\n") {
            if (trim(code) == "" && type == "") { flush_members(""); first = 1; if (++ends > 1) doc = "" }
            else code = code " "
        } else { code = code token; ends = 0 }
    }
}

!/^PEFT_(BEGIN|END)_DECLS$/ { text = text $0 "\n" }
END {
    size = length(text)
    at = 1
    file_doc = words(next_token())
    sub(/^SPDX[^ ]* [^ ]* /, "", file_doc)
    print "/** @file\n" file_doc " */"
    sub(/^[a-z_\/.]* *-? */, "", file_doc)
    code = doc = own = ""
    while (at <= size) {
        token = next_token()
        if (token ~ /^\/\*/) {
            if (trim(code) != "") own = words(token)
            else if (token ~ /^\/\* ---/) { section = words(token); gsub(/(\\?-)+/, "", section); doc = "" }
            else doc = words(token)
        } else if (token == "\n") {
            if (trim(code) != "") code = code " "
            else if (++ends > 1) doc = ""
            continue
        } else if (token ~ /^[ \t]*#/ && trim(code) == "") {
            line = token
            while (line ~ /\\[ \t]*$/ || (at <= size && substr(text, at, 1) != "\n" && substr(text, at, 2) != "/*")) {
                at += substr(text, at, 1) == "\n"
                if (line ~ /\\[ \t]*$/) sub(/\\[ \t]*$/, "", line)
                line = line next_token()
            }
            comment = behind()
            if (line ~ /define PEFT_([A-Z_]*_)?H *$/) continue                 # the guard of the header
            if (line ~ /^[ \t]*# *define/) printf "%s", described(comment != "" ? comment : doc, "\n")
            print line
        } else if (token == "{" ) {
            type_doc = own != "" ? own : doc
            is_enum = code ~ /enum/
            print described(type_doc, trim(code)) " {"
            body()
            code = "}"
            own = type_doc
        } else if (token == ";") {
            comment = behind()
            own = comment != "" ? comment : own != "" ? own : doc
            code = trim(code)
            if (own == "" && code ~ /^typedef struct [a-z_0-9]+ [a-z_0-9]+$/) own = section != "" ? section : file_doc
            if (code ~ /^}/) print code ";"
            else print described(own, code) ";"
            code = own = ""
        } else code = code token
        ends = 0
    }
}
