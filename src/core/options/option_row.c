/* SPDX-License-Identifier: Apache-2.0
 * option_row.c -- gives the row of an option table to the public functions that list options. */
#include "core/options/options.h"

static const char *type_name(char type)
{
    switch (type) {
    case 'i': return "integer";
    case 'f': return "float";
    case 'b': return "boolean";
    default:  return "text";
    }
}

void pf_option_row(const pf_opt *row, const char **name, const char **type, const char **fallback, const char **help)
{
    if (name) *name = row->name;
    if (type) *type = type_name(row->type);
    if (fallback) *fallback = row->fallback;
    if (help) *help = row->help;
}
