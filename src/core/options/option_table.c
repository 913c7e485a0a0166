/* SPDX-License-Identifier: Apache-2.0
 * option_table.c -- checks settings against option tables (names, types, bounds) and gives their values, or the
 * defaults of the table. */
#include "core/options/options.h"
#include <string.h>
#include "core/options/text.h"
#include "core/options/value.h"

static const pf_opt *row_of(const pf_opt *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name)) return table;
    return NULL;
}

static pf_opt_domain domain_of(const pf_opt *row) { return (pf_opt_domain){ row->type, row->lo, row->hi, NULL }; }

static peft_status refuse_name(const char *name, const pf_opt *a, const pf_opt *b, const char *who)
{
    const char *known[256];
    size_t n = 0;
    for (; a && a->name && n < 256; a++) known[n++] = a->name;
    for (; b && b->name && n < 256; b++) known[n++] = b->name;
    return pf_name_refuse(who, name, known, n);
}

peft_status pf_options_check(const peft_options *o, const pf_opt *a, const pf_opt *b, const char *who)
{
    for (size_t i = 0; i < pf_options_count(o); i++) {
        const char *name = pf_options_name(o, i), *text = pf_options_given(o, name);
        const pf_opt *row = row_of(a, name);
        if (!row) row = row_of(b, name);
        if (!row) return refuse_name(name, a, b, who);
        const pf_opt_domain domain = domain_of(row);
        pf_value ignored;
        if (!pf_value_read(&domain, text, &ignored)) return pf_value_refuse(&domain, who, row->name, text);
    }
    return PEFT_OK;
}

const char *pf_options_string(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_given(o, name);
    const pf_opt *row = text ? NULL : row_of(table, name);
    return text ? text : row && row->fallback ? row->fallback : "";
}

/* Reads booleans too: 1 for true, 0 for false. */
int64_t pf_options_int(const peft_options *o, const pf_opt *table, const char *name)
{
    const char *text = pf_options_string(o, table, name);
    int64_t v = 0;
    bool yes = false;
    return pf_value_int(text, &v) ? v : pf_value_bool(text, &yes) ? yes : 0;
}

double pf_options_float(const peft_options *o, const pf_opt *table, const char *name)
{
    double v = 0;
    return pf_parse_float(pf_options_string(o, table, name), &v) ? v : 0;
}

/* The same text, or the same number: 1e-3 and 0.001. */
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

/* Lists of the same items: [1, 2.5] and 1,2.50. */
static bool same_list(const char *a, const char *b)
{
    for (;;) {
        size_t n, m;
        const char *p = pf_list_next(&a, &n), *q = pf_list_next(&b, &m);
        if (!p || !q) return !p && !q;
        if (!same_word(p, n, q, m)) return false;
    }
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
    default:  return same_list(a, b);
    }
}
