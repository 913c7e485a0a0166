/* SPDX-License-Identifier: Apache-2.0
 * hf_options.c -- the options with which our method adapts the modules that a PEFT configuration chose. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Our LoRA's targets, the one outside the blocks last. */
static const char *const stems[] = { "attn.qkv",  "attn.q",  "attn.k",  "attn.v",
                                     "attn.proj", "mlp.fc1", "mlp.fc2", "patch_embed.proj" };
#define STEMS (sizeof stems / sizeof *stems)
#define BLOCK_STEMS (STEMS - 1)

static size_t stem_of(const pf_module *m)
{
    size_t k = 0;
    while (!pf_peft_ends(m->ours, stems[k])) k++;            /* every linear module and the convolution has one */
    return k;
}

/* One text of options, written piece by piece; too long is remembered. */
typedef struct { char at[4096]; size_t n; bool full; } text;

__attribute__((format(printf, 2, 3)))
static void say(text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(t->at + t->n, sizeof t->at - t->n, format, ap);
    va_end(ap);
    t->full |= n < 0 || t->n + (size_t)n >= sizeof t->at;
    if (!t->full) t->n += (size_t)n;
}

/* The layers in which a stem is adapted: the same for all stems of the blocks. */
static peft_status same_layers(const pf_modules *m, uint64_t set[STEMS], uint64_t *layers)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->item[i].target) set[stem_of(&m->item[i])] |= m->item[i].layer < 0 ? 1 : (uint64_t)1 << m->item[i].layer;
    *layers = 0;
    for (size_t k = 0; k < BLOCK_STEMS; k++) *layers |= set[k];
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *t = &m->item[i];
        if (t->layer < 0 || t->kind != PF_MODULE_LINEAR || t->target || !(*layers >> t->layer & 1) || !set[stem_of(t)])
            continue;
        return pf_fail(PEFT_E_UNSUPPORTED,
                       "field 'target_modules': module '%s' is not adapted, but others of its block are, and the "
                       "same module of other blocks: LoRA here adapts the same modules in every adapted block",
                       t->path);
    }
    return PEFT_OK;
}

static double number_of(const pf_module *m, bool rank) { return rank ? (double)m->rank : m->alpha; }

/* "3.attn.q=4,attn.q=16": for each stem what differs from its first module, then that one's number if not `usual`. */
static void pattern_text(const pf_modules *m, bool rank, double usual, text *t)
{
    char number[32];
    for (size_t k = 0; k < STEMS; k++) {
        const pf_module *first = NULL;
        for (size_t i = 0; i < m->count; i++) {
            const pf_module *x = &m->item[i];
            if (!x->target || stem_of(x) != k) continue;
            if (!first) first = x;
            if (number_of(x, rank) == number_of(first, rank)) continue;
            pf_print_float(number, sizeof number, number_of(x, rank));
            say(t, "%s%lld.%s=%s", t->n ? "," : "", (long long)x->layer, stems[k], number);
        }
        if (!first || number_of(first, rank) == usual) continue;
        pf_print_float(number, sizeof number, number_of(first, rank));
        say(t, "%s%s=%s", t->n ? "," : "", stems[k], number);
    }
}

static peft_status set_pattern(peft_options *o, const char *name, const pf_modules *m, bool rank, double usual)
{
    text t = { .n = 0 };
    pattern_text(m, rank, usual, &t);
    if (t.full) return pf_fail(PEFT_E_UNSUPPORTED, "field '%s': too many different numbers", name);
    return t.n ? peft_options_set_string(o, name, t.at) : PEFT_OK;
}

static peft_status set_targets(const pf_modules *m, int64_t depth, peft_options *o)
{
    uint64_t set[STEMS] = { 0 }, layers;
    text targets = { .n = 0 }, list = { .n = 0 };
    PF_TRY(same_layers(m, set, &layers));
    for (size_t k = 0; k < STEMS; k++) if (set[k]) say(&targets, "%s%s", targets.n ? "," : "", stems[k]);
    for (int64_t l = 0; l < depth; l++) if (layers >> l & 1) say(&list, "%s%lld", list.n ? "," : "", (long long)l);
    bool every = !layers || layers == (depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1);
    PF_TRY(peft_options_set_string(o, "targets", targets.at));
    return every ? PEFT_OK : peft_options_set_string(o, "layers", list.at);
}

static peft_status lora_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    const json_t *r = pf_json_get(c->root, "r"), *alpha = pf_json_get(c->root, "lora_alpha"),
                 *drop = pf_json_get(c->root, "lora_dropout");
    const char *init = json_string_value(pf_json_get(c->root, "init_lora_weights"));
    const int64_t rank = r ? json_integer_value(r) : 8;
    const double scale = alpha ? json_number_value(alpha) : 8;
    PF_TRY(peft_options_set_int(o, "r", rank));
    PF_TRY(peft_options_set_float(o, "alpha", scale));
    if (drop && json_number_value(drop) != 0) PF_TRY(peft_options_set_float(o, "dropout", json_number_value(drop)));
    if (json_is_true(pf_json_get(c->root, "use_rslora"))) PF_TRY(peft_options_set_string(o, "rslora", "true"));
    if (json_is_true(pf_json_get(c->root, "use_dora"))) PF_TRY(peft_options_set_string(o, "dora", "true"));
    if (init && !strcmp(init, "gaussian")) PF_TRY(peft_options_set_string(o, "init", "gaussian"));
    for (size_t i = 0; i < m->count; i++)
        if (m->item[i].saved && m->item[i].kind == PF_MODULE_FINAL)
            PF_TRY(peft_options_set_string(o, "train_norm", "true"));
    PF_TRY(set_targets(m, b->shape.depth, o));
    PF_TRY(set_pattern(o, "rank_pattern", m, true, (double)rank));
    return set_pattern(o, "alpha_pattern", m, false, scale);
}

peft_status pf_peft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options **out)
{
    peft_options *o;
    PF_TRY(peft_options_create(b->ctx, &o));
    peft_status s = c->type == PF_PEFT_LORA ? lora_options(c, b, m, o) : PEFT_OK;
    if (s) peft_options_free(o);
    else *out = o;
    return s;
}
