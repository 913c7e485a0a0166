/* SPDX-License-Identifier: Apache-2.0
 * settings.c -- the notes "settings" and "parts" of a backbone: what a shape says of the network beside its sizes. */
#include <stdio.h>
#include <string.h>
#include "core/weights/backbone.h"

/* Appends text, behind `between` unless it is the first. */
static void append(char *out, size_t capacity, const char *between, const char *text)
{
    const size_t used = strlen(out);
    snprintf(out + used, capacity - used, "%s%s", used ? between : "", text);
}

static void add_word(char out[PF_SETTINGS_MAX], const char *name, const char *value)
{
    char text[96];
    snprintf(text, sizeof text, "%s=%s", name, value);
    append(out, PF_SETTINGS_MAX, ",", text);
}

static void add_number(char out[PF_SETTINGS_MAX], const char *name, double v)
{
    char text[32];
    pf_print_float(text, sizeof text, v);
    add_word(out, name, text);
}

void pf_backbone_settings(const pf_vit_shape *s, char out[PF_SETTINGS_MAX])
{
    const pf_rope *r = &s->rope;
    *out = 0;
    add_number(out, "heads", (double)s->heads);
    add_number(out, "eps", s->eps);
    add_word(out, "act", pf_act_name(s->act) ? pf_act_name(s->act) : "unknown");
    if (s->gate) add_word(out, "gate", s->gate == PF_GATE_FIRST ? "first" : "last");
    add_word(out, "pool", pf_feature_name(s->pool));
    if (!s->norm && !s->fc_norm) add_word(out, "final_norm", "false");
    if (s->attn_pool.width) {
        add_number(out, "pool_heads", (double)s->attn_pool.heads);
        add_number(out, "pool_eps", s->attn_pool.eps);
    }
    add_word(out, "rope", pf_rope_name(r->kind));
    if (!r->kind) return;
    add_number(out, "rope_temperature", r->temperature);
    add_number(out, "rope_grid_offset", r->offset);
    add_word(out, "rope_grid_indexing", r->xy ? "xy" : "ij");
    add_word(out, "rope_rotate_half", r->halves ? "true" : "false");
    add_number(out, "ref_feat_shape", (double)r->reference);
}

void pf_backbone_parts(const pf_vit_shape *s, char out[PF_SETTINGS_MAX])
{
    char registers[48];
    snprintf(registers, sizeof registers, "%lld register%s", (long long)s->registers, s->registers == 1 ? "" : "s");
    const struct { bool has; const char *what; } rows[] = {
        { s->class_token, "class token" }, { s->registers > 0, registers },
        { s->pos_embed, "position embedding" }, { s->rope.kind != PF_ROPE_NONE, "rotary positions" },
        { s->norm_pre, "norm before the blocks" }, { s->qkv_bias, "biases of q, k and v" },
        { s->qk_norm, "norms of q and k" }, { s->attn_norm, "norm of attention's result" },
        { s->mlp_norm, "norm of fc2's input" }, { s->gate != PF_GATE_NONE, "gated MLP" },
        { s->layer_scale, "LayerScale" }, { s->norm, "norm before pooling" },
        { s->attn_pool.width > 0, "attention pooling" }, { s->fc_norm, "norm after pooling" },
        { s->classes > 0, "classifier" } };
    *out = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].has) append(out, PF_SETTINGS_MAX, ", ", rows[i].what);
}
