/* SPDX-License-Identifier: Apache-2.0
 * loss_options.c -- reads the options of a trainer that choose the loss, its weights and its reduction. */
#include <math.h>
#include <string.h>
#include "core/train/trainer.h"

/* A list of one number >= 0 for each class, "1,2.5" or "[1, 2.5]", from option `name`; *out stays NULL where the option
 * is empty. */
static peft_status read_list(const peft_trainer *t, const char *name, pk_real **out)
{
    const char *given = pf_options_string(t->options, pf_trainer_options, name), *p = given;
    const int64_t classes = t->model->classes;
    int64_t n = 0;
    if (!*p) return PEFT_OK;
    *out = pf_alloc_zero(t->ctx, (size_t)classes * sizeof(pk_real));
    if (!*out) return pf_nomem(name, (size_t)classes * sizeof(pk_real));
    p += strspn(p, " ");
    const bool bracket = *p == '[';
    for (p += bracket + strspn(p + bracket, " "); *p && *p != ']'; p += strspn(p, ", ")) {
        char word[64];
        double v;
        size_t length = strcspn(p, ", ]");
        if (length < sizeof word) memcpy(word, p, length);
        word[length < sizeof word ? length : 0] = 0;
        if (n >= classes || !pf_parse_float(word, &v) || !(v >= 0) || isinf(v)) { n = -1; break; }
        (*out)[n++] = (pk_real)v;
        p += length;
    }
    if (bracket && *p == ']') p += 1 + strspn(p + 1, " ");
    else if (bracket) n = -1;
    if (n == classes && !*p) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s '%s': expected %lld numbers >= 0, one for each class, as in \"1,2.5\"", name,
                   given, (long long)classes);
}

/* What a weighted mean is divided by. auto does as torch's cross_entropy: by the sum of the labels' weights for ce, by
 * the batch size for soft_ce. */
static peft_status read_reduction(peft_trainer *t)
{
    const char *reduction = pf_options_string(t->options, pf_trainer_options, "weight_reduction");
    if (strcmp(reduction, "auto") && strcmp(reduction, "weights") && strcmp(reduction, "batch"))
        return pf_fail(PEFT_E_OPTION, "weight_reduction: given '%s', expected auto, weights or batch", reduction);
    const bool automatic = !strcmp(reduction, "auto");
    t->loss.ce.by_batch = automatic ? t->loss.kind == PF_LOSS_SOFT_CE : !strcmp(reduction, "batch");
    return PEFT_OK;
}

peft_status pf_loss_options(peft_trainer *t)
{
    const char *loss = pf_options_string(t->options, pf_trainer_options, "loss");
    if (strcmp(loss, "ce") && strcmp(loss, "soft_ce") && strcmp(loss, "bce") && strcmp(loss, "bce_sum"))
        return pf_fail(PEFT_E_OPTION, "loss: given '%s', expected ce, soft_ce, bce or bce_sum", loss);
    if (strncmp(loss, "bce", 3) && t->model->classes < 2)
        return pf_fail(PEFT_E_OPTION, "loss: given '%s' for a model of 1 class, with which this loss is always 0; "
                       "expected 2 classes or more, or bce for a finding that is present or not", loss);
    t->loss.kind = !strcmp(loss, "ce") ? PF_LOSS_CE : !strcmp(loss, "soft_ce") ? PF_LOSS_SOFT_CE : PF_LOSS_BCE;
    t->loss.bce.sum_classes = !strcmp(loss, "bce_sum");
    t->loss.ce.smoothing = pf_options_float(t->options, pf_trainer_options, "label_smoothing");
    PF_TRY(read_reduction(t));
    PF_TRY(read_list(t, "class_weights", &t->class_weights));
    PF_TRY(read_list(t, "pos_weight", &t->pos_weight));
    t->loss.ce.weight = t->loss.bce.weight = t->class_weights;
    t->loss.bce.pos_weight = t->pos_weight;
    return PEFT_OK;
}
