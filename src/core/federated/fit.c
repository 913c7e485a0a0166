/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- checks that the file of a site belongs to the same backbone, methods and options as the start. */
#include <stdio.h>
#include <string.h>
#include "core/federated/aggregator.h"
#include "core/model/model.h"

/* An entry that must be the same in all files, and what to do if it is not. */
typedef struct { const char *key, *what, *cure; } entry;

static const entry entries[] = {
    { "libpeft.kind", "kind of file", "give files that finetune or peft_model_save wrote, or adapter files, not both" },
    { "libpeft.format", "file format", "write all files with the same version of libpeft" },
    { "libpeft.backbone.fingerprint", "backbone", "train all sites on the same weights, with the same options" },
    { "libpeft.backbone.image_size", "image size", "load the backbone with the same image_size at all sites" },
    { "libpeft.backbone.resample", "rule of the position embedding", "load the backbone with the same resample" },
    { "libpeft.backbone.classifier", "classifier of the backbone", "use the same backbone at all sites" },
    { "libpeft.adapters", "number of adapters", "train all sites from the same start file" } };
/* Notes that must be the same where both files have them: averages of models of other classes or of otherwise prepared
 * images mean nothing. */
static const entry notes[] = {
    { "class_names", "classes", "give all sites the same classes in the same order" },
    { "preprocess", "preparation of images", "train all sites with the same --transform and image size" },
    { "link", "kind of labels", "train all sites with one label an image, or all with several" } };

const char *pf_fit_reference(const peft_aggregator *a) { return a->has_start ? "the start" : "the first site"; }

static peft_status differ(const peft_aggregator *a, const entry *e, const char *given, const char *expected)
{
    return pf_fail(PEFT_E_MISMATCH, "%s: given '%.200s', %s has '%.200s'; %s", e->what, given, pf_fit_reference(a),
                   expected, e->cure);
}

/* The value of an option, the default of its row if it was not set; NULL: neither. */
static const char *value_of(const peft_options *o, const pf_opt *row, const char *name)
{
    const char *set = pf_options_setting(o, name);
    return set ? set : row ? row->fallback : NULL;
}

static const pf_opt *row_named(const pf_opt *table, const char *name)
{
    for (size_t i = 0; pf_option_at(table, i); i++)
        if (!strcmp(pf_option_at(table, i)->name, name)) return pf_option_at(table, i);
    return NULL;
}

/* Compares the options that `names` sets. */
static peft_status same_values(const peft_aggregator *a, const pf_opt *table, const char *what,
                               const peft_options *names, const peft_options *given, const peft_options *expected)
{
    for (size_t i = 0; i < pf_options_count(names); i++) {
        const char *name = pf_options_name(names, i);
        const pf_opt *row = row_named(table, name);
        const char *g = value_of(given, row, name), *e = value_of(expected, row, name);
        if (g && e && (row ? pf_option_same(row, g, e) : !strcmp(g, e))) continue;
        return pf_fail(PEFT_E_MISMATCH, "option '%s' of %s: given '%.200s', %s has '%.200s'; train all sites from the "
                       "same start file", name, what, g ? g : "nothing", pf_fit_reference(a), e ? e : "nothing");
    }
    return PEFT_OK;
}

/* Compares options as text: settings in another order, or one that is the default, are the same. */
static peft_status same_options(const peft_aggregator *a, const pf_opt *table, const char *what, const char *given,
                                const char *expected)
{
    peft_options *g = NULL, *e = NULL;
    peft_status s = peft_options_create(a->ctx, &g);
    if (!s) s = peft_options_create(a->ctx, &e);
    if (!s) s = peft_options_parse(g, given);
    if (!s) s = peft_options_parse(e, expected);
    if (!s) s = same_values(a, table, what, g, g, e);
    if (!s) s = same_values(a, table, what, e, g, e);
    peft_options_free(g);
    peft_options_free(e);
    return s;
}

/* Compares an entry that holds options. */
static peft_status same_options_entry(const peft_aggregator *a, const pf_st *st, const char *key, const pf_opt *table,
                                      const char *what)
{
    const char *given, *expected;
    PF_TRY(pf_meta_read_text(st, key, &given));
    PF_TRY(pf_meta_read_text(a->model, key, &expected));
    return strcmp(given, expected) ? same_options(a, table, what, given, expected) : PEFT_OK;
}

/* Compares method and options of adapter k. */
static peft_status same_adapter(const peft_aggregator *a, const pf_st *st, int64_t k)
{
    char key[64], what[96];
    const char *given, *expected;
    snprintf(key, sizeof key, "libpeft.adapter.%lld.method", (long long)k);
    PF_TRY(pf_meta_read_text(st, key, &given));
    PF_TRY(pf_meta_read_text(a->model, key, &expected));
    if (strcmp(given, expected))
        return differ(a, &(entry){ NULL, "method", "train all sites with the same method" }, given, expected);
    const peft_method *m = pf_method_find(a->ctx, given);
    snprintf(key, sizeof key, "libpeft.adapter.%lld.options", (long long)k);
    snprintf(what, sizeof what, "method %.60s", given);
    return same_options_entry(a, st, key, m ? m->opts : NULL, what);
}

peft_status pf_fit_metadata(const peft_aggregator *a, const pf_st *st)
{
    int64_t adapters;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const char *given = pf_st_meta(st, entries[i].key), *expected = pf_st_meta(a->model, entries[i].key);
        if (!given != !expected || (given && strcmp(given, expected)))
            return differ(a, &entries[i], given ? given : "nothing", expected ? expected : "nothing");
    }
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        const char *given = pf_st_meta(st, notes[i].key), *expected = pf_st_meta(a->model, notes[i].key);
        if (given && expected && strcmp(given, expected)) return differ(a, &notes[i], given, expected);
    }
    PF_TRY(pf_meta_read_int(st, "libpeft.adapters", &adapters));
    for (int64_t k = 0; k < adapters; k++) PF_TRY(same_adapter(a, st, k));
    if (!strcmp(pf_st_meta(st, "libpeft.kind"), "model"))
        return same_options_entry(a, st, "libpeft.model.options", pf_model_options, "the model");
    return PEFT_OK;
}
