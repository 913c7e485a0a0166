/* SPDX-License-Identifier: Apache-2.0
 * hf_options.c -- makes the options by which this library's method adapts the modules that a PEFT configuration
 * selects. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Names that the option "targets" of method lora can hold: names of modules without "blocks.N.". The last one is
 * outside the blocks. */
static const char *const stems[] = { "attn.qkv",  "attn.q",  "attn.k",  "attn.v",
                                     "attn.proj", "mlp.fc1", "mlp.fc2", "patch_embed.proj" };
#define STEMS (sizeof stems / sizeof *stems)
#define BLOCK_STEMS (STEMS - 1)

/* The index of the module's name in stems. */
static size_t stem_index(const pf_module *m)
{
    size_t k = 0;
    while (!pf_path_ends_with(m->ours, stems[k])) k++;            /* every linear module and the convolution has one */
    return k;
}

/* The value of an option, written piece by piece; overflow: it did not fit. */
typedef struct { char buffer[4096]; size_t used; bool overflow; } text;

__attribute__((format(printf, 2, 3)))
static void append(text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int length = vsnprintf(t->buffer + t->used, sizeof t->buffer - t->used, format, ap);
    va_end(ap);
    t->overflow |= length < 0 || t->used + (size_t)length >= sizeof t->buffer;
    if (!t->overflow) t->used += (size_t)length;
}

/* Sets bit l of set[k] if stem k of layer l is adapted (bit 0 if it is outside the blocks), and *layers to the layers
 * with an adapted module. PEFT_E_UNSUPPORTED: a stem is adapted in some of these layers only, which the options cannot
 * express. */
static peft_status find_layers(const pf_modules *m, uint64_t set[STEMS], uint64_t *layers)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->item[i].target)
            set[stem_index(&m->item[i])] |= m->item[i].layer < 0 ? 1 : (uint64_t)1 << m->item[i].layer;
    *layers = 0;
    for (size_t k = 0; k < BLOCK_STEMS; k++) *layers |= set[k];
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *x = &m->item[i];
        if (x->layer < 0 || x->kind != PF_MODULE_LINEAR || x->target) continue;
        if (!(*layers >> x->layer & 1) || !set[stem_index(x)]) continue;
        return pf_fail(PEFT_E_UNSUPPORTED,
                       "field 'target_modules': module '%s' is not adapted, but others of its block are, and the "
                       "same module of other blocks: LoRA here adapts the same modules in every adapted block",
                       x->path);
    }
    return PEFT_OK;
}

/* Writes rank_pattern or alpha_pattern, "3.attn.q=4,attn.q=16". of_adapter: the number of the whole adapter, the option
 * r or alpha, which a module without an entry has. For each stem it writes the modules whose number differs from that
 * of the stem's first module; then the stem with the first module's number, unless that is of_adapter. The first entry
 * that matches a module counts. */
static void pattern_text(const pf_modules *m, pf_lora_number which, double of_adapter, text *t)
{
    char number[32];
    for (size_t k = 0; k < STEMS; k++) {
        const pf_module *first = NULL;
        for (size_t i = 0; i < m->count; i++) {
            const pf_module *x = &m->item[i];
            if (!x->target || stem_index(x) != k) continue;
            if (!first) first = x;
            if (pf_module_number(x, which) == pf_module_number(first, which)) continue;
            pf_print_float(number, sizeof number, pf_module_number(x, which));
            append(t, "%s%lld.%s=%s", t->used ? "," : "", (long long)x->layer, stems[k], number);
        }
        if (!first || pf_module_number(first, which) == of_adapter) continue;
        pf_print_float(number, sizeof number, pf_module_number(first, which));
        append(t, "%s%s=%s", t->used ? "," : "", stems[k], number);
    }
}

/* Sets the option rank_pattern or alpha_pattern, if it is not empty. */
static peft_status set_pattern(peft_options *o, const char *name, const pf_modules *m, pf_lora_number which,
                               double of_adapter)
{
    text t = { .used = 0 };
    pattern_text(m, which, of_adapter, &t);
    if (t.overflow)
        return pf_fail(PEFT_E_UNSUPPORTED, "field '%s': too many different numbers: as text they exceed %zu bytes",
                       name, sizeof t.buffer - 1);
    return t.used ? peft_options_set_string(o, name, t.buffer) : PEFT_OK;
}

/* Sets the options targets and layers. */
static peft_status set_targets(const pf_modules *m, int64_t depth, peft_options *o)
{
    uint64_t set[STEMS] = { 0 }, layers;
    text targets = { .used = 0 }, list = { .used = 0 };
    PF_TRY(find_layers(m, set, &layers));
    for (size_t k = 0; k < STEMS; k++) if (set[k]) append(&targets, "%s%s", targets.used ? "," : "", stems[k]);
    for (int64_t l = 0; l < depth; l++)
        if (layers >> l & 1) append(&list, "%s%lld", list.used ? "," : "", (long long)l);
    /* without an adapted module in any block, such as with patch_embed.proj alone, the option has no effect */
    bool all_layers = !layers || layers == (depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1);
    PF_TRY(peft_options_set_string(o, "targets", targets.buffer));
    return all_layers ? PEFT_OK : peft_options_set_string(o, "layers", list.buffer);
}

/* Sets the options of method lora. */
static peft_status lora_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    const json_t *r = pf_json_get(c->root, "r"), *alpha_field = pf_json_get(c->root, "lora_alpha"),
                 *dropout = pf_json_get(c->root, "lora_dropout");
    const char *init = json_string_value(pf_json_get(c->root, "init_lora_weights"));
    const int64_t rank = r ? json_integer_value(r) : PF_PEFT_DEFAULT_RANK;
    const double alpha = alpha_field ? json_number_value(alpha_field) : PF_PEFT_DEFAULT_ALPHA;
    PF_TRY(peft_options_set_int(o, "r", rank));
    PF_TRY(peft_options_set_float(o, "alpha", alpha));
    if (json_number_value(dropout) != 0) PF_TRY(peft_options_set_float(o, "dropout", json_number_value(dropout)));
    if (json_is_true(pf_json_get(c->root, "use_rslora"))) PF_TRY(peft_options_set_string(o, "rslora", "true"));
    if (json_is_true(pf_json_get(c->root, "use_dora"))) PF_TRY(peft_options_set_string(o, "dora", "true"));
    if (init && !strcmp(init, "gaussian")) PF_TRY(peft_options_set_string(o, "init", "gaussian"));
    for (size_t i = 0; i < m->count; i++)
        if (m->item[i].saved && m->item[i].kind == PF_MODULE_FINAL)
            PF_TRY(peft_options_set_string(o, "train_norm", "true"));
    PF_TRY(set_targets(m, b->shape.depth, o));
    PF_TRY(set_pattern(o, "rank_pattern", m, PF_RANK, (double)rank));
    return set_pattern(o, "alpha_pattern", m, PF_ALPHA, alpha);
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
