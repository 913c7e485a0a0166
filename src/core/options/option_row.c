/* SPDX-License-Identifier: Apache-2.0
 * option_row.c -- what the public functions tell of an option: its row in a table. */
#include "core/options/options.h"

const pf_opt *pf_option_at(const pf_opt *table, size_t i)
{
    for (; table && table->name; table++, i--) if (!i) return table;
    return NULL;
}

const char *peft_option_name(const peft_option *o) { return o ? o->name : NULL; }
const char *peft_option_fallback(const peft_option *o) { return o ? o->fallback : NULL; }
const char *peft_option_help(const peft_option *o) { return o ? o->help : NULL; }

const char *peft_option_type(const peft_option *o)
{
    if (!o) return NULL;
    switch (o->type) {
    case 'i': return "integer";
    case 'f': return "float";
    case 'b': return "boolean";
    default:  return "text";
    }
}

int peft_option_bounds(const peft_option *o, double *low, double *high)
{
    if (!o || (o->type != 'i' && o->type != 'f') || !(o->lo < o->hi)) return 0;
    if (low) *low = o->lo;
    if (high) *high = o->hi;
    return 1;
}
