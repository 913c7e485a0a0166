/* SPDX-License-Identifier: Apache-2.0
 * meet.c -- peft_trainer_set_ranks: makes trainers those of ranks. Hashes of what they must have in common are gathered
 * and compared, together with the errors of ranks that cannot take part. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "core/train/trainer.h"
#include "core/weights/backbone.h"

/* What a rank tells the others. status: why it cannot take part. */
typedef struct start {
    int64_t status;
    char message[200];
    int64_t count, accumulate, batch;
    uint64_t options, groups, rate, frozen, loss, progress, backbone, kernels, parameters, seed;
} start;

/* The members that are compared, in the order of the messages. All have 8 bytes. */
static const struct { size_t offset; const char *what; } compared[] = {
    { offsetof(start, count), "number of parameters" }, { offsetof(start, accumulate), "option accumulate" },
    { offsetof(start, batch), "option batch" }, { offsetof(start, seed), "seed" },
    { offsetof(start, options), "options (of trainer, model or adapters)" },
    { offsetof(start, groups), "parameter groups" }, { offsetof(start, rate), "learning rate" },
    { offsetof(start, frozen), "frozen parameters" }, { offsetof(start, loss), "loss function" },
    { offsetof(start, progress), "number of updates, epochs or batches" }, { offsetof(start, backbone), "backbone" },
    { offsetof(start, kernels), "kernels (PEFT_ISA)" }, { offsetof(start, parameters), "values of the parameters" } };

static void hash_rows(const peft_trainer *t, start *s)
{
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *p = &t->trained[i];
        const double group[] = { p->lr_scale, p->weight_decay };
        const int64_t frozen[] = { p->frozen, p->skipped, p->earlier };
        s->groups = pf_settings_mix(s->groups, group, sizeof group);
        s->frozen = pf_settings_mix(s->frozen, frozen, sizeof frozen);
    }
    for (size_t i = 0; i < peft_model_param_count(t->model); i++) {
        const peft_tensor *v = &peft_model_param(t->model, i)->value;
        s->parameters = pf_settings_mix(s->parameters, v->data, (size_t)peft_tensor_count(v) * sizeof(pk_real));
    }
}

static void describe(const peft_trainer *t, start *s)
{
    char kernels[32];
    const int64_t progress[] = { t->step, t->epoch, t->batch_in_epoch, t->samples };
    const char *fingerprint = peft_backbone_fingerprint(t->model->backbone);
    pf_engine_kernels_text(&t->engine, &t->compile, kernels, sizeof kernels);
    s->count = peft_model_trainable_count(t->model);
    s->accumulate = t->accumulate;
    s->batch = t->batch;
    s->seed = t->seed;
    s->loss = t->custom_loss.fn != NULL;
    s->rate = pf_settings_mix(0, &t->schedule.lr, sizeof t->schedule.lr);
    s->options = pf_settings_hash(t);
    s->progress = pf_settings_mix(0, progress, sizeof progress);
    s->backbone = pf_settings_mix(0, fingerprint, strlen(fingerprint));
    s->kernels = pf_settings_mix(0, kernels, strlen(kernels));
    hash_rows(t, s);
}

static peft_status compare(const start *all, int64_t ranks)
{
    for (int64_t r = 0; r < ranks; r++)
        if (all[r].status) return pf_fail((peft_status)all[r].status, "rank %lld: %s", (long long)r, all[r].message);
    for (int64_t r = 1; r < ranks; r++)
        for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
            const size_t at = compared[i].offset;
            if (memcmp((const char *)&all[0] + at, (const char *)&all[r] + at, sizeof(uint64_t)))
                return pf_fail(PEFT_E_MISMATCH, "rank %lld differs from rank 0 in its %s; expected the same backbone, "
                               "model, options and seed in all ranks", (long long)r, compared[i].what);
        }
    return PEFT_OK;
}

enum { MOST_RANKS = 1 << 14 };                         /* as many ranks hear of a rank without memory */

/* Gets memory [ranks] for what all ranks tell. A rank that has none is an error of all. */
static peft_status make_starts(peft_trainer *t, start **all)
{
    char has[MOST_RANKS], mine;
    const size_t bytes = (size_t)t->ranks.ranks * sizeof **all;
    *all = pf_alloc_zero(t->ctx, bytes);
    mine = *all != NULL;
    PF_TRY(pf_ranks_gather(t, &mine, has, sizeof mine));
    if (!mine) return pf_nomem("settings of ranks", bytes);
    const char *none = memchr(has, 0, (size_t)t->ranks.ranks);
    if (!none) return PEFT_OK;
    return pf_fail(PEFT_E_NOMEM, "rank %lld: settings of ranks: out of memory", (long long)(none - has));
}

/* Gathers s, with the last message if it is an error, and what ranks must have in common. An error of any rank is one
 * of all. */
static peft_status meet(peft_trainer *t, peft_status s)
{
    start mine = { .status = s }, *all;
    char own[1024] = "";                               /* gather may change the thread's last message */
    if (s) {
        snprintf(own, sizeof own, "%s", peft_last_error());
        snprintf(mine.message, sizeof mine.message, "%.*s", (int)sizeof mine.message - 1, own);
    } else describe(t, &mine);
    peft_status of_all = make_starts(t, &all);
    if (!of_all) of_all = pf_ranks_gather(t, &mine, all, sizeof mine);
    if (!of_all) of_all = compare(all, t->ranks.ranks);
    pf_free(t->ctx, all);
    return s ? peft_set_error(s, own) : of_all;
}

/* Why this trainer cannot have the ranks; an error that the other ranks do not see for themselves. */
static peft_status check_trainer(const peft_trainer *t, int64_t ranks, bool shares)
{
    if (t->reduce.fn || t->pending || t->fitting)
        return pf_fail(PEFT_E_STATE, "ranks: %s", t->reduce.fn ? "the trainer has a reducer; remove it by "
                       "peft_trainer_set_reduce first" : t->fitting ? "called within peft_trainer_fit" : "passes since "
                       "the last update; call peft_trainer_update first, or set the ranks before restoring a state");
    if (ranks > t->accumulate)
        return pf_fail(PEFT_E_OPTION, "accumulate: given %lld for %lld ranks, of which each makes passes of every "
                       "update; expected accumulate=%lld or more, with a smaller batch if the number of samples of an "
                       "update shall stay", (long long)t->accumulate, (long long)ranks, (long long)ranks);
    if (shares && t->local.steps > 1)
        return pf_fail(PEFT_E_OPTION, "local_steps: given %lld, expected 1 with ranks that share the passes of an "
                       "update; updates of their own need peft_trainer_set_reduce", (long long)t->local.steps);
    return PEFT_OK;
}

peft_status peft_trainer_set_ranks(peft_trainer *t, int64_t rank, int64_t ranks, peft_gather_fn gather_fn,
                                   peft_reduce_fn sum_fn, void *user)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    t->caller_mode = PK_FLOAT_CALLER;
    PF_TRY(pf_check_rank(rank, ranks));
    if (ranks > MOST_RANKS)
        return pf_fail(PEFT_E_UNSUPPORTED, "ranks: given %lld, expected at most %d; let each rank compute with more "
                       "threads and larger batches", (long long)ranks, MOST_RANKS);
    if (!gather_fn != !sum_fn || (!gather_fn && ranks > 1))
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a function, or NULL for both and ranks 1",
                       gather_fn ? "sum" : "gather");
    peft_status s = check_trainer(t, ranks, gather_fn != NULL);
    if (!gather_fn) {
        if (!s) pf_ranks_free(t);
        return s;
    }
    const pf_ranks before = t->ranks;                  /* these stay if the call fails */
    t->ranks = (pf_ranks){ .gather = gather_fn, .sum = sum_fn, .user = user, .rank = rank, .ranks = ranks };
    if (!s) s = pf_ranks_make_records(t);
    s = meet(t, s);
    pf_free(t->ctx, s ? t->ranks.records : before.records);
    if (s) t->ranks = before;
    else t->batches = 0;
    return s;
}
