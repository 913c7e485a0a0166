/* SPDX-License-Identifier: Apache-2.0
 * option_table.c -- checks settings against option tables (names, types, bounds) and gives their values, or the
 * defaults of the table. */
#include "core/options/options.h"
#include <string.h>
#include "core/options/text.h"
#include "core/options/value.h"

/* The row of that name; NULL: none, or no table. */
static const pf_opt *row_of(const pf_opt *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name)) return table;
    return NULL;
}

/* What a value of the row must be. Sides ('x') may be the word 0 where the lower bound allows it. */
static pf_opt_domain domain_of(const pf_opt *row)
{
    return (pf_opt_domain){ row->type, row->lo, row->hi, row->type == 'x' && row->lo < 1 ? "0" : NULL };
}

/* Refuses a name that is not in the table, with the names that are. */
static peft_status refuse_name(const char *name, const pf_opt *table, const char *who)
{
    enum { MOST_NAMES = 256 };
    const char *known[MOST_NAMES];
    size_t n = 0;
    for (const pf_opt *row = table; row && row->name && n < MOST_NAMES; row++) known[n++] = row->name;
    return pf_name_refuse(who, name, known, n);
}

peft_status pf_options_check(const peft_options *o, const pf_opt *table, const char *who)
{
    for (size_t i = 0; i < pf_options_count(o); i++) {
        const char *name = pf_options_name(o, i), *text = pf_options_setting(o, name);
        const pf_opt *row = row_of(table, name);
        if (!row) return refuse_name(name, table, who);
        const pf_opt_domain domain = domain_of(row);
        pf_value ignored;
        if (!pf_value_read(&domain, text, &ignored)) return pf_value_refuse(&domain, who, row->name, text);
    }
    return PEFT_OK;
}

const char *pf_options_string(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_setting(o, name);
    const pf_opt *row = text ? NULL : row_of(table, name);
    return text ? text : row && row->fallback ? row->fallback : "";
}

/* Reads an integer, or a boolean as 1 or 0. */
int64_t pf_options_int(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_string(o, table, name);
    int64_t v = 0;
    bool yes = false;
    return pf_value_int(text, &v) ? v : pf_value_bool(text, &yes) ? yes : 0;
}

void pf_options_sides(const peft_options *o, const pf_opt *table, const char *name, int64_t *height, int64_t *width)
{
    *height = *width = 0;
    if (pf_value_sides(pf_options_string(o, table, name), height, width) && !*width) *width = *height;
}

double pf_options_float(const peft_options *o, const pf_opt *table, const char *name)
{
    double v = 0;
    return pf_parse_float(pf_options_string(o, table, name), &v) ? v : 0;
}

/* Whether the words a[n] and b[m] are the same text, or the same number: 1e-3 and 0.001. */
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

/* Whether two texts are lists of the same items: [1, 2.5] and 1,2.50. */
static bool same_list(const char *a, const char *b)
{
    for (;;) {
        size_t n, m;
        const char *p = pf_list_next(&a, &n), *q = pf_list_next(&b, &m);
        if (!p || !q) return !p && !q;                          /* the same if both lists end here */
        if (!same_word(p, n, q, m)) return false;
    }
}

/* Whether two texts are the same sides: 32 and 32x32. */
static bool same_sides(const char *a, const char *b)
{
    int64_t h, w, k, m;
    if (!pf_value_sides(a, &h, &w) || !pf_value_sides(b, &k, &m)) return !strcmp(a, b);
    return h == k && (w ? w : h) == (m ? m : k);
}

bool pf_option_same(const pf_opt *row, const char *a, const char *b)
{
    int64_t i, j;
    double v, w;
    bool x, y;
    switch (row->type) {
    case 'i': return pf_value_int(a, &i) && pf_value_int(b, &j) && i == j;
    case 'f': return pf_parse_float(a, &v) && pf_parse_float(b, &w) && v == w;
    case 'b': return pf_value_bool(a, &x) && pf_value_bool(b, &y) && x == y;
    case 'x': return same_sides(a, b);
    default:  return same_list(a, b);
    }
}
