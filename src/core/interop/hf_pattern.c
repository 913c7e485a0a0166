/* SPDX-License-Identifier: Apache-2.0
 * hf_pattern.c -- matches the regular expressions of target_modules and rank_pattern. Each part of a pattern maps the
 * set of positions in the text where a match may begin to the set of positions where it may end. The sets are computed
 * while the pattern is read once from left to right: nothing is tried twice, and every part of the pattern is checked,
 * whatever the text is. */
#include <ctype.h>
#include <string.h>
#include "core/interop/hf_dir.h"

#define TEXT_MAX 255
#define NESTED_MAX 16                        /* groups inside groups */
#define STEPS_MAX 200000                     /* bound for nested repetitions, far above what names of modules need */

typedef struct { uint64_t w[4]; } set;       /* of positions 0 to TEXT_MAX, or of characters: a bit for each */
typedef struct {
    const char *pattern, *p;                 /* p: what is not read yet; "" after an error */
    const char *text; size_t n;              /* n: its length */
    int depth;                               /* groups that are open */
    long steps;                              /* atoms (a character, class or group) evaluated so far */
    peft_status status;
} matcher;

static bool contains(const set *s, size_t i) { return s->w[i / 64] >> (i % 64) & 1; }
static void add(set *s, size_t i) { s->w[i / 64] |= (uint64_t)1 << (i % 64); }
static bool is_empty(const set *s) { return !(s->w[0] | s->w[1] | s->w[2] | s->w[3]); }

/* The members of a or b. */
static set union_of(set a, set b)
{
    for (int i = 0; i < 4; i++) a.w[i] |= b.w[i];
    return a;
}

/* The members of a that are not in b. */
static set without(set a, set b)
{
    for (int i = 0; i < 4; i++) a.w[i] &= ~b.w[i];
    return a;
}

enum { SHOW_NOTHING = 0 };
/* Records the error at the cursor, and ends the reading. The message shows the next `length` bytes of the pattern. */
static void refuse(matcher *m, int length, const char *why)
{
    if (!m->status)
        m->status = pf_fail(PEFT_E_UNSUPPORTED, "pattern '%.200s': '%.*s' at character %d %s", m->pattern, length, m->p,
                            (int)(m->p - m->pattern), why);
    m->p = "";
}

/* Reads \d (returns 'd', *digit is true) or escaped punctuation (returns the character); 0: refused. */
static int escaped(matcher *m, bool *digit)
{
    unsigned char c = (unsigned char)m->p[1];
    *digit = c == 'd';
    if (!*digit && !ispunct(c)) {
        refuse(m, 2, "is not supported: expected \\d or escaped punctuation");
        return 0;
    }
    m->p += 2;
    return c;
}

/* Reads a [class] as a set of characters. */
static set read_class(matcher *m)
{
    set bits = { { 0 } };
    const char *start = ++m->p;
    bool negated = *m->p == '^', digit;
    if (negated) m->p++;
    for (const char *first = m->p; *m->p && (*m->p != ']' || m->p == first);) {
        int from = (unsigned char)*m->p, to;
        if (from == '[') {
            refuse(m, 1, "inside a class is not supported");
            return bits;
        }
        if (from == '\\') {
            from = escaped(m, &digit);
            for (int c = '0'; from && digit && c <= '9'; c++) add(&bits, (size_t)c);
            if (digit || !from) continue;
        } else {
            m->p++;
        }
        to = from;
        if (*m->p == '-' && m->p[1] && m->p[1] != ']') {
            to = (unsigned char)m->p[1];
            if (to == '\\' || to < from) refuse(m, 2, "is not a range");
            else m->p += 2;
        }
        for (int c = from; c <= to; c++) add(&bits, (size_t)c);
    }
    if (*m->p != ']') {
        if (!m->status) m->p = start - 1;                    /* the message shows the opening bracket */
        refuse(m, 1, "is not closed");
        return bits;
    }
    m->p++;
    return negated ? without((set){ { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } }, bits) : bits;
}

/* The positions after one character that is in bits. */
static set step_over(const matcher *m, set in, const set *bits)
{
    set out = { { 0 } };
    for (size_t i = 0; i < m->n; i++)
        if (contains(&in, i) && contains(bits, (unsigned char)m->text[i])) add(&out, i + 1);
    return out;
}

static set alternatives(matcher *m, set in);

/* Reads a group in parentheses. The functions from here on return the positions after a match that begins in `in`. */
static set group(matcher *m, set in)
{
    const char *start = m->p++;
    if (*m->p == '?' && m->p[1] != ':') {
        const bool look = strchr("=!<", m->p[1]) && m->p[1];
        m->p--;
        if (look) refuse(m, 3, "begins a lookahead or lookbehind, which is not supported: expected a pattern that says "
                               "which modules match, or a list of modules");
        refuse(m, 3, "is not supported: expected ( or (?:");
        return in;
    }
    if (*m->p == '?') m->p += 2;
    if (++m->depth > NESTED_MAX) refuse(m, SHOW_NOTHING, "is nested too deep");
    set out = alternatives(m, in);
    m->depth--;
    if (*m->p == ')') {
        m->p++;
    } else {
        m->p = start;
        refuse(m, 1, "is not closed");
    }
    return out;
}

/* Reads ^ or $: the positions of `in` that are the beginning or the end of the text. */
static set anchor(matcher *m, set in)
{
    set out = { { 0 } };
    const size_t place = *m->p++ == '^' ? 0 : m->n;
    if (contains(&in, place)) add(&out, place);
    if (*m->p && strchr("*+?", *m->p)) refuse(m, 1, "has nothing to repeat");
    return out;
}

/* Reads an anchor, a character, a class or a group. */
static set atom(matcher *m, set in)
{
    set bits = { { 0 } };
    bool digit;
    int c = (unsigned char)*m->p;
    if (++m->steps > STEPS_MAX) refuse(m, SHOW_NOTHING, "takes too many steps");
    if (m->status) return in;
    if (c == '(') return group(m, in);
    if (c == '^' || c == '$') return anchor(m, in);
    if (c == '[') bits = read_class(m);
    else if (c == '\\') {
        c = escaped(m, &digit);
        for (int d = '0'; digit && d <= '9'; d++) add(&bits, (size_t)d);
        if (!digit && c) add(&bits, (size_t)c);
    } else if (strchr("*+?{}]", c) || c > '~' || c < ' ') {
        refuse(m, 1, strchr("*+?", c) ? "has nothing to repeat, or repeats twice" : "is not supported");
    } else {
        if (c == '.') memset(&bits, 0xff, sizeof bits);
        else add(&bits, (size_t)c);
        m->p++;
    }
    return step_over(m, in, &bits);
}

/* Reads an atom and the * + or ? after it. Lazy forms (*?) match the same texts. The atom is evaluated again for the
 * positions that are new (fresh), until there are none. */
static set repeated(matcher *m, set in)
{
    const char *start = m->p;
    set out = atom(m, in), fresh;
    char quantifier = *m->p;
    if (quantifier != '*' && quantifier != '+' && quantifier != '?') return out;
    if (*++m->p == '?') m->p++;                              /* lazy */
    const char *end = m->p;
    fresh = quantifier == '?' ? (set){ { 0 } } : without(out, in);
    while (!is_empty(&fresh) && !m->status) {
        m->p = start;
        set next = atom(m, fresh);
        fresh = without(next, out);
        out = union_of(out, next);
    }
    if (!m->status) m->p = end;
    return quantifier == '+' ? out : union_of(out, in);
}

/* Reads what stands between |, up to a closing parenthesis or the end. */
static set alternatives(matcher *m, set in)
{
    set out = { { 0 } };
    for (;; m->p++) {
        set branch = in;
        while (*m->p && *m->p != '|' && *m->p != ')') branch = repeated(m, branch);
        out = union_of(out, branch);
        if (*m->p != '|') return out;
    }
}

/* starts: the positions of the text at which a match may begin. */
static peft_status match_from(set starts, const char *pattern, const char *text, bool *matches)
{
    matcher m = { .pattern = pattern, .p = pattern, .text = text, .n = strlen(text) };
    if (m.n > TEXT_MAX) return pf_fail(PEFT_E_UNSUPPORTED, "module '%s': its path is longer than %d", text, TEXT_MAX);
    set out = alternatives(&m, starts);
    if (*m.p) refuse(&m, 1, "closes nothing that was opened");
    *matches = !m.status && contains(&out, m.n);
    return m.status;
}

enum { BEGINNING = 0 };                                      /* of the text, as a position */

peft_status pf_peft_match_whole(const char *pattern, const char *text, bool *matches)
{
    set starts = { { 0 } };
    add(&starts, BEGINNING);
    return match_from(starts, pattern, text, matches);
}

peft_status pf_peft_match_end(const char *pattern, const char *text, bool *matches)
{
    set starts = { { 0 } };
    add(&starts, BEGINNING);
    for (size_t i = 0; text[i] && i < TEXT_MAX; i++) if (text[i] == '.') add(&starts, i + 1);
    return match_from(starts, pattern, text, matches);
}

bool pf_path_ends_with(const char *path, const char *name)
{
    size_t n = strlen(path), tail = strlen(name);
    return tail <= n && !strcmp(path + n - tail, name) && (n == tail || path[n - tail - 1] == '.');
}
