/* SPDX-License-Identifier: Apache-2.0
 * trainer_settings.c -- the settings that a training state and the trainer that restores it must share: the options of
 * trainer, model and adapters, the parameter groups, and the application's notes. Each is a metadata entry of the file,
 * such as "libpeft.trainer.option.lr". They are compared as values: lr=1e-3 equals lr=0.001, and an option that was not
 * given equals its default. Options that change no result, or that the chosen schedule, optimiser and loss do not read,
 * are neither saved nor compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/format/meta.h"
#include "core/train/trainer.h"

/* Options that change no result. cache_type and keep do change results, and each_setting adds them as the types that
 * the trainer really has. */
static const char *const without_effect[] = { "threads", "executor", "memory_limit", "samples", "cache_features",
                                              "cache_file", "cache_type", "keep" };

/* Whether a trainer with these options could give other results with another value of option `name`. */
static bool affects_results(const peft_trainer *t, const char *name)
{
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        if (!strcmp(name, without_effect[i])) return false;
    if (!strcmp(name, "weight_reduction") && !t->loss.class_weights) return false;
    return pf_option_is_read(t->options, name);
}

/* Options that version 1.0 did not have and did not save: a state without such an entry was saved with the default. of:
 * "trainer", or the method whose option it is. The default is not written, so that the state has the bytes of one of a
 * library without the option; but that of compute is. */
static const struct { const char *of, *name; bool default_is_written; } newer_than_1_0[] = {
    { "trainer", "compute", true }, { "trainer", "keep", false }, { "trainer", "proximal", false },
    { "trainer", "extrapolate", false }, { "trainer", "extrapolate_lr", false }, { "trainer", "local_steps", false },
    { "trainer", "local_from", false }, { "trainer", "ignore_index", false }, { "vpt", "rank", false },
    { "partial", "layers", false }, { "partial", "part", false } };

/* One setting. owner: what it belongs to, for messages ("the trainer", "adapter 0"); of: the same for newer_than_1_0;
 * key: of its metadata entry; row: type of its value. */
typedef struct setting { const char *owner, *of, *key, *name, *value; const pf_opt *row; } setting;
typedef peft_status (*setting_fn)(void *user, const setting *s);

/* Calls fn for every option of a table with its value in o. of: see setting. t: options that do not affect the results
 * of this trainer are left out; NULL: no option is left out. */
static peft_status each_option(const char *owner, const char *of, const char *prefix, const pf_opt *table,
                               const peft_options *o, const peft_trainer *t, setting_fn fn, void *user)
{
    char key[192];
    for (const pf_opt *row = table; row && row->name; row++) {
        if (t && !affects_results(t, row->name)) continue;
        snprintf(key, sizeof key, "%s%s", prefix, row->name);
        PF_TRY(fn(user, &(setting){ owner, of, key, row->name, pf_options_string(o, table, row->name), row }));
    }
    return PEFT_OK;
}

/* Calls fn for the number of adapters, and for method and options of each. */
static peft_status each_adapter(const peft_model *m, setting_fn fn, void *user)
{
    /* rows for settings that are in no table of options: the types decide how values are compared */
    static const pf_opt number = { .name = "adapters", .type = 'i' }, method = { .name = "method", .type = 's' };
    char text[64], owner[64];
    snprintf(text, sizeof text, "%zu", m->adapters);
    PF_TRY(fn(user, &(setting){ "the model", "model", "libpeft.adapters", number.name, text, &number }));
    for (size_t i = 0; i < m->adapters; i++) {
        const peft_adapter *a = m->adapter[i];
        snprintf(text, sizeof text, "libpeft.adapter.%zu.method", i);
        snprintf(owner, sizeof owner, "adapter %zu", i);
        PF_TRY(fn(user, &(setting){ owner, a->method->name, text, method.name, a->method->name, &method }));
        snprintf(text, sizeof text, "libpeft.adapter.%zu.option.", i);
        PF_TRY(each_option(owner, a->method->name, text, a->method->opts, a->options, NULL, fn, user));
    }
    return PEFT_OK;
}

/* Calls fn for every setting of trainer, model and adapters. */
static peft_status each_setting(const peft_trainer *t, setting_fn fn, void *user)
{
    static const pf_opt cache_type = { .name = "cache_type", .type = 's' };
    static const pf_opt keep_type = { .name = "keep", .type = 's', .fallback = "f32" };
    const char *owner = "the trainer", *of = "trainer";
    PF_TRY(each_option(owner, of, "libpeft.trainer.option.", pf_trainer_options, t->options, t, fn, user));
    const char *type = t->cache.chunk ? "f16" : "f32";               /* chunk: the buffer for conversion to f16 */
    PF_TRY(fn(user, &(setting){ owner, of, "libpeft.trainer.option.cache_type", cache_type.name, type, &cache_type }));
    const char *keep = t->compile.keep == PK_BF16 ? "bf16" : "f32";
    PF_TRY(fn(user, &(setting){ owner, of, "libpeft.trainer.option.keep", keep_type.name, keep, &keep_type }));
    PF_TRY(each_option("the model", "model", "libpeft.model.option.", pf_model_options, t->model->options, NULL, fn,
                       user));
    return each_adapter(t->model, fn, user);
}

/* --- groups: an entry for each parameter whose lr_scale or weight_decay peft_trainer_group has changed ------------ */
static const char group_prefix[] = "libpeft.group.";
enum { GROUP_TEXT = 96 };

/* Writes the settings of a parameter: "lr_scale=0.1, weight_decay=0". */
static void group_text(double lr_scale, double weight_decay, char text[GROUP_TEXT])
{
    char scale[32], decay[32];
    pf_print_float(scale, sizeof scale, lr_scale);
    pf_print_float(decay, sizeof decay, weight_decay);
    snprintf(text, GROUP_TEXT, "lr_scale=%s, weight_decay=%s", scale, decay);
}

static peft_status write_groups(const peft_trainer *t, pf_st_out *o)
{
    char key[192], text[GROUP_TEXT];
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        if (s->lr_scale == 1 && s->weight_decay == t->optimizer.weight_decay) continue;
        snprintf(key, sizeof key, "%s%s", group_prefix, s->p->name);
        group_text(s->lr_scale, s->weight_decay, text);
        PF_TRY(pf_st_out_meta(o, key, text));
    }
    return PEFT_OK;
}

static peft_status check_groups(const peft_trainer *t, const pf_st *st)
{
    char key[192], text[GROUP_TEXT], default_text[GROUP_TEXT];
    group_text(1, t->optimizer.weight_decay, default_text);
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        snprintf(key, sizeof key, "%s%s", group_prefix, s->p->name);
        const char *saved = pf_st_meta(st, key);
        group_text(s->lr_scale, s->weight_decay, text);
        if (!saved) saved = default_text;
        if (strcmp(saved, text))
            return pf_fail(PEFT_E_MISMATCH, "parameter '%s': the state was saved with %.100s, the trainer has %s; call "
                           "peft_trainer_group with the saved values before restoring", s->p->name, saved, text);
    }
    return PEFT_OK;
}

/* --- notes -------------------------------------------------------------------------------------------------------- */
/* PEFT_E_MISMATCH: the texts of a note differ. saved, given: in the state and in the trainer; NULL: it has none. */
static peft_status note_differs(const char *key, const char *saved, const char *given)
{
    if (!saved)
        return pf_fail(PEFT_E_MISMATCH, "note '%.80s': the state has none, the trainer has '%.300s'", key, given);
    if (!given) return pf_fail(PEFT_E_MISMATCH, "note '%.80s': the state has '%.300s', the trainer has none; set it by "
                               "peft_trainer_set_note before restoring", key, saved);
    return pf_fail(PEFT_E_MISMATCH, "note '%.80s': the state has '%.300s', the trainer has '%.300s'", key, saved,
                   given);
}

/* Compares the notes of t with all entries of st that are not the library's own (PF_OWN_KEY begins their keys). */
static peft_status check_notes(const peft_trainer *t, const pf_st *st)
{
    for (size_t i = 0; i < t->notes.count; i++) {
        const pf_note *n = &t->notes.item[i];
        const char *saved = pf_st_meta(st, n->key);
        if (!saved || strcmp(saved, n->value)) return note_differs(n->key, saved, n->value);
    }
    for (size_t i = 0; i < pf_st_meta_count(st); i++) {
        const char *key, *value;
        pf_st_meta_at(st, i, &key, &value);
        if (strncmp(key, PF_OWN_KEY, strlen(PF_OWN_KEY)) && !pf_notes_get(&t->notes, key))
            return note_differs(key, value, NULL);
    }
    return PEFT_OK;
}

peft_status peft_trainer_set_note(peft_trainer *t, const char *key, const char *value)
{
    return t ? pf_notes_set(&t->notes, t->ctx, key, value)
             : pf_fail(PEFT_E_INVALID, "trainer is NULL: expected a pointer");
}

const char *peft_trainer_note(const peft_trainer *t, const char *key)
{
    return t && key ? pf_notes_get(&t->notes, key) : NULL;
}

/* --- writing and checking all settings ---------------------------------------------------------------------------- */
/* The row of newer_than_1_0 of s, or -1. */
static int newer_row(const setting *s)
{
    for (size_t i = 0; i < sizeof newer_than_1_0 / sizeof *newer_than_1_0; i++)
        if (!strcmp(s->of, newer_than_1_0[i].of) && !strcmp(s->name, newer_than_1_0[i].name)) return (int)i;
    return -1;
}

static peft_status write_setting(void *user, const setting *s)
{
    const int newer = newer_row(s);
    if (newer >= 0 && !newer_than_1_0[newer].default_is_written && pf_option_same(s->row, s->row->fallback, s->value))
        return PEFT_OK;
    return pf_st_out_meta(user, s->key, s->value);
}

peft_status pf_settings_write(const peft_trainer *t, pf_st_out *o)
{
    char kernels[32];
    pf_engine_kernels_text(&t->engine, &t->compile, kernels, sizeof kernels);
    PF_TRY(pf_st_out_meta(o, "libpeft.kernels", kernels));
    PF_TRY(each_setting(t, write_setting, o));
    PF_TRY(write_groups(t, o));
    for (size_t i = 0; i < t->notes.count; i++)
        PF_TRY(pf_st_out_meta(o, t->notes.item[i].key, t->notes.item[i].value));
    return PEFT_OK;
}

/* --- the hash ----------------------------------------------------------------------------------------------------- */
uint64_t pf_settings_mix(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *b = bytes;                            /* FNV-1a */
    if (!hash) hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i++) hash = (hash ^ b[i]) * 1099511628211u;
    return hash;
}

/* Numbers are hashed as values, so that 1e-3 has the hash of 0.001. */
static peft_status hash_setting(void *user, const setting *s)
{
    uint64_t *hash = user;
    double number;
    const char *value = s->value ? s->value : "";
    *hash = pf_settings_mix(*hash, s->key, strlen(s->key) + 1);
    if (s->row->type == 'f' && pf_parse_float(value, &number))
        *hash = pf_settings_mix(*hash, &number, sizeof number);
    else *hash = pf_settings_mix(*hash, value, strlen(value) + 1);
    return PEFT_OK;
}

uint64_t pf_settings_hash(const peft_trainer *t)
{
    uint64_t hash = 0;
    return each_setting(t, hash_setting, &hash) ? 0 : hash;    /* hash_setting does not fail */
}

/* A trainer, and the file of the state that it is compared with. */
typedef struct comparison { const peft_trainer *t; const pf_st *st; } comparison;

/* PEFT_E_MISMATCH: the saved value is another one. But the trainer may have more steps, which extends the run. */
static peft_status check_setting(void *user, const setting *s)
{
    const comparison *c = user;
    const char *saved, *cure = "";
    if (newer_row(s) >= 0 && !pf_st_meta(c->st, s->key)) saved = s->row->fallback;
    else PF_TRY(pf_meta_read_text(c->st, s->key, &saved));
    if (pf_option_same(s->row, saved, s->value)) return PEFT_OK;
    if (!strcmp(s->key, "libpeft.trainer.option.steps")) {
        if (strtoll(saved, NULL, 10) < c->t->schedule.steps) return PEFT_OK;
        cure = "; expected as many steps, or more to train longer";
    }
    return pf_fail(PEFT_E_MISMATCH, "the state was saved with %s=%.200s, %s has %s=%.200s%s", s->name, saved, s->owner,
                   s->name, s->value, cure);
}

/* Only a warning, because a run may well continue on another machine: its results then differ in the last bits from
 * those of a run without a break. */
static void warn_if_kernels_differ(const peft_trainer *t, const pf_st *st)
{
    char kernels[32];
    const char *saved = pf_st_meta(st, "libpeft.kernels");
    pf_engine_kernels_text(&t->engine, &t->compile, kernels, sizeof kernels);
    if (saved && strcmp(saved, kernels))
        pf_warn(t->ctx, "the state was saved by a trainer with the kernels and matrix product '%.40s', this one has "
                "'%s': results differ in rounding from those of a run without a break", saved, kernels);
}

/* check_setting, for a warm start: initial values do not matter, because those of the state replace them. */
static peft_status check_carried_setting(void *user, const setting *s)
{
    return !strcmp(s->name, "init") || !strcmp(s->name, "head_init") ? PEFT_OK : check_setting(user, s);
}

peft_status pf_settings_check_head(const peft_trainer *t, const pf_st *st)
{
    comparison c = { t, st };
    return each_option("the model", "model", "libpeft.model.option.", pf_model_options, t->model->options, NULL,
                       check_carried_setting, &c);
}

peft_status pf_settings_check_adapter(const peft_trainer *t, const pf_st *st, size_t adapter)
{
    comparison c = { t, st };
    const peft_adapter *a = t->model->adapter[adapter];
    const char *method, *other = NULL;
    char text[64], owner[64];
    peft_status s = PEFT_OK;
    bool same_method = false;
    snprintf(owner, sizeof owner, "adapter %zu", adapter);
    for (size_t k = 0;; k++) {
        snprintf(text, sizeof text, "libpeft.adapter.%zu.method", k);
        if (!(method = pf_st_meta(st, text))) break;
        other = method;
        if (strcmp(method, a->method->name)) continue;
        same_method = true;
        snprintf(text, sizeof text, "libpeft.adapter.%zu.option.", k);
        s = each_option(owner, method, text, a->method->opts, a->options, NULL, check_carried_setting, &c);
        if (!s) return PEFT_OK;
    }
    if (same_method) return s;
    return pf_fail(PEFT_E_MISMATCH, "the state has tensors with the names of those of adapter %zu, method '%s', but no "
                   "adapter of this method (it has one of '%.40s'); expected the same method", adapter,
                   a->method->name, other ? other : "none");
}

peft_status pf_settings_check(const peft_trainer *t, const pf_st *st)
{
    comparison c = { t, st };
    if (pf_st_meta(st, "libpeft.recipe"))                      /* all settings in one entry */
        return pf_fail(PEFT_E_UNSUPPORTED, "the state was saved by an earlier version of libpeft, which kept its "
                       "settings in another form; finish that run with the version that began it");
    PF_TRY(each_setting(t, check_setting, &c));
    PF_TRY(check_groups(t, st));
    PF_TRY(check_notes(t, st));
    warn_if_kernels_differ(t, st);
    return PEFT_OK;
}
