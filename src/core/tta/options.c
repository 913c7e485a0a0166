/* SPDX-License-Identifier: Apache-2.0
 * options.c -- the table of kinds, and the check of an adaptor's options: one that the chosen kind does not read is an
 * error, because "lambda=0.2" for kind tent would change nothing and report nothing. */
#include <stdio.h>
#include <string.h>
#include "core/tta/adaptor.h"

const pf_tta_kind *const pf_tta_kinds[] = {
#define PF_TTA(name) &pf_tta_##name,
#include "core/tta/kinds/kinds.def"
#undef PF_TTA
    NULL };

enum { ROWS_MAX = 160 };                 /* more than the options of all kinds and the common ones together */

const pf_tta_kind *pf_tta_named(const char *name)
{
    for (size_t i = 0; pf_tta_kinds[i] && name; i++) if (!strcmp(name, pf_tta_kinds[i]->name)) return pf_tta_kinds[i];
    return NULL;
}

/* Writes the names of the kinds, of those that read option (NULL: of all), as "tent, t3a or foa". */
static const char *kind_names(const char *option, char *text, size_t capacity)
{
    const char *names[sizeof pf_tta_kinds / sizeof *pf_tta_kinds];
    size_t n = 0;
    for (size_t i = 0; pf_tta_kinds[i]; i++)
        if (!option || pf_tta_row(pf_tta_kinds[i]->options, option)) names[n++] = pf_tta_kinds[i]->name;
    return pf_names_text(names, n, ", ", option ? ", " : " or ", text, capacity);
}

/* Appends to rows the options of table that it does not have. */
static size_t append(pf_opt *rows, size_t n, const pf_opt *table)
{
    for (; table && table->name; table++) {
        bool known = false;
        for (size_t i = 0; i < n; i++) known |= !strcmp(rows[i].name, table->name);
        if (!known && n < ROWS_MAX) rows[n++] = *table;
    }
    return n;
}

/* Is this the default of the option in any of the kinds that read it? Their defaults may differ. */
static bool is_a_default(const char *option, const char *given)
{
    for (size_t k = 0; pf_tta_kinds[k]; k++) {
        const pf_opt *row = pf_tta_row(pf_tta_kinds[k]->options, option);
        if (row && pf_option_same(row, given, row->fallback)) return true;
    }
    return false;
}

/* PEFT_E_OPTION: o sets an option that no kind has. The message suggests those of this kind. all: the options of all
 * kinds. */
static peft_status refuse_unknown(peft_context *ctx, const peft_options *o, const pf_tta_kind *kind, const pf_opt *all)
{
    pf_opt rows[ROWS_MAX + 1] = { 0 };
    char who[80];
    peft_options *unknown;
    size_t i = 0;
    while (i < pf_options_count(o) && pf_tta_row(all, pf_options_name(o, i))) i++;
    if (i == pf_options_count(o)) return PEFT_OK;
    append(rows, append(rows, 0, pf_tta_common), kind->options);
    snprintf(who, sizeof who, "an adaptor of kind %s", kind->name);
    PF_TRY(peft_options_create(ctx, &unknown));
    peft_status s = peft_options_set_string(unknown, pf_options_name(o, i), "");
    if (!s) s = pf_options_check(unknown, rows, who);
    peft_options_free(unknown);
    return s;
}

/* PEFT_E_OPTION: o sets an option of another kind to a value other than its default. */
static peft_status refuse_others(const peft_options *o, const pf_tta_kind *kind)
{
    char names[160];
    for (size_t k = 0; pf_tta_kinds[k]; k++)
        for (const pf_opt *row = pf_tta_kinds[k]->options; row && row->name; row++) {
            const char *given = pf_options_setting(o, row->name);
            if (!given || pf_tta_row(kind->options, row->name) || is_a_default(row->name, given)) continue;
            return pf_fail(PEFT_E_OPTION, "%s: given '%.100s', but kind=%s does not read it (read by: %s); leave "
                           "it out or change kind", row->name, given, kind->name,
                           kind_names(row->name, names, sizeof names));
        }
    return PEFT_OK;
}

peft_status pf_tta_options(peft_adaptor *a, const peft_options *o)
{
    pf_opt rows[ROWS_MAX + 1] = { 0 };
    char names[160];
    const char *name = pf_options_string(o, pf_tta_common, "kind");
    a->kind = pf_tta_named(name);
    if (!a->kind)
        return pf_fail(PEFT_E_OPTION, "kind: given '%.60s', expected %s", name, kind_names(NULL, names, sizeof names));
    size_t n = append(rows, append(rows, 0, pf_tta_common), a->kind->options);
    for (size_t k = 0; pf_tta_kinds[k]; k++) n = append(rows, n, pf_tta_kinds[k]->options);
    if (!o) return PEFT_OK;
    PF_TRY(refuse_unknown(a->ctx, o, a->kind, rows));
    PF_TRY(pf_options_check(o, rows, "an adaptor"));
    PF_TRY(refuse_others(o, a->kind));
    return pf_options_copy(o, &a->options);
}

size_t peft_adaptor_kind_count(void) { return sizeof pf_tta_kinds / sizeof *pf_tta_kinds - 1; }
const char *peft_adaptor_kind_name(size_t i)
{
    return i < peft_adaptor_kind_count() ? pf_tta_kinds[i]->name : NULL;
}
const char *peft_adaptor_kind_summary(const char *kind)
{
    const pf_tta_kind *k = pf_tta_named(kind);
    return k ? k->summary : NULL;
}
const char *peft_adaptor_kind_paper(const char *kind)
{
    const pf_tta_kind *k = pf_tta_named(kind);
    return k ? k->paper : NULL;
}
const peft_option *peft_adaptor_option(size_t i) { return pf_option_at(pf_tta_common, i); }
const peft_option *peft_adaptor_kind_option(const char *kind, size_t i)
{
    const pf_tta_kind *k = pf_tta_named(kind);
    return k ? pf_option_at(k->options, i) : NULL;
}
