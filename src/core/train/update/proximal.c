/* SPDX-License-Identifier: Apache-2.0
 * proximal.c -- FedProx (Li et al. 2020, Federated Optimization in Heterogeneous Networks): the training minimises
 * F(w) + mu/2 |w - w0|^2, where w0 are the values that it began with. */
#include <string.h>
#include "core/train/trainer.h"

void pf_proximal_start(peft_trainer *t)
{
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        if (s->start) memcpy(s->start, s->p->value.data, (size_t)s->count * sizeof *s->start);
    }
}

void pf_proximal_add(peft_trainer *t, int64_t passes)
{
    const double factor = t->proximal * (double)passes;
    for (size_t i = 0; i < t->trained_count && t->proximal > 0; i++) {
        const pf_trained *s = &t->trained[i];
        const pk_real *w = s->p->value.data;
        pk_real *g = s->p->grad.data;
        for (int64_t k = 0; k < s->count && !s->frozen; k++)
            g[k] = (pk_real)((double)g[k] + factor * ((double)w[k] - (double)s->start[k]));
    }
}
