/* SPDX-License-Identifier: Apache-2.0
 * load_pool.c -- finds what the classifier reads (pf_feature), whether the final norm comes before or after pooling,
 * and the facts of attention pooling. Options and files come first, then what the tensors show. */
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

/* Columns of the classifier; 0: there is none. */
static int64_t classifier_columns(const pf_loader *l)
{
    const pf_st_tensor *part[3];
    return l->shape.classes > 0 && pf_load_find(l, "head.weight", part) && part[0]->ndim == 2 ? part[0]->dim[1] : 0;
}

/* Has the file a classifier of the distillation token beside that of the class token? */
static bool has_second_classifier(const pf_loader *l)
{
    const pf_st_tensor *part[3];
    return pf_load_find(l, PF_SECOND_CLASSIFIER ".weight", part) > 0;
}

/* The feature that the file's tensors show. *why: the reason. */
static pf_feature feature_of_tensors(const pf_loader *l, const char **why)
{
    const pf_vit_shape *s = &l->shape;
    if (classifier_columns(l) == 2 * s->width)
        return *why = "the classifier has 2 * width columns", PF_FEATURE_CLS_MEAN;
    if (l->family->classifier && s->classes > 0)
        return *why = "the classifier of this family reads the mean", PF_FEATURE_MEAN;
    if (l->family->pooling == PF_POOL_CLS_DIST || has_second_classifier(l))
        return *why = "there is a distillation token", PF_FEATURE_CLS_DIST;
    if (s->attn_pool.width) return *why = "there is attention pooling", PF_FEATURE_ATTENTION;
    if (!s->class_token) return *why = "there is no class token", PF_FEATURE_MEAN;
    *why = s->fc_norm ? "there is fc_norm" : "there is no fc_norm";
    return s->fc_norm ? PF_FEATURE_MEAN : PF_FEATURE_CLS;
}

/* Leaves out what the chosen pooling (shape.pool) does not read, if it is not the one that the tensors show (usual): a
 * classifier that is known to read another feature, and the tensors of attention pooling. */
static void leave_out(pf_loader *l, pf_feature usual)
{
    pf_vit_shape *s = &l->shape;
    const int64_t columns = classifier_columns(l);
    const bool reads_another = has_second_classifier(l) || l->family->classifier
                            || columns != pf_vit_feature_width(s, s->pool);
    if (s->pool != usual && columns && reads_another) {
        const char *what = usual == PF_FEATURE_MEAN ? "the mean of the patches"
                         : usual == PF_FEATURE_ATTENTION ? "the result of attention pooling"
                         : "two features side by side";
        s->classes = 0;
        pf_load_ignore(l, "head.*");
        pf_load_ignore(l, PF_SECOND_CLASSIFIER ".*");
        pf_warn(l->ctx, "backbone: pool=%s leaves the classifier out, because it reads %s", pf_feature_name(s->pool),
                what);
    }
    if (s->pool == PF_FEATURE_ATTENTION || !s->attn_pool.width) return;
    s->attn_pool = (pf_attn_pool){ 0 };
    s->fc_norm = false;                                  /* it is the norm after attention pooling */
    pf_load_ignore(l, "attn_pool.*");
    pf_load_ignore(l, "fc_norm.*");
}

/* Do configuration or architecture switch off both norms of timm's Eva? fc_norm is on by default with mean pooling. */
static bool eva_without_norms(const pf_loader *l)
{
    const char *norm = pf_load_text(l, "use_post_transformer_norm"), *fc_norm = pf_load_text(l, "use_fc_norm");
    const bool mean = l->shape.pool == PF_FEATURE_MEAN;
    return norm && !strcmp(norm, "false") && (fc_norm ? !strcmp(fc_norm, "false") : !mean);
}

/* Leaves out the final norms that the file has. */
static void drop_norms(pf_loader *l)
{
    pf_load_ignore(l, "norm.*");
    pf_load_ignore(l, "fc_norm.*");
    l->shape.norm = l->shape.fc_norm = false;
}

/* Sets the place of the final norm: before pooling (norm) or after it (fc_norm). A network without one must be stated
 * to be one (final_norm=false, which as an option leaves out the norm of a file); otherwise loading reports the norm
 * that is missing. In a family with PF_POOL_ANY the name of the file's one norm does not tell its place: the
 * configuration states it as the fact fc_norm. */
static peft_status place_norm(pf_loader *l)
{
    pf_vit_shape *s = &l->shape;
    const char *fc_norm = pf_load_text(l, "fc_norm"), *final_norm = pf_load_word(l, "final_norm");
    const bool mean = s->pool == PF_FEATURE_MEAN;
    if (!final_norm && eva_without_norms(l)) final_norm = "false";
    if (final_norm && strcmp(final_norm, "true") && strcmp(final_norm, "false"))
        return pf_fail(PEFT_E_OPTION, "final_norm: given '%s', expected true or false", final_norm);
    const bool no_norm = final_norm && !strcmp(final_norm, "false");
    if (!strcmp(pf_options_string(l->o, pf_backbone_load_options, "final_norm"), "false")) drop_norms(l);
    if (!s->norm && !s->fc_norm && !no_norm) *(mean ? &s->fc_norm : &s->norm) = true;
    if (l->family->classifier == PF_CLASSIFIER_OF_RAW_MEAN && s->classes > 0) {
        pf_load_ignore(l, "norm.*");
        s->norm = false;
    }
    const bool attention = s->pool == PF_FEATURE_ATTENTION;         /* the one norm follows it */
    const bool stays_before = fc_norm && !strcmp(fc_norm, "false");
    if (l->family->pooling == PF_POOL_ANY && (mean || attention) && s->norm && !s->fc_norm && !stays_before) {
        pf_load_rename(l, "norm.weight", "fc_norm.weight");
        pf_load_rename(l, "norm.bias", "fc_norm.bias");
        s->norm = false;
        s->fc_norm = true;
    }
    return PEFT_OK;
}

/* The pooling that option, header or configuration files state; NULL: none does. In a family with a distillation token
 * the configuration files do not count: timm's state the class token for networks that read both tokens. */
static const char *stated_pooling(const pf_loader *l)
{
    const char *option = pf_options_string(l->o, pf_backbone_load_options, "pool");
    if (l->family->pooling == PF_POOL_CLS_DIST && !strcmp(option, "auto")) return pf_st_meta(l->file, "pool");
    return pf_load_word(l, "pool");
}

peft_status pf_load_pool(pf_loader *l)
{
    const char *why, *stated = stated_pooling(l), *pool_all = pf_load_text(l, "pool_all");
    const pf_feature usual = feature_of_tensors(l, &why);
    const int pool = stated ? pf_feature_named(stated) : (int)usual;
    const pf_pooling by_family = l->family->pooling;
    const bool by_tensors = l->shape.class_token || usual == PF_FEATURE_ATTENTION;
    const bool certain = (by_family == PF_POOL_CLS || by_family == PF_POOL_CLS_DIST) && by_tensors;
    if (!stated && !certain) pf_load_assume(l, "pool", pf_feature_name(usual), why);
    if (pool < 0)
        return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected cls, mean, cls_mean, cls_dist or attention", stated);
    l->shape.pool = (pf_feature)pool;
    const bool attention = pool == PF_FEATURE_ATTENTION;            /* pool_all=attention: with this pooling alone */
    if (pool_all) l->shape.pool_all = !strcmp(pool_all, "true") || (attention && !strcmp(pool_all, "attention"));
    else l->shape.pool_all = attention && l->family->pool_all;
    PF_TRY(pf_shape_check_pool(&l->shape, l->shape.pool));
    leave_out(l, usual);
    return place_norm(l);
}

peft_status pf_load_attention_pooling(pf_loader *l)
{
    pf_attn_pool *a = &l->shape.attn_pool;
    const int64_t usual = l->family->pool_heads ? l->family->pool_heads : l->shape.heads;
    const char *act = pf_load_text(l, "pool_act");
    char text[24];
    double v;
    if (!a->width) return PEFT_OK;
    a->act = act ? pf_act_named(act) : l->shape.act;
    if (a->act < 0) return pf_fail(PEFT_E_OPTION, "pool_act: given '%s', expected " PF_ACT_NAMES, act);
    PF_TRY(pf_load_whole(l, "pool_heads", usual, &a->heads));
    if (l->family->pool_heads && !pf_load_number(l, "pool_heads", &v)) {
        snprintf(text, sizeof text, "%lld", (long long)usual);
        pf_load_assume(l, "pool_heads", text, "usual for attention pooling of this family");
    }
    if (!pf_load_number(l, "pool_eps", &a->eps)) a->eps = l->family->pool_eps > 0 ? l->family->pool_eps : l->shape.eps;
    return PEFT_OK;
}
