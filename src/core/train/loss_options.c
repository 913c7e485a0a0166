/* SPDX-License-Identifier: Apache-2.0
 * loss_options.c -- reads the options of a trainer that choose the loss, its weights and its reduction. */
#include <math.h>
#include <string.h>
#include "core/train/trainer.h"

/* Reads option `name`, a list of one number >= 0 for each class, such as "1,2.5" or "[1, 2.5]". *out, which
 * pf_loss_free frees, stays NULL if the option is empty. p is the position in the text. */
static peft_status read_list(const peft_trainer *t, const char *name, const pk_real **out)
{
    const char *given = pf_options_string(t->options, pf_trainer_options, name), *p = given;
    const int64_t classes = t->model->classes;
    int64_t n = 0;                                    /* numbers read so far; -1: the text is no such list */
    if (!*p) return PEFT_OK;
    pk_real *list = pf_alloc_zero(t->ctx, (size_t)classes * sizeof(pk_real));
    if (!list) return pf_nomem(name, (size_t)classes * sizeof(pk_real));
    *out = list;
    p += strspn(p, " ");
    const bool bracket = *p == '[';
    if (bracket) p++;
    for (p += strspn(p, " "); *p && *p != ']'; p += strspn(p, ", ")) {
        char word[64];
        double v;
        size_t length = strcspn(p, ", ]");
        if (length >= sizeof word) length = 0;        /* too long for a number: read as "", which is none */
        memcpy(word, p, length);
        word[length] = 0;
        if (n >= classes || !pf_parse_float(word, &v) || !(v >= 0) || isinf(v)) { n = -1; break; }
        list[n++] = (pk_real)v;
        p += length;
    }
    if (bracket && *p == ']') p += 1 + strspn(p + 1, " ");
    else if (bracket) n = -1;                         /* not closed */
    if (n == classes && !*p) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s '%s': expected %lld numbers >= 0, one for each class, as in \"1,2.5\"", name,
                   given, (long long)classes);
}

/* Reads what the sum of weighted losses is divided by: the batch size (by_batch), or the sum of the labels' weights.
 * auto is as torch's cross_entropy: the weights for ce, the batch size for soft_ce. */
static peft_status read_reduction(peft_trainer *t)
{
    const char *reduction = pf_options_string(t->options, pf_trainer_options, "weight_reduction");
    if (strcmp(reduction, "auto") && strcmp(reduction, "weights") && strcmp(reduction, "batch"))
        return pf_fail(PEFT_E_OPTION, "weight_reduction: given '%s', expected auto, weights or batch", reduction);
    t->loss.by_batch = !strcmp(reduction, "auto") ? t->loss.kind->auto_by_batch : !strcmp(reduction, "batch");
    return PEFT_OK;
}

/* Reads the label whose rows the loss leaves out. */
static peft_status read_ignored(peft_trainer *t)
{
    const char *label = pf_options_string(t->options, pf_trainer_options, "ignore_index");
    t->loss.ignores = strcmp(label, "none") != 0;
    if (!t->loss.ignores || pf_parse_int(label, &t->loss.ignore_index)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "ignore_index: given '%s', expected an integer, the label that losses leave out, or "
                   "none", label);
}

/* PEFT_E_OPTION: all factors of the loss are 0, so that it is always 0. */
static peft_status check_factors(const peft_trainer *t)
{
    static const char *const numbers[] = {
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) #name,
#include "core/graph/loss/losses.def"
    };
    const pf_loss_kind *kind = t->loss.kind;
    const char *factors[sizeof numbers / sizeof *numbers];
    char names[160];
    size_t n = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!pf_has_word(kind->factors, numbers[i])) continue;
        if (pf_options_float(t->options, pf_trainer_options, numbers[i]) > 0) return PEFT_OK;
        factors[n++] = numbers[i];
    }
    if (n)
        return pf_fail(PEFT_E_OPTION, "%s: given 0, so that loss=%s is always 0 and nothing is learnt; expected %sa "
                       "number above 0", pf_names_text(factors, n, ", ", " and ", names, sizeof names), kind->name,
                       n > 1 ? "for one of them " : "");
    return PEFT_OK;
}

peft_status pf_loss_read_options(peft_trainer *t)
{
    const char *loss = pf_options_string(t->options, pf_trainer_options, "loss");
    char names[160];
    t->loss.kind = pf_loss_named(loss);
    if (!t->loss.kind)
        return pf_fail(PEFT_E_OPTION, "loss: given '%s', expected %s", loss,
                       pf_loss_names(NULL, ", ", " or ", names, sizeof names));
    if (t->model->classes < t->loss.kind->min_classes)
        return pf_fail(PEFT_E_OPTION, "loss: given '%s' for a model of 1 class, whose softmax is always 1; "
                       "expected 2 classes or more, or bce for a finding that is present or not", loss);
    /* losses.def lists the options of losses: PF_LOSS_NUMBER a number, PF_LOSS_FLAG true or false, PF_LOSS_LIST a list
     * of one number for each class */
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) \
    t->loss.name = pf_options_float(t->options, pf_trainer_options, #name);
#define PF_LOSS_FLAG(name, fallback, help) t->loss.name = pf_options_int(t->options, pf_trainer_options, #name);
#include "core/graph/loss/losses.def"
    PF_TRY(check_factors(t));
    PF_TRY(read_reduction(t));
    PF_TRY(read_ignored(t));
#define PF_LOSS_LIST(name, help) PF_TRY(read_list(t, #name, &t->loss.name));
#include "core/graph/loss/losses.def"
    return PEFT_OK;
}

void pf_loss_free(peft_trainer *t)
{
#define PF_LOSS_LIST(name, help) pf_free(t->ctx, (void *)(uintptr_t)t->loss.name);
#include "core/graph/loss/losses.def"
}
