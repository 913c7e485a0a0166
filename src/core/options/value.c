/* SPDX-License-Identifier: Apache-2.0
 * value.c -- values of settings, by their type: reads them from text, prints them, and makes the error message. */
#include "core/options/value.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"

bool pf_value_bool(const char *text, bool *out)
{
    static const struct { const char *text; bool value; } words[] = {
        { "true", true }, { "1", true }, { "yes", true }, { "on", true },
        { "false", false }, { "0", false }, { "no", false }, { "off", false } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i].text)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

/* An integer, or a number in another form whose value is an integer: 1e5, 3.0. */
bool pf_value_int(const char *text, int64_t *out)
{
    double v;
    if (pf_parse_int(text, out)) return true;
    if (!pf_parse_float(text, &v) || !(fabs(v) <= 0x1p53) || v != floor(v)) return false;
    *out = (int64_t)v;
    return true;
}

/* Reads the first `length` bytes of s, digits with or without a minus sign. */
bool peft_sys_opt_integer(const char *s, size_t length, int64_t *out)
{
    char text[32];
    if (!length || length >= sizeof text || *s == '+') return false;
    memcpy(text, s, length);
    text[length] = 0;
    return pf_parse_int(text, out);
}

const char *peft_sys_opt_number(char text[32], double v)
{
    pf_print_float(text, 32, v);
    return text;
}

/* The index of the word in "a|b|c"; -1: not there. */
int peft_sys_opt_choice(const char *choices, const char *word, size_t length)
{
    for (int i = 0;; i++) {
        const size_t n = strcspn(choices, "|");
        if (n == length && !memcmp(choices, word, n)) return i;
        if (!choices[n]) return -1;
        choices += n + 1;
    }
}

bool pf_value_numbers(const char *text, int n, double *out)
{
    double v[4] = { 0 };
    char one[64];
    int count = 0;
    for (bool more = true; more; text++) {                      /* text++ skips the colon */
        const size_t length = strcspn(text, ":");
        if (count == n || length >= sizeof one) return false;
        memcpy(one, text, length);
        one[length] = 0;
        if (!pf_parse_float(one, &v[count++])) return false;
        text += length;
        more = *text;
    }
    if (n == 3 && count == 1) v[1] = v[2] = v[0], count = 3;
    if (count == n) memcpy(out, v, (size_t)n * sizeof *v);
    return count == n;
}

bool pf_value_sides(const char *text, int64_t *height, int64_t *width)
{
    const char *x = strchr(text, 'x'), *digits = "0123456789";
    const size_t height_digits = x ? (size_t)(x - text) : strlen(text);
    int64_t h, w = 0;
    if (strspn(text, digits) != height_digits || !peft_sys_opt_integer(text, height_digits, &h) || h < 1) return false;
    if (x && (x[1 + strspn(x + 1, digits)] || !pf_parse_int(x + 1, &w) || w < 1)) return false;
    *height = h;
    *width = w;
    return true;
}

/* Whether v is finite and within the bounds, if there are any. */
static bool in_bounds(const pf_opt_domain *domain, double v)
{
    return isfinite(v) && (domain->lo == domain->hi || (v >= domain->lo && v <= domain->hi));
}

/* Reads a word of the choices (NULL: there are none), or sides N or HxW. */
static bool read_side(const pf_opt_domain *domain, const char *text, peft_opt_side *out)
{
    peft_opt_side v = { .word = domain->choices ? peft_sys_opt_choice(domain->choices, text, strlen(text)) : -1 };
    if (v.word < 0) {
        if (!pf_value_sides(text, &v.height, &v.width) || !in_bounds(domain, (double)v.height)) return false;
        if (v.width && !in_bounds(domain, (double)v.width)) return false;
    }
    *out = v;
    return true;
}

/* Reads n numbers separated by colons; the second of two must not be below the first. */
static bool read_numbers(const pf_opt_domain *domain, const char *text, int n, double *out)
{
    double v[4];
    if (!pf_value_numbers(text, n, v)) return false;
    for (int i = 0; i < n; i++) if (!in_bounds(domain, v[i])) return false;
    if (n == 2 && v[0] > v[1]) return false;
    memcpy(out, v, (size_t)n * sizeof *v);
    return true;
}

/* Reads low:high with low below high. */
static bool read_ends(const pf_opt_domain *domain, const char *text, double end[2])
{
    return read_numbers(domain, text, 2, end) && end[0] < end[1];
}

/* Reads a range: full, low:high (values) or pA:pB (percentiles). */
static bool read_range(const pf_opt_domain *domain, const char *text, peft_opt_range *out)
{
    static const pf_opt_domain percent = { .type = '2', .hi = 100 };       /* two numbers, low:high, from 0 to 100 */
    char numbers[80];                                  /* pA:pB without its letters */
    const char *second = *text == 'p' ? strstr(text, ":p") : NULL;
    peft_opt_range v = { .kind = PEFT_RANGE_FULL };
    bool good = !strcmp(text, "full");
    if (!good && second) {
        v.kind = PEFT_RANGE_PERCENTILES;
        const int n = snprintf(numbers, sizeof numbers, "%.*s:%s", (int)(second - text - 1), text + 1, second + 2);
        good = n < (int)sizeof numbers && read_ends(&percent, numbers, v.end);
    } else if (!good) {
        v.kind = PEFT_RANGE_VALUES;
        good = read_ends(domain, text, v.end);
    }
    if (good) *out = v;
    return good;
}

/* The count of numbers in a value of type 'f' (1), '2', '3' or '4'. */
static int numbers_of(char type) { return type == 'f' ? 1 : type - '0'; }

bool pf_value_read(const pf_opt_domain *domain, const char *text, pf_value *v)
{
    int64_t i;
    int choice;
    switch (domain->type) {
    case 'i':
        if (!pf_value_int(text, &i) || !in_bounds(domain, (double)i)) return false;
        v->i = i;
        return true;
    case 'c':
        choice = peft_sys_opt_choice(domain->choices, text, strlen(text));
        if (choice >= 0) v->choice = choice;
        return choice >= 0;
    case 'b': return pf_value_bool(text, &v->b);
    case 'x': return read_side(domain, text, &v->side);
    case 'r': return read_range(domain, text, &v->range);
    case 's': return true;
    default:  return read_numbers(domain, text, numbers_of(domain->type), v->f);
    }
}

size_t pf_value_size(char type)
{
    switch (type) {
    case 'i': return sizeof(int64_t);
    case 'c': return sizeof(int);
    case 'b': return sizeof(bool);
    case 'x': return sizeof(peft_opt_side);
    case 'r': return sizeof(peft_opt_range);
    case 's': return 0;
    default:  return sizeof(double) * (size_t)numbers_of(type);
    }
}

/* Writes n numbers as "a:b:c". */
static void print_numbers(const double *v, int n, char *text, size_t capacity)
{
    char number[32];
    size_t used = 0;
    for (int i = 0; i < n && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s%s", i ? ":" : "", peft_sys_opt_number(number, v[i]));
}

/* Writes word i of "a|b|c". */
static void print_word(const char *choices, int i, char *text, size_t capacity)
{
    for (; i; i--) choices = strchr(choices, '|') + 1;
    snprintf(text, capacity, "%.*s", (int)strcspn(choices, "|"), choices);
}

void pf_value_print(const pf_opt_domain *domain, const pf_value *v, char *text, size_t capacity)
{
    const peft_opt_side *side = &v->side;
    char lo[32], hi[32];
    switch (domain->type) {
    case 'i': snprintf(text, capacity, "%lld", (long long)v->i); return;
    case 'b': snprintf(text, capacity, "%s", v->b ? "true" : "false"); return;
    case 'c': print_word(domain->choices, v->choice, text, capacity); return;
    case 'x':
        if (side->word >= 0) print_word(domain->choices, side->word, text, capacity);
        else if (!side->width) snprintf(text, capacity, "%lld", (long long)side->height);
        else snprintf(text, capacity, "%lldx%lld", (long long)side->height, (long long)side->width);
        return;
    case 'r':
        peft_sys_opt_number(lo, v->range.end[0]);
        peft_sys_opt_number(hi, v->range.end[1]);
        if (v->range.kind == PEFT_RANGE_FULL) snprintf(text, capacity, "full");
        else snprintf(text, capacity, v->range.kind == PEFT_RANGE_VALUES ? "%s:%s" : "p%s:p%s", lo, hi);
        return;
    default: print_numbers(v->f, numbers_of(domain->type), text, capacity);
    }
}

/* Writes the words of "a|b|c" as "a, b or c". */
static void print_words(const char *choices, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (const char *c = choices; c && used < capacity; ) {
        const char *next = strchr(c, '|');
        const char *between = c == choices ? "" : next ? ", " : " or ";
        used += (size_t)snprintf(text + used, capacity - used, "%s%.*s", between, (int)strcspn(c, "|"), c);
        c = next ? next + 1 : NULL;
    }
}

/* What a message calls a value of that type; words: it stands behind those of the choices. */
static const char *shape_of(char type, bool words)
{
    switch (type) {
    case 'i': return "an integer";
    case 'f': return "a number";
    case 'b': return "true or false";
    case '2': return "low:high";
    case '3': return "a:b:c";
    case '4': return "a:b:c:d";
    case 'x': return words ? ", N or HxW" : "N or HxW";
    case 'r': return "full, p1:p99 (percentiles) or low:high, low below high";
    default:  return "";
    }
}

/* Expected are the words, then the shape of other values, then their bounds: "auto, N or HxW from 1 to 1024". */
peft_status pf_value_refuse(const pf_opt_domain *domain, const char *who, const char *name, const char *text)
{
    char words[400] = "", bounds[80] = "", lo[32], hi[32];
    const char type = domain->type;
    if (domain->choices) print_words(domain->choices, words, sizeof words);
    if (domain->lo != domain->hi && type != 'b' && type != 'c')
        snprintf(bounds, sizeof bounds, "%s from %s to %s", type == 'r' ? "," : "",
                 peft_sys_opt_number(lo, domain->lo), peft_sys_opt_number(hi, domain->hi));
    return pf_fail(PEFT_E_OPTION, "%s: option '%s' is '%.100s'; expected %s%s%s", who, name, text, words,
                   shape_of(type, *words != 0), bounds);
}

peft_status pf_name_refuse(const char *who, const char *name, const char *const *known, size_t n)
{
    char list[640] = "";
    size_t end = 0;
    const char *meant = pf_nearest(name, known, n);
    if (meant) return pf_fail(PEFT_E_OPTION, "%s: unknown option '%.100s'; did you mean '%s'?", who, name, meant);
    for (size_t i = 0; i < n && end < sizeof list; i++)
        end += (size_t)snprintf(list + end, sizeof list - end, "%s%s", i ? ", " : "; known are ", known[i]);
    return pf_fail(PEFT_E_OPTION, "%s: unknown option '%.100s'%s", who, name, n ? list : "; it takes none");
}
