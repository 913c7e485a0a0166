/* SPDX-License-Identifier: Apache-2.0
 * decisions.c -- how the trained model decides: --threshold and --conformal (run.h). */
#include "run.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

void begin_decisions(run *r)
{
    r->how = plain_decision(peft_dataset_classes(r->t.train), peft_dataset_multilabel(r->t.train));
}

void free_decisions(run *r)
{
    free_decision(&r->how);
    free_set_rule(&r->sets);
}
