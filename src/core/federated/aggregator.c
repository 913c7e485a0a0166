/* SPDX-License-Identifier: Apache-2.0
 * aggregator.c -- makes an aggregator, takes the files of start and sites, writes the result (peft/federated.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "core/federated/aggregator.h"
#include "core/options/options.h"

static const pf_opt options[] = {
    { "lora", 's', "factors", 0, 0, "pairs of LoRA factors: factors (mean of A and of B), product (nearest to the mean "
      "update, of the same rank) or stack (the mean update, of a larger rank)" },
    { "ept", 's', "values", 0, 0, "prompts of ept: values (their mean), logits (the mean of z) or mass (of exp(z))" },
    { "clip_norm", 'f', "0", 0, 1e30, "a site's change of all values together is shortened to this L2 "
      "norm; 0: never" },
    { "noise", 'f', "0", 0, 1e6, "standard deviation of the noise on the sum of the changes, in units of clip_norm; "
      "each site counts the same then" },
    { "sites", 'f', "0", 0, 1e9, "with noise: the expected number of sites in a round, by which the noisy sum is "
      "divided; 0: the number that were added" },
    { "seed", 'i', "0", 0, 9e15, "of the noise; 0: of the system's random numbers. A known seed protects nothing" },
    { 0 } };

const peft_option *peft_aggregator_option(size_t i) { return pf_option_at(options, i); }

/* The index of the option's value in words[n]. */
static peft_status choose(const peft_options *o, const char *name, const char *const *words, int n, int *out)
{
    char text[128];
    const char *given = pf_options_string(o, options, name);
    for (*out = 0; *out < n; ++*out) if (!strcmp(given, words[*out])) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "aggregation, option %s: given '%.60s', expected %s", name, given,
                   pf_names_text(words, (size_t)n, ", ", " or ", text, sizeof text));
}

static peft_status read_options(peft_aggregator *a, const peft_options *o)
{
    static const char *const lora[] = { "factors", "product", "stack" }, *const ept[] = { "values", "logits", "mass" };
    int rule;
    PF_TRY(pf_options_check(o, options, "aggregation"));
    PF_TRY(choose(o, "lora", lora, PF_LORA_RULES, &rule));
    a->lora = (pf_lora_rule)rule;
    PF_TRY(choose(o, "ept", ept, PF_EPT_RULES, &rule));
    a->ept = (pf_ept_rule)rule;
    a->clip = pf_options_float(o, options, "clip_norm");
    a->noise = pf_options_float(o, options, "noise");
    a->divisor = pf_options_float(o, options, "sites");
    a->seed = (uint64_t)pf_options_int(o, options, "seed");
    if (a->noise > 0 && !(a->clip > 0))
        return pf_fail(PEFT_E_OPTION, "aggregation, option noise: expected clip_norm too, as noise protects changes of "
                       "a bounded norm only");
    if (a->divisor > 0 && !(a->noise > 0))
        return pf_fail(PEFT_E_OPTION, "aggregation, option sites has an effect with noise only");
    if (a->noise > 0 && !a->seed && getrandom(&a->seed, sizeof a->seed, 0) != sizeof a->seed)
        return pf_fail(PEFT_E_IO, "aggregation: the system gives no random numbers; give the option seed");
    return PEFT_OK;
}

peft_status peft_aggregator_create(peft_context *ctx, const peft_options *o, peft_aggregator **out)
{
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", ctx ? "out" : "ctx");
    peft_aggregator made = { 0 };
    PF_TRY(read_options(&made, o));
    peft_aggregator *a = pf_alloc(ctx, sizeof *a);
    if (!a) return pf_nomem("aggregator", sizeof *a);
    *a = made;
    a->ctx = pf_context_retain(ctx);
    *out = a;
    return PEFT_OK;
}

/* Frees what belongs to a->model. */
static void drop_model(peft_aggregator *a)
{
    void *blocks[] = { a->slot, a->origin, a->sum, a->value, a->rounded, a->pair };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) pf_free(a->ctx, blocks[i]);
    pf_st_close(a->model);
    pf_free(a->ctx, a->model_bytes);
    a->model = NULL;
    a->model_bytes = NULL;
    a->slot = NULL;
    a->origin = a->sum = a->value = NULL;
    a->rounded = NULL;
    a->pair = NULL;
    a->slots = a->pairs = 0;
    a->elements = 0;
    a->has_start = false;
}

void peft_aggregator_free(peft_aggregator *a)
{
    if (!a) return;
    peft_context *ctx = a->ctx;
    drop_model(a);
    pf_keep_free(a);
    pf_free(ctx, a->stacked);
    pf_free(ctx, a->file);
    pf_free(ctx, a);
    peft_context_free(ctx);
}

/* A file: a path, or bytes in memory. name: for messages. */
typedef struct { const char *path, *name; const void *data; size_t size; } source;

static peft_status open_source(peft_aggregator *a, const source *from, pf_st **st)
{
    return from->path ? pf_st_read(a->ctx, from->path, st) : pf_st_open_memory(a->ctx, from->data, from->size, st);
}

static peft_status check_kind(const pf_st *st)
{
    const char *kind;
    PF_TRY(pf_meta_read_text(st, "libpeft.kind", &kind));
    if (!strcmp(kind, "model") || !strcmp(kind, "adapter")) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "the file is of kind '%.40s', expected the file of an adapter or a model", kind);
}

/* Makes the arrays of a for the tensors of a->model, and reads its values. */
static peft_status prepare(peft_aggregator *a)
{
    PF_TRY(check_kind(a->model));
    PF_TRY(pf_slots_create(a));
    PF_TRY(pf_ept_check(a));
    PF_TRY(pf_low_rank_create(a));
    PF_TRY(pf_privacy_check(a));
    double **arrays[] = { &a->origin, &a->sum, &a->value };
    const size_t n = (size_t)a->elements;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = pf_alloc_zero(a->ctx, n * sizeof **arrays[i] + 1);
        if (!*arrays[i]) return pf_nomem("sums of the sites", n * sizeof **arrays[i]);
    }
    a->rounded = pf_alloc_zero(a->ctx, n * sizeof *a->rounded + 1);
    if (!a->rounded) return pf_nomem("mean of the sites", n * sizeof *a->rounded);
    return pf_slots_read(a, a->model, a->origin);
}

/* Makes the file that the others must fit. */
static peft_status take_model(peft_aggregator *a, const source *from, bool start)
{
    source mine = *from;
    if (!from->path) {
        mine.data = a->model_bytes = pf_alloc(a->ctx, from->size + 1);
        if (!mine.data) return pf_nomem("copy of a file", from->size);
        if (from->size) memcpy(a->model_bytes, from->data, from->size);
    }
    peft_status s = open_source(a, &mine, &a->model);
    a->has_start = start;
    if (!s) s = prepare(a);
    if (s) drop_model(a);
    return s;
}

static peft_status set_start(peft_aggregator *a, const source *from)
{
    if (a->model)
        return pf_fail(PEFT_E_STATE, "the start of the round %s; set it once, before the sites",
                       a->has_start ? "is set already" : "comes after a site was added");
    const peft_status s = take_model(a, from, true);
    return s && from->name ? pf_prefix_error(s, "%s", from->name) : s;
}

static size_t bytes_of(const pf_st *st)
{
    size_t bytes = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) bytes += pf_st_at(st, i)->bytes;
    return bytes;
}

static peft_status add_open(peft_aggregator *a, const pf_st *st, double weight)
{
    PF_TRY(check_kind(st));
    PF_TRY(pf_fit_metadata(a, st));
    PF_TRY(pf_slots_read(a, st, a->value));
    const bool clipped = pf_privacy_clip(a, a->value);
    if (pf_keeps_sites(a)) PF_TRY(pf_keep_site(a, a->value, weight));
    pf_mean_add(a, a->value, a->noise > 0 ? 1 : weight);
    a->clipped += clipped;
    a->received += bytes_of(st);
    return PEFT_OK;
}

static peft_status add(peft_aggregator *a, const source *from, double weight)
{
    char name[64], given[40];
    pf_st *st;
    snprintf(name, sizeof name, "site %zu", a->sites + 1);
    const char *who = from->name ? from->name : name;
    pf_print_float(given, sizeof given, weight);
    if (!(weight > 0) || !isfinite(weight) || !isfinite(a->weight + weight))
        return pf_fail(PEFT_E_INVALID, "%s: weight is %s; expected a number above 0, such as the number of the site's "
                       "training images", who, given);
    if (a->noise_used)
        return pf_fail(PEFT_E_STATE, "%s: the round was written with noise already. A second result with the same "
                       "noise and one site more would reveal that site; make an aggregator of its own for it", who);
    const bool first = !a->model;
    peft_status s = first ? take_model(a, from, false) : PEFT_OK;
    if (!s) s = open_source(a, from, &st);
    if (!s) {
        s = add_open(a, st, weight);
        pf_st_close(st);
    }
    if (s && first) drop_model(a);
    return s ? pf_prefix_error(s, "%s", who) : PEFT_OK;
}

peft_status peft_aggregator_start(peft_aggregator *a, const char *path)
{
    PK_FLOAT_SCOPE;
    if (!a || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "path" : "aggregator");
    return set_start(a, &(source){ .path = path, .name = path });
}

peft_status peft_aggregator_start_bytes(peft_aggregator *a, const void *data, size_t size)
{
    PK_FLOAT_SCOPE;
    if (!a || !data) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "data" : "aggregator");
    return set_start(a, &(source){ .data = data, .size = size, .name = "start" });
}

peft_status peft_aggregator_add(peft_aggregator *a, const char *path, double weight)
{
    PK_FLOAT_SCOPE;
    if (!a || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "path" : "aggregator");
    return add(a, &(source){ .path = path, .name = path }, weight);
}

peft_status peft_aggregator_add_bytes(peft_aggregator *a, const void *data, size_t size, const char *name,
                                      double weight)
{
    PK_FLOAT_SCOPE;
    if (!a || !data) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "data" : "aggregator");
    return add(a, &(source){ .data = data, .size = size, .name = name }, weight);
}
