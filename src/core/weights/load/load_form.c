/* SPDX-License-Identifier: Apache-2.0
 * load_form.c -- how a file of timm's names names the parts that timm's classes name in different ways, so that saving
 * gives them the same names; and the model class of other files. */
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

/* PF_TIMM_* of the names of the file's tensors. */
static unsigned form_of_names(const pf_loader *l)
{
    /* Rows of one bit add up; BAAI's w1 and w2 are timm's fc1_g and fc1_x. */
    static const struct { const char *glob; unsigned form; } rows[] = {
        { "*.gamma_1", PF_TIMM_GAMMA }, { "*.attn.q_proj.weight", PF_TIMM_SPLIT_QKV | PF_TIMM_KNOWN },
        { "*.attn.q_bias", PF_TIMM_NO_K_BIAS | PF_TIMM_KNOWN },
        { "*.mlp.fc1_g.weight", PF_TIMM_SPLIT_GATE | PF_TIMM_KNOWN }, { "*.mlp.w1.weight", PF_TIMM_SPLIT_GATE } };
    unsigned form = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (pf_load_has_tensor(l, rows[i].glob)) form |= rows[i].form;
    const bool split_bias = pf_load_has_tensor(l, "*.attn.q_proj.bias") && !pf_load_has_tensor(l, "*.attn.k_proj.bias");
    return split_bias ? form | PF_TIMM_NO_K_BIAS : form;
}

/* DeiT-III's own files have gamma_1 too, but timm's class for them names it ls1.gamma. */
unsigned pf_load_form(const pf_loader *l)
{
    const pf_vit_shape *s = &l->shape;
    if (l->naming != &pf_naming_timm && l->naming != &pf_naming_timm_unfused) return 0;
    unsigned form = form_of_names(l);
    if (pf_st_meta(l->file, PF_TIMM_CLASS_KEY) || pf_config_get(&l->config, "architecture")) form |= PF_TIMM_KNOWN;
    const bool as_deit3 = s->class_token && s->pos_embed && !l->native_prefix;
    if ((form & PF_TIMM_GAMMA) && !as_deit3) form |= PF_TIMM_KNOWN;
    if (!(form & PF_TIMM_KNOWN)) form &= ~(unsigned)PF_TIMM_GAMMA;
    const bool all_rows = (l->family->rows & PF_ROWS_ALL) && l->native_prefix == pf_vit_prefix(s);
    return l->fold_prefix && all_rows ? form | PF_TIMM_PREFIX_ROWS : form;
}

void pf_load_model_type(const pf_loader *l, char out[PF_MODEL_TYPE_MAX])
{
    const char *stated = pf_config_get(&l->config, "model_type");
    const char *usual = l->family->saved ? l->family->saved->type : "";
    const bool part = l->naming->config_file_prefix && strstr(l->prefix, l->naming->config_file_prefix);
    snprintf(out, PF_MODEL_TYPE_MAX, "%s", part ? PF_PART_TYPE : stated ? stated : usual);
}
