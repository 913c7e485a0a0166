/* SPDX-License-Identifier: Apache-2.0
 * hf_options.c -- makes the options by which this library's method adapts the modules that a PEFT configuration
 * selects. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Names that the option "targets" of the methods can hold: names of modules without "blocks.N.". Those from BLOCK_STEMS
 * on are outside the blocks. */
static const char *const linear_stems[] = { "attn.qkv",  "attn.q",  "attn.k",  "attn.v", "attn.proj", "mlp.fc1",
                                            "mlp.fc1_g", "mlp.fc1_x", "mlp.fc2", "patch_embed.proj", NULL };
static const char *const norm_stems[] = { "norm1", "norm2", "attn.q_norm", "attn.k_norm", "attn.norm", "mlp.norm",
                                          "norm_pre", "fc_norm", "norm", NULL };
enum { STEMS = 10 };

/* The index of the module's name in stems, or -1: an adapter of this module is no part of the method's (the
 * classifier's). */
static int stem_index(const char *const *stems, const pf_module *m)
{
    for (int k = 0; stems[k]; k++) if (!strcmp(pf_module_stem(m->ours), stems[k])) return k;
    return -1;
}

/* The value of an option, written piece by piece; overflow: it did not fit. */
typedef struct { char buffer[8192]; size_t used; bool overflow; } text;

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

/* The selected modules: bit l of set[k]: stem k of block l (bit 0: outside the blocks); blocks: those in which any of
 * them is. */
typedef struct { uint64_t set[STEMS], blocks; } selection;

/* Which modules are selected: the targets, or those of them whose input IA3 scales. */
typedef bool (*chosen)(const pf_module *m);
static bool is_target(const pf_module *m) { return m->target; }
static bool is_forward(const pf_module *m) { return m->target && m->forward; }

static selection select_modules(const pf_modules *m, const char *const *stems, chosen wanted)
{
    selection s = { .blocks = 0 };
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *x = &m->item[i];
        const int k = x->kind == PF_MODULE_OTHER || !wanted(x) ? -1 : stem_index(stems, x);
        if (k < 0) continue;
        s.set[k] |= x->layer < 0 ? 1 : (uint64_t)1 << x->layer;
        if (x->layer >= 0) s.blocks |= (uint64_t)1 << x->layer;
    }
    return s;
}

/* Is the stem that of a module in blocks? */
static bool in_blocks(const char *stem)
{
    return strncmp(stem, "patch_embed.", strlen("patch_embed.")) && strcmp(stem, "norm_pre") && strcmp(stem, "norm")
        && strcmp(stem, "fc_norm");
}

/* Writes the selected modules as a list of names. blocks: those that the option "layers" will have; a stem that is
 * selected in all of these is written as its name, another one as one name for each block, "3.attn.q". */
static void write_names(const selection *s, const char *const *stems, uint64_t blocks, text *t)
{
    for (int k = 0; stems[k]; k++) {
        if (!s->set[k]) continue;
        if (!in_blocks(stems[k]) || s->set[k] == blocks) append(t, "%s%s", t->used ? "," : "", stems[k]);
        else for (int l = 0; l < PEFT_DEPTH_MAX; l++)
            if (s->set[k] >> l & 1) append(t, "%s%d.%s", t->used ? "," : "", l, stems[k]);
    }
}

/* true: every stem in blocks is selected in the same blocks, s->blocks. */
static bool is_uniform(const selection *s, const char *const *stems)
{
    for (int k = 0; stems[k]; k++) if (s->set[k] && in_blocks(stems[k]) && s->set[k] != s->blocks) return false;
    return true;
}

/* Writes rank_pattern or alpha_pattern, "3.attn.q=4,attn.q=16". of_adapter: the number of the whole adapter, the option
 * r or alpha, which a module without an entry has. For each stem it writes the modules whose number differs from that
 * of the stem's first module; then the stem with the first module's number, unless that is of_adapter. The first entry
 * that matches a module counts. */
static void pattern_text(const pf_modules *m, pf_lora_number which, double of_adapter, text *t)
{
    char number[32];
    const char *const *stems = linear_stems;
    for (int k = 0; stems[k]; k++) {
        const pf_module *first = NULL;
        for (size_t i = 0; i < m->count; i++) {
            const pf_module *x = &m->item[i];
            if (!x->target || stem_index(stems, x) != k) continue;
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

/* Sets the option to the text, unless this is its default. */
static peft_status set_names(peft_options *o, const char *name, const text *t, const char *fallback)
{
    if (t->overflow)
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'target_modules': as a list of names, the modules exceed %zu bytes",
                       sizeof t->buffer - 1);
    return strcmp(t->buffer, fallback) ? peft_options_set_string(o, name, t->buffer) : PEFT_OK;
}

/* Sets the options targets (fallback: its default) and layers. */
static peft_status set_targets(const pf_modules *m, const char *const *stems, int64_t depth, const char *fallback,
                               peft_options *o)
{
    const uint64_t every = depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1;
    text targets = { .used = 0 }, list = { .used = 0 };
    const selection s = select_modules(m, stems, is_target);
    /* without an adapted module in any block, such as with patch_embed.proj alone, the option has no effect */
    const bool some_layers = is_uniform(&s, stems) && s.blocks && s.blocks != every;
    write_names(&s, stems, some_layers ? s.blocks : every, &targets);
    for (int64_t l = 0; l < depth; l++)
        if (s.blocks >> l & 1) append(&list, "%s%lld", list.used ? "," : "", (long long)l);
    PF_TRY(set_names(o, "targets", &targets, fallback));
    return some_layers ? peft_options_set_string(o, "layers", list.buffer) : PEFT_OK;
}

/* Sets the options of method ia3. */
static peft_status ia3_options(const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    text forward = { .used = 0 };
    const int64_t depth = b->shape.depth;
    const uint64_t every = depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1;
    PF_TRY(set_targets(m, linear_stems, depth, "attn.k,attn.v,mlp.fc2", o));
    const selection s = select_modules(m, linear_stems, is_forward), all = select_modules(m, linear_stems, is_target);
    selection names = s;
    /* a stem whose input is scaled wherever it is adapted is named without blocks */
    for (int k = 0; k < STEMS; k++) if (s.set[k] && s.set[k] == all.set[k]) names.set[k] = every;
    write_names(&names, linear_stems, every, &forward);
    return set_names(o, "feedforward", &forward, "mlp.fc2");
}

/* Sets the options of method ln_tune. The norms that a configuration does not select decide whether it selects all. */
static peft_status ln_options(const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    for (size_t i = 0; i < m->count; i++) {
        const bool norm = m->item[i].kind == PF_MODULE_NORM || m->item[i].kind == PF_MODULE_FINAL;
        if (norm && !m->item[i].target) return set_targets(m, norm_stems, b->shape.depth, "all", o);
    }
    return PEFT_OK;
}

/* Sets the options of method lora. */
static peft_status lora_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    const json_t *r = pf_json_get(c->root, "r"), *alpha_field = pf_json_get(c->root, "lora_alpha"),
                 *dropout = pf_json_get(c->root, "lora_dropout");
    const char *init = json_string_value(pf_json_get(c->root, "init_lora_weights"));
    const char *bias = json_string_value(pf_json_get(c->root, "bias"));
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
    if (bias && strcmp(bias, "none")) PF_TRY(peft_options_set_string(o, "bias", bias));
    PF_TRY(set_targets(m, linear_stems, b->shape.depth, "", o));
    PF_TRY(set_pattern(o, "rank_pattern", m, PF_RANK, (double)rank));
    return set_pattern(o, "alpha_pattern", m, PF_ALPHA, alpha);
}

/* Sets the options of method vera. */
static peft_status vera_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    const json_t *r = pf_json_get(c->root, "r"), *initial = pf_json_get(c->root, "d_initial");
    const double dropout = json_number_value(pf_json_get(c->root, "vera_dropout"));
    PF_TRY(peft_options_set_int(o, "r", r ? json_integer_value(r) : PF_VERA_DEFAULT_RANK));
    if (initial) PF_TRY(peft_options_set_float(o, "d_initial", json_number_value(initial)));
    if (dropout != 0) PF_TRY(peft_options_set_float(o, "dropout", dropout));
    return set_targets(m, linear_stems, b->shape.depth, "", o);
}

/* Sets the options of method oft. */
static peft_status oft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options *o)
{
    const pf_oft_numbers x = pf_oft_numbers_of(c);
    if (x.size != PF_OFT_DEFAULT_SIZE) PF_TRY(peft_options_set_int(o, "block_size", x.size));
    if (x.blocks) PF_TRY(peft_options_set_int(o, "blocks", x.blocks));
    if (x.share) PF_TRY(peft_options_set_string(o, "share", "true"));
    if (x.terms != PF_OFT_DEFAULT_TERMS) PF_TRY(peft_options_set_int(o, "terms", x.terms));
    return set_targets(m, linear_stems, b->shape.depth, "", o);
}

peft_status pf_peft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options **out)
{
    peft_options *o;
    PF_TRY(peft_options_create(b->ctx, &o));
    peft_status s = c->type == PF_PEFT_LORA ? lora_options(c, b, m, o)
                  : c->type == PF_PEFT_IA3 ? ia3_options(b, m, o)
                  : c->type == PF_PEFT_VERA ? vera_options(c, b, m, o)
                  : c->type == PF_PEFT_OFT ? oft_options(c, b, m, o) : ln_options(b, m, o);
    if (s) peft_options_free(o);
    else *out = o;
    return s;
}
