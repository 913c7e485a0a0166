/* SPDX-License-Identifier: Apache-2.0
 * save_class.c -- finds the model class of another library that computes a network, for adapters that are written for
 * that class; refuses networks that none computes, and classifiers of another feature than the class's own. */
#include <stdio.h>
#include "core/weights/save/save.h"

/* The load options by which a network has the feature that the class's classifier reads. */
static void name_feature(char text[64], const pf_hf_model *m)
{
    snprintf(text, 64, "pool=%s%s", pf_feature_name(m->feature), m->raw_mean ? ",final_norm=false" : "");
}

/* Refuses a classifier of another feature than that of the class. */
static peft_status check_feature(const pf_vit_shape *s, const pf_hf_model *m)
{
    char expected[64];
    const bool norm = s->norm || s->fc_norm;
    if (s->pool == m->feature && !(m->raw_mean && norm)) return PEFT_OK;
    name_feature(expected, m);
    return pf_fail(PEFT_E_UNSUPPORTED, "the classifier reads pool=%s%s, that of %s reads %s%s: expected a model that "
                   "was trained on the backbone loaded with %s", pf_feature_name(s->pool),
                   s->pool == m->feature ? " after the final norm" : "", m->classifier, expected,
                   m->raw_mean ? ", the mean before the final norm" : "", expected);
}

/* The network without a classifier. Whoever loads it pools the tokens, so the feature here does not matter. */
static pf_vit_shape without_feature(const pf_vit_shape *s)
{
    pf_vit_shape x = *s;
    x.pool = s->class_token ? PF_FEATURE_CLS : PF_FEATURE_MEAN;
    x.norm = true;
    x.fc_norm = false;
    x.attn_pool = (pf_attn_pool){ 0 };
    return x;
}

peft_status pf_save_class(const peft_backbone *b, const pf_vit_shape *s, const pf_naming *n, bool classifier,
                          const pf_hf_model **model)
{
    const pf_vit_shape x = classifier ? *s : without_feature(s);
    const bool pair = classifier && s->pool == PF_FEATURE_CLS_DIST;
    const pf_saving as = pf_saved_as(pf_all_families, n, &x, b->model_type, classifier);
    *model = as.model;
    const bool timm = n == &pf_naming_timm || n == &pf_naming_timm_unfused;
    if (pair || (classifier && timm && s->pool == PF_FEATURE_CLS_MEAN))
        return pf_fail(PEFT_E_UNSUPPORTED, "the classifier reads pool=%s, two features side by side, which no class of "
                       "the %s naming does with one layer: expected a model that was trained on the backbone loaded "
                       "with pool=cls, or peft_model_merge%s", pf_feature_name(s->pool), n->name,
                       pair ? "" : " and naming=hf5");
    if (timm) return PEFT_OK;
    if (!as.model)
        return pf_fail(PEFT_E_UNSUPPORTED, "no model class of the %s naming has such a network; expected naming=timm",
                       n->name);
    if (as.naming != n)
        return pf_fail(PEFT_E_UNSUPPORTED, "%s, the class of such a network, has the names of another naming: expected "
                       "naming=%s", as.model->model, as.naming->name);
    const bool reads = classifier && as.model->classifier;           /* open_clip has no classifier */
    if (reads) PF_TRY(check_feature(&x, as.model));
    const pf_vit_shape y = reads ? x : without_feature(s);
    const pf_form f = { .naming = n, .names = n, .model = as.model, .classifier = reads, .shape = y };
    return pf_save_expressible(&y, &f);
}
