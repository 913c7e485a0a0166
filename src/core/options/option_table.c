/* SPDX-License-Identifier: Apache-2.0
 * option_table.c -- settings seen through a table of options: the check of names, types and bounds, and the values. */
#include "core/options/options.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const pf_opt *row_of(const pf_opt *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name)) return table;
    return NULL;
}

static bool to_bool(const char *text, bool *out)
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

/* "1e5" and 3.0 are integers too, as far as a double holds them exactly. */
static bool to_int(const char *text, int64_t *out)
{
    double v;
    if (pf_parse_int(text, out)) return true;
    if (!pf_parse_float(text, &v) || !(fabs(v) <= 0x1p53) || v != floor(v)) return false;
    *out = (int64_t)v;
    return true;
}

static bool in_bounds(const pf_opt *row, double v)
{
    return isfinite(v) && (row->lo == row->hi || (v >= row->lo && v <= row->hi));
}

static bool fits(const pf_opt *row, const char *text)
{
    int64_t i;
    double f;
    bool b;
    switch (row->type) {
    case 'i': return to_int(text, &i) && in_bounds(row, (double)i);
    case 'f': return pf_parse_float(text, &f) && in_bounds(row, f);
    case 'b': return to_bool(text, &b);
    default:  return true;
    }
}

static peft_status refuse_value(const pf_opt *row, const char *text, const char *who)
{
    char lo[32], hi[32], bounds[80] = "";
    const char *kind = row->type == 'i' ? "an integer" : row->type == 'f' ? "a number" : "true or false";
    if (row->type != 'b' && row->lo != row->hi) {
        pf_print_float(lo, sizeof lo, row->lo);
        pf_print_float(hi, sizeof hi, row->hi);
        snprintf(bounds, sizeof bounds, " from %s to %s", lo, hi);
    }
    return pf_fail(PEFT_E_OPTION, "%s: option '%s' is '%.100s'; expected %s%s", who, row->name, text, kind, bounds);
}

static peft_status refuse_name(const char *name, const pf_opt *a, const pf_opt *b, const char *who)
{
    const char *known[256];
    char list[640] = "";
    size_t n = 0, end = 0;
    for (; a && a->name && n < 256; a++) known[n++] = a->name;
    for (; b && b->name && n < 256; b++) known[n++] = b->name;
    const char *meant = pf_nearest(name, known, n);
    if (meant) return pf_fail(PEFT_E_OPTION, "%s: unknown option '%.100s'; did you mean '%s'?", who, name, meant);
    for (size_t i = 0; i < n && end < sizeof list; i++)
        end += (size_t)snprintf(list + end, sizeof list - end, "%s%s", i ? ", " : "; known are ", known[i]);
    return pf_fail(PEFT_E_OPTION, "%s: unknown option '%.100s'%s", who, name, n ? list : "; it takes none");
}

peft_status pf_options_check(const peft_options *o, const pf_opt *a, const pf_opt *b, const char *who)
{
    for (size_t i = 0; i < pf_options_count(o); i++) {
        const char *name = pf_options_name(o, i), *text = pf_options_given(o, name);
        const pf_opt *row = row_of(a, name);
        if (!row) row = row_of(b, name);
        if (!row) return refuse_name(name, a, b, who);
        if (!fits(row, text)) return refuse_value(row, text, who);
    }
    return PEFT_OK;
}

const char *pf_options_string(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_given(o, name);
    const pf_opt *row = text ? NULL : row_of(table, name);
    return text ? text : row && row->fallback ? row->fallback : "";
}

int64_t pf_options_int(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_string(o, table, name);
    int64_t v = 0;
    bool yes = false;
    return to_int(text, &v) ? v : to_bool(text, &yes) ? yes : 0;
}

double pf_options_float(const peft_options *o, const pf_opt *table, const char *name)
{
    double v = 0;
    return pf_parse_float(pf_options_string(o, table, name), &v) ? v : 0;
}

/* The next word of a list whose words stand between commas, blanks and brackets; false: there are no more. */
static bool next_word(const char **at, const char **word, size_t *length)
{
    *word = *at + strspn(*at, ", \t[]");
    *length = strcspn(*word, ", \t[]");
    *at = *word + *length;
    return *length > 0;
}

static bool same_word(const char *a, size_t n, const char *b, size_t m)
{
    char x[64], y[64];
    double v, w;
    if (n == m && !memcmp(a, b, n)) return true;
    if (n >= sizeof x || m >= sizeof y) return false;
    memcpy(x, a, n), x[n] = 0;
    memcpy(y, b, m), y[m] = 0;
    return pf_parse_float(x, &v) && pf_parse_float(y, &w) && v == w;
}

static bool same_list(const char *a, const char *b)
{
    for (;;) {
        const char *p, *q;
        size_t n, m;
        const bool more = next_word(&a, &p, &n);
        if (next_word(&b, &q, &m) != more) return false;
        if (!more) return true;
        if (!same_word(p, n, q, m)) return false;
    }
}

bool pf_option_same(const pf_opt *row, const char *a, const char *b)
{
    int64_t i, j;
    double v, w;
    bool x, y;
    switch (row->type) {
    case 'i': return to_int(a, &i) && to_int(b, &j) && i == j;
    case 'f': return pf_parse_float(a, &v) && pf_parse_float(b, &w) && v == w;
    case 'b': return to_bool(a, &x) && to_bool(b, &y) && x == y;
    default:  return same_list(a, b);
    }
}
