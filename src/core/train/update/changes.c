/* SPDX-License-Identifier: Apache-2.0
 * changes.c -- what the application may change between two updates, as metadata of the training state: base learning
 * rate, frozen parameters, and whether a loss function is set. Entries exist only for what differs from a new trainer.
 * Restoring sets rate and frozen parameters, and requires a loss function if the saved trainer had one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/format/meta.h"
#include "core/train/trainer.h"

static const char rate_key[] = "libpeft.lr", loss_key[] = "libpeft.own_loss", frozen_prefix[] = "libpeft.frozen.";
enum { KEY_BYTES = 192 };

/* The key of the entry of a parameter: "libpeft.frozen.head.weight". Returns key. */
static const char *frozen_key(const pf_trained *s, char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "%s%s", frozen_prefix, s->p->name);
    return key;
}

/* The base learning rate of a trainer whose rate was not changed. */
static double option_rate(const peft_trainer *t) { return pf_options_float(t->options, pf_trainer_options, "lr"); }

peft_status pf_changes_write(const peft_trainer *t, pf_st_out *o)
{
    char key[KEY_BYTES], text[64];
    if (t->custom_loss.fn) PF_TRY(pf_st_out_meta(o, loss_key, "yes"));
    if (t->schedule.lr != option_rate(t)) {
        pf_print_float(text, sizeof text, t->schedule.lr);
        PF_TRY(pf_st_out_meta(o, rate_key, text));
    }
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        if (!s->frozen && !s->skipped && !s->earlier) continue;
        const int used = snprintf(text, sizeof text, "%d %lld", s->frozen, (long long)s->skipped);
        if (s->earlier) snprintf(text + used, sizeof text - (size_t)used, " %lld", (long long)s->earlier);
        PF_TRY(pf_st_out_meta(o, frozen_key(s, key), text));
    }
    return PEFT_OK;
}

/* Reads the base learning rate; without an entry it is that of option lr. */
static peft_status read_rate(const peft_trainer *t, const pf_st *st, double *lr)
{
    const char *text = pf_st_meta(st, rate_key);
    *lr = option_rate(t);
    if (!text || (pf_parse_float(text, lr) && pf_schedule_allows(&t->schedule, *lr))) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given '%.40s', expected a learning rate from the schedule's "
                   "smallest to 1e6", rate_key, text);
}

/* PEFT_E_MISMATCH: only one of state and trainer has a loss function. A function cannot be stored in a file: the
 * application has to set it before it restores. */
static peft_status check_loss(const peft_trainer *t, const pf_st *st)
{
    const bool saved = pf_st_meta(st, loss_key) != NULL;
    if (saved == (t->custom_loss.fn != NULL)) return PEFT_OK;
    return pf_fail(PEFT_E_MISMATCH, "loss: the state was saved with %s, the trainer has %s; call peft_trainer_set_loss "
                   "as for the saved run before restoring", saved ? "a loss function" : "the loss of option loss",
                   saved ? "that of option loss" : "a loss function");
}

/* Parses "1 20": a frozen parameter, which 20 updates have skipped. "0 0 30": a warm start has added 30 earlier
 * updates. */
static bool parse_counts(const char *text, pf_update_counts *c)
{
    char skipped[24];
    c->frozen = *text == '1';
    if ((*text != '0' && *text != '1') || text[1] != ' ') return false;
    text += 2;
    const size_t length = strcspn(text, " ");
    snprintf(skipped, sizeof skipped, "%.*s", length < sizeof skipped ? (int)length : (int)sizeof skipped, text);
    if (!pf_parse_int(skipped, &c->skipped) || c->skipped < 0) return false;
    return !text[length] || (pf_parse_int(text + length + 1, &c->earlier) && c->earlier > 0
                             && c->earlier <= PF_MAX_COUNT);
}

/* Reads the entry of a parameter after `step` updates. Without an entry all counts are 0. *found counts the entries. */
static peft_status read_counts(const pf_trained *s, const pf_st *st, int64_t step, pf_update_counts *c, size_t *found)
{
    char key[KEY_BYTES];
    const char *text = pf_st_meta(st, frozen_key(s, key));
    *c = (pf_update_counts){ 0 };
    if (!text) return PEFT_OK;
    ++*found;
    if (parse_counts(text, c) && c->skipped <= step) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%.120s': given '%.40s', expected 0 or 1, a space, and a number of "
                   "updates from 0 to %lld (libpeft.step); behind another space the updates before a warm start, if "
                   "any", key, text, (long long)step);
}

peft_status pf_changes_counts(const pf_trained *s, const pf_st *st, int64_t step, pf_update_counts *c)
{
    size_t found = 0;
    return read_counts(s, st, step, c, &found);
}

/* The number of entries of frozen parameters in st. */
static size_t frozen_entries(const pf_st *st)
{
    size_t n = 0;
    for (size_t i = 0; i < pf_st_meta_count(st); i++) {
        const char *key, *value;
        pf_st_meta_at(st, i, &key, &value);
        n += !strncmp(key, frozen_prefix, sizeof frozen_prefix - 1);
    }
    return n;
}

/* Checks that the loss and the rate of the state fit t, and that each parameter that the state says is frozen is one of
 * t's. */
peft_status pf_changes_check(const peft_trainer *t, const pf_st *st, int64_t step)
{
    double lr;
    size_t found = 0;
    PF_TRY(check_loss(t, st));
    PF_TRY(read_rate(t, st, &lr));
    for (size_t i = 0; i < t->trained_count; i++) {
        pf_update_counts counts;
        PF_TRY(read_counts(&t->trained[i], st, step, &counts, &found));
    }
    if (found == frozen_entries(st)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entries '%s*': one names a parameter that the model does not have",
                   frozen_prefix);
}

peft_status pf_changes_restore(peft_trainer *t, const pf_st *st, int64_t step)
{
    size_t found = 0;                    /* not used: pf_changes_check has compared this number */
    PF_TRY(read_rate(t, st, &t->schedule.lr));
    for (size_t i = 0; i < t->trained_count; i++) {
        pf_trained *s = &t->trained[i];
        pf_update_counts c;
        PF_TRY(read_counts(s, st, step, &c, &found));
        s->frozen = c.frozen;
        s->skipped = c.skipped;
        s->earlier = c.earlier;
    }
    return PEFT_OK;
}
