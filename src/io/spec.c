/* SPDX-License-Identifier: Apache-2.0
 * spec.c -- settings as text: "name=value" pairs by a table, read and printed exactly whatever the program's locale. */
#include "io/io.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>

int io_choice(const char *choices, const char *word, size_t length)
{
    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|");
        if (n == length && !memcmp(choices, word, n)) return i;
        if (!choices[n]) return -1;
        choices += n + 1;
    }
}

bool io_parse_int(const char *s, size_t length, int64_t *out)
{
    int64_t v = 0;
    bool minus = length && *s == '-';
    if (minus) s++, length--;
    if (!length) return false;
    for (size_t i = 0; i < length; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        int digit = minus ? '0' - s[i] : s[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v)) return false;
    }
    *out = v;
    return true;
}

/* Decimal only: what strtod takes beyond it (hexadecimal, inf, nan, blanks) is refused. */
static bool parse_float(const char *s, size_t length, double *out)
{
    char text[64], *end;
    if (!length || length >= sizeof text || strspn(s, "0123456789+-.eE") < length) return false;
    memcpy(text, s, length);
    text[length] = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return false;
    double v = strtod_l(text, &end, c);
    freelocale(c);
    if (*end || end == text || !isfinite(v)) return false;
    *out = v;
    return true;
}

/* The fewest digits, 15 to 17, that read back as v; the decimal mark of the locale becomes a point. */
static void print_float(char *text, size_t room, double v)
{
    double back = NAN;
    for (int digits = 15; digits <= 17 && back != v; digits++) {
        snprintf(text, room, "%.*g", digits, v);
        char *to = text;
        for (const char *from = text; *from; from++)
            if (strchr("0123456789+-e", *from)) *to++ = *from;
            else if (to == text || to[-1] != '.') *to++ = '.';
        *to = 0;
        if (!parse_float(text, strlen(text), &back)) return;
    }
}

const char *io_number(char text[32], double v)
{
    if (isfinite(v)) print_float(text, 32, v);
    else snprintf(text, 32, "%g", v);
    return text;
}

static bool in_bounds(const io_key *k, double v) { return k->lo == k->hi || (v >= k->lo && v <= k->hi); }

/* Parses a:b:c into v[n]; with n 3 one value alone stands for all three, with n 2 the values must not fall. */
static bool parse_list(const io_key *k, const char *s, size_t length, int n, double *v)
{
    int given = 0;
    for (size_t part; given < n; s += part + 1, length -= part + 1) {
        const char *colon = memchr(s, ':', length);
        part = colon ? (size_t)(colon - s) : length;
        if (!parse_float(s, part, &v[given]) || !in_bounds(k, v[given])) return false;
        given++;
        if (!colon) break;
        if (given == n) return false;
    }
    if (n == 3 && given == 1) v[1] = v[2] = v[0], given = 3;
    return given == n && (n != 2 || v[0] <= v[1]);
}

/* A word of the choices, N or HxW. */
static bool parse_side(const io_key *k, const char *s, size_t length, io_side *out)
{
    io_side v = { .word = io_choice(k->choices, s, length) };
    const char *x = memchr(s, 'x', length);
    size_t first = x ? (size_t)(x - s) : length;
    if (v.word < 0) {
        if (!io_parse_int(s, first, &v.height) || !in_bounds(k, (double)v.height)) return false;
        if (x && (!io_parse_int(x + 1, length - first - 1, &v.width) || !in_bounds(k, (double)v.width))) return false;
    }
    *out = v;
    return true;
}

static bool parse_range(const io_key *k, const char *s, size_t length, io_range *out)
{
    static const io_key percent = { .lo = 0, .hi = 100 };
    const char *colon = memchr(s, ':', length);
    char numbers[80];
    io_range r = { IO_RANGE_FULL, { 0, 0 } };
    if (length == 4 && !memcmp(s, "full", 4)) {
        *out = r;
        return true;
    }
    r.kind = length && *s == 'p' ? IO_RANGE_PERCENTILES : IO_RANGE_VALUES;
    if (r.kind == IO_RANGE_PERCENTILES) {
        if (!colon || colon[1] != 'p' || length > sizeof numbers) return false;
        const size_t first = (size_t)(colon - s);             /* the letters are left out: "p1:p99" becomes "1:99" */
        memcpy(numbers, s + 1, first);
        memcpy(numbers + first, colon + 2, length - first - 2);
        s = numbers;
        length -= 2;
        k = &percent;
    }
    if (!parse_list(k, s, length, 2, r.end) || r.end[0] == r.end[1]) return false;
    *out = r;
    return true;
}

static bool parse_value(const io_key *k, const char *s, size_t length, char *at)
{
    int64_t whole;
    int choice;
    double v[3];
    switch (k->type) {
    case 'i':
        if (!io_parse_int(s, length, &whole) || !in_bounds(k, (double)whole)) return false;
        memcpy(at, &whole, sizeof whole);
        return true;
    case 'b':
    case 'c':
        choice = io_choice(k->type == 'b' ? "false|true" : k->choices, s, length);
        if (choice < 0) return false;
        if (k->type == 'b') *(bool *)at = choice;
        else *(int *)at = choice;
        return true;
    case 's': return parse_side(k, s, length, (io_side *)at);
    case 'r': return parse_range(k, s, length, (io_range *)at);
    default: {
        int n = k->type == 'f' ? 1 : k->type - '0';
        if (!parse_list(k, s, length, n, v)) return false;
        memcpy(at, v, (size_t)n * sizeof *v);
        return true;
    }
    }
}

static const char *expectation(const io_key *k, char *text, size_t room)
{
    char lo[32], hi[32];
    if (k->type == 'b' || k->type == 'c') return k->type == 'b' ? "true|false" : k->choices;
    io_number(lo, k->lo);
    io_number(hi, k->hi);
    if (k->type == 's') {
        snprintf(text, room, "%s, N or HxW in %s..%s", k->choices, lo, hi);
        return text;
    }
    const char *shape = k->type == 'i' ? "a whole number"
                      : k->type == 'r' ? "full, p1:p99 (percentiles) or low:high, low below high,"
                      : k->type == 'f' ? "a number"
                      : k->type == '2' ? "low:high" : "a:b:c";
    if (k->lo == k->hi) return shape;
    snprintf(text, room, "%s in %s..%s", shape, lo, hi);
    return text;
}

static const io_key *find_key(const io_key *keys, const char *name, size_t length)
{
    for (; keys->name; keys++)
        if (strlen(keys->name) == length && !memcmp(keys->name, name, length)) return keys;
    return NULL;
}

static peft_status unknown_key(const io_key *keys, const char *name, size_t length, const char *who)
{
    char known[400];
    size_t at = 0;
    known[0] = 0;
    for (; keys->name && at < sizeof known; keys++)
        at += (size_t)snprintf(known + at, sizeof known - at, " %s", keys->name);
    return io_fail(PEFT_E_OPTION, "%s: no setting is called '%.*s'; there are%s", who, (int)(length < 60 ? length : 60),
                   name, known);
}

peft_status io_spec_parse(const io_key *keys, const char *text, const char *who, void *values)
{
    uint64_t seen;
    return io_spec_parse_seen(keys, text, who, values, &seen);
}

peft_status io_spec_parse_seen(const io_key *keys, const char *text, const char *who, void *values, uint64_t *out)
{
    uint64_t seen = *out = 0;
    if (!text) return PEFT_OK;
    for (const char *s = text + strspn(text, ", \t\n"); *s; s += strspn(s, ", \t\n")) {
        size_t word = strcspn(s, ", \t\n"), name = strcspn(s, "=, \t\n");
        const io_key *k = find_key(keys, s, name);
        if (!k) return unknown_key(keys, s, name, who);
        char room[160];
        if (name == word || !parse_value(k, s + name + 1, word - name - 1, (char *)values + k->offset))
            return io_fail(PEFT_E_OPTION, "%s: '%.*s': expected %s=%s", who, (int)(word < 80 ? word : 80), s, k->name,
                           expectation(k, room, sizeof room));
        uint64_t bit = 1ull << (k - keys);
        if (seen & bit) return io_fail(PEFT_E_OPTION, "%s: '%s' is given twice", who, k->name);
        seen |= bit;
        s += word;
    }
    *out = seen;
    return PEFT_OK;
}

static void print_word(const char *choices, int i, char *text, size_t room)
{
    for (; i; i--) choices = strchr(choices, '|') + 1;
    snprintf(text, room, "%.*s", (int)strcspn(choices, "|"), choices);
}

/* n doubles as a:b:c. */
static void print_numbers(const char *at, int n, char *text, size_t room)
{
    for (int i = 0; i < n; i++) {
        double v;
        memcpy(&v, at + (size_t)i * sizeof v, sizeof v);
        if (i) *text++ = ':', room--;
        print_float(text, room, v);
        room -= strlen(text);
        text += strlen(text);
    }
}

static void print_value(const io_key *k, const char *at, char *text, size_t room)
{
    if (k->type == 'i') {
        int64_t whole;
        memcpy(&whole, at, sizeof whole);
        snprintf(text, room, "%lld", (long long)whole);
        return;
    }
    if (k->type == 'b' || k->type == 'c') {
        if (k->type == 'b') print_word("false|true", *(const bool *)at, text, room);
        else print_word(k->choices, *(const int *)at, text, room);
        return;
    }
    if (k->type == 's') {
        const io_side *v = (const io_side *)at;
        if (v->word >= 0) print_word(k->choices, v->word, text, room);
        else if (!v->width) snprintf(text, room, "%lld", (long long)v->height);
        else snprintf(text, room, "%lldx%lld", (long long)v->height, (long long)v->width);
        return;
    }
    if (k->type == 'r') {
        const io_range *v = (const io_range *)at;
        const char *mark = v->kind == IO_RANGE_PERCENTILES ? "p" : "";
        char lo[32], hi[32];
        if (v->kind == IO_RANGE_FULL) print_word("full", 0, text, room);
        else snprintf(text, room, "%s%s:%s%s", mark, io_number(lo, v->end[0]), mark, io_number(hi, v->end[1]));
        return;
    }
    print_numbers(at, k->type == 'f' ? 1 : k->type - '0', text, room);
}

peft_status io_spec_print(const io_key *keys, const void *values, char **text)
{
    size_t rows = 0, at = 0, room = 1;
    while (keys[rows].name) room += strlen(keys[rows++].name) + 100;
    char *t = malloc(room);
    if (!t) return io_nomem("text of settings");
    for (const io_key *k = keys; k->name; k++) {
        at += (size_t)snprintf(t + at, room - at, "%s%s=", k == keys ? "" : ",", k->name);
        print_value(k, (const char *)values + k->offset, t + at, room - at);
        at += strlen(t + at);
    }
    *text = t;
    return PEFT_OK;
}
