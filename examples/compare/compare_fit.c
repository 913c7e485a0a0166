/* SPDX-License-Identifier: Apache-2.0
 * compare_fit.c -- fits a probe to features, for a run and for the choice of its options. */
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "compare_study.h"
#include <stdlib.h>

peft_probe *fit_probe(peft_context *ctx, const flag *recipe, const features *f, const peft_dataset *train)
{
    peft_options *o = options_from_text(ctx, recipe[recipe_options].value);
    peft_probe *p;
    float *targets = NULL;
    if (peft_dataset_multilabel(train)) {
        targets = check_alloc(malloc((size_t)(f->n * f->classes) * sizeof *targets));
        for (int64_t i = 0; i < f->n; i++) must(peft_dataset_targets(train, i, targets + i * f->classes));
    }
    must(peft_probe_fit(ctx, f->x, targets ? NULL : f->label, targets, f->n, f->width, f->classes, o, &p));
    peft_options_free(o);
    free(targets);
    return p;
}
