/* SPDX-License-Identifier: Apache-2.0
 * load_rope.c -- which rotary positions a network has. Only mixed ones have a tensor; options, header, configuration or
 * the architecture's name tell the others. A setting that all of them leave out has timm's default. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

enum { USUAL_IMAGE = 224 };                             /* side in pixels, for a network that works at any (set_grid) */

/* The fact of this name, else that of the family's rotary positions; NULL: neither. */
static const char *rope_word(const pf_loader *l, const char *name)
{
    const char *word = pf_load_word(l, name);
    if (word) return word;
    for (const pf_field *f = l->family->rope; f && f->key; f++) if (!strcmp(f->key, name)) return f->json;
    return NULL;
}

/* Does the word have the value `yes`, not `no`? A word that is not stated: false. */
static peft_status read_choice(const pf_loader *l, const char *name, const char *no, const char *yes, bool *out)
{
    const char *word = rope_word(l, name);
    *out = word && !strcmp(word, yes);
    if (!word || *out || !strcmp(word, no)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%s', expected %s or %s", name, word, no, yes);
}

/* A number, which may be negative or 0. */
static peft_status read_number(const pf_loader *l, const char *name, double usual, double *out)
{
    const char *word = rope_word(l, name);
    *out = usual;
    if (!word || pf_parse_float(word, out)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%s', expected a number", name, word);
}

/* Does the configuration state (use_rot_pos_emb of timm's Eva) whether the network has rotary positions? *use: it has;
 * unchanged if nothing is stated. */
static bool stated_use(const pf_loader *l, bool *use)
{
    const char *text = pf_config_get(&l->config, "use_rot_pos_emb");
    if (text) *use = !strcmp(text, "true");
    return text != NULL;
}

/* The kind, by name: that of option or header, else what a configuration of timm says by its arguments or by the
 * architecture, whose networks have none unless its row states one. NULL: nothing says it. */
static const char *stated_kind(const pf_loader *l)
{
    const char *option = pf_options_string(l->o, pf_backbone_load_options, "rope");
    const char *header = pf_st_meta(l->file, "rope");
    const pf_arch a = pf_load_arch(l);
    const char *of_architecture = pf_arch_setting(&a, "rope"), *type = pf_config_get(&l->config, "rope_type");
    bool use = of_architecture != NULL;
    if (strcmp(option, "auto")) return option;
    if (header) return header;
    const bool stated = stated_use(l, &use) || (a.known && (a.timm || of_architecture));
    if (!stated) return rope_word(l, "rope");
    if (!use) return "none";
    if (type) return !strcmp(type, "cat") ? "axial" : type;
    return of_architecture ? of_architecture : "axial";
}

/* Finds the kind, which nothing states, by the file's tensors. Those of frequencies show it for certain; else the kind
 * is assumed. eva: q and v have biases without k, or q is a tensor of its own, as in timm's EVA and EVA-02.
 * PEFT_E_FORMAT: there is no position embedding, and the network is like none that is known here. */
static peft_status assume_kind(pf_loader *l, const char **name)
{
    const pf_vit_shape *s = &l->shape;
    const bool eva = pf_load_has_tensor(l, "*.attn.q_bias") || pf_load_has_tensor(l, "*.attn.q_proj.weight");
    *name = "none";
    if (pf_load_has_tensor(l, "*rope.freqs")) *name = "mixed";
    else if (pf_load_has_tensor(l, "*rope_embed.periods")) *name = "dinov3";
    else if (pf_load_has_tensor(l, "*rope.freqs_cos")) *name = "axial";
    else if (!s->pos_embed && s->class_token && s->registers && s->layer_scale) {
        *name = "dinov3";
        pf_load_assume(l, "rope", *name, "as in DINOv3, which has registers and LayerScale and no position embedding; "
                       "timm's own feature of it is pool=mean");
    } else if (!s->pos_embed)
        return pf_fail(PEFT_E_FORMAT, "tensor '%spos_embed' is missing, and nothing says which other positions the "
                       "network has: expected config.json or the option rope (none, axial, dinov3 or mixed)",
                       l->prefix);
    else if (eva && s->gate) {
        *name = "axial";
        pf_load_assume(l, "rope", *name, "as in EVA-02, which has a gated MLP and no bias of k");
    } else if (eva) pf_load_assume(l, "rope", *name, "as in EVA, which has no gated MLP");
    return PEFT_OK;
}

/* Where the kind is assumed: sets what timm's architectures of that kind have and nothing states. */
static void assume_numbers(const pf_loader *l, pf_rope *r)
{
    if (r->kind == PF_ROPE_AXIAL && !pf_load_word(l, "ref_feat_shape")) r->reference = 16;
    if (r->kind == PF_ROPE_CENTRED && !pf_load_word(l, "rope_temperature")) r->temperature = 100;
    if (!pf_load_word(l, "rope_rotate_half")) r->halves = r->kind == PF_ROPE_CENTRED;
    if (!pf_load_word(l, "rope_grid_indexing")) r->xy = r->kind == PF_ROPE_MIXED;
}

/* Reports the base of the frequencies that the family has, if nothing states it. */
static void assume_temperature(pf_loader *l)
{
    char why[64];
    snprintf(why, sizeof why, "usual for %s files", l->naming->name);
    if (l->family->rope && !pf_load_word(l, "rope_temperature"))
        pf_load_assume(l, "rope_temperature", rope_word(l, "rope_temperature"), why);
}

/* Refuses a base of frequencies in Hugging Face's configuration of a network that has no rotary positions. */
static peft_status check_unused(const pf_loader *l)
{
    const char *base = pf_config_get(&l->config, "rope_temperature");
    if (!base || pf_config_get(&l->config, "architecture")) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "%s: rope_theta: given %s, but the network has no rotary positions: expected the "
                   "configuration of this model, the option rope, or the option config=none", l->config.source, base);
}

static peft_status set_rope(pf_loader *l)
{
    pf_rope *r = &l->shape.rope;
    const char *name = stated_kind(l);
    const bool assumed = !name;
    double reference;
    if (!name) PF_TRY(assume_kind(l, &name));
    const int kind = pf_rope_named(name);
    if (kind < 0)
        return pf_fail(PEFT_E_UNSUPPORTED, "rope_type: given '%s', which is not supported: expected none, axial "
                       "(timm's cat), dinov3 or mixed", name);
    r->kind = (pf_rope_kind)kind;
    if (!r->kind) return check_unused(l);
    PF_TRY(read_number(l, "rope_temperature", 10000, &r->temperature));
    PF_TRY(read_number(l, "rope_grid_offset", 0, &r->offset));
    PF_TRY(read_number(l, "ref_feat_shape", 0, &reference));
    if (!(reference >= 0 && reference <= 65536 && reference == floor(reference)))
        return pf_fail(PEFT_E_INVALID, "ref_feat_shape: expected a whole number");
    r->reference = (int64_t)reference;
    PF_TRY(read_choice(l, "rope_grid_indexing", "ij", "xy", &r->xy));
    PF_TRY(read_choice(l, "rope_rotate_half", "false", "true", &r->halves));
    if (assumed) assume_numbers(l, r);
    assume_temperature(l);
    if (r->kind != PF_ROPE_AXIAL) r->reference = 0;                     /* as in timm, these ignore it */
    if (r->kind == PF_ROPE_MIXED) r->offset = 0;
    return PEFT_OK;
}

/* The grid of a network without a position embedding, for the image size that is stated. */
static peft_status set_grid(pf_loader *l)
{
    const int64_t patch = l->shape.patch, usual = USUAL_IMAGE / patch * patch;
    pf_grid image;
    pf_options_sides(l->o, pf_backbone_load_options, "image_size", &image.h, &image.w);
    if (!image.h && !pf_load_image(l, &image)) {
        image = (pf_grid){ usual, usual };
        char assumed[PF_SIDES_MAX];
        pf_load_assume(l, "image_size", pf_sides_text(assumed, image), "usual; the network works at any size");
    }
    l->native_grid = (pf_grid){ image.h / patch, image.w / patch };
    return PEFT_OK;
}

peft_status pf_load_positions(pf_loader *l)
{
    PF_TRY(set_rope(l));
    return l->shape.pos_embed ? PEFT_OK : set_grid(l);
}
