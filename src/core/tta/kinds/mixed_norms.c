/* SPDX-License-Identifier: Apache-2.0
 * mixed_norms.c -- batch norms by mixed statistics, and their discrepancy as a loss. */
#include "core/tta/kinds/mixed_norms.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR };      /* in: the inputs of pf_op_batchnorm */

pf_val pf_mixed_norms_emit(pf_mixed_norms *m, pf_graph *g, const pf_val *in, double eps, bool relu)
{
    enum { MEAN, VAR, DEVIATION, STATISTICS };           /* the outputs of pf_op_mixed_statistics */
    pf_val mixed[STATISTICS];
    if (m->count == PF_MIXED_NORMS_MAX)
        return pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "the head has more than %d batch norms", PF_MIXED_NORMS_MAX));
    const pf_val from[] = { in[X], in[RUNNING_MEAN], in[RUNNING_VAR], pf_tta_constant(g, &m->share, 1) };
    if (!pf_exists(pf_emit(g, &pf_op_mixed_statistics, NULL, 4, from))) return PF_NONE;
    for (int i = 0; i < STATISTICS; i++) mixed[i] = g->node[g->nodes - 1].out[i];
    m->norm[m->count].x = in[X];
    m->norm[m->count].mean = mixed[MEAN];
    m->norm[m->count++].deviation = mixed[DEVIATION];
    return pf_batchnorm(g, (pf_val[]){ in[X], in[GAMMA], in[BETA], mixed[MEAN], mixed[VAR] }, eps, 0, relu);
}

void pf_mixed_norms_finish(pf_mixed_norms *m, pf_graph *g, const char *head)
{
    const int count = m->count;
    m->count = 0;                                        /* for the next graph that is built */
    if (g->status) return;
    if (!count)
        pf_graph_fail(g, pf_fail(PEFT_E_UNSUPPORTED, "align=batch_norm: the head '%s' has no batch norm; expected "
                                 "align=tokens, or a head with batch norms, such as setr_pup", head));
    for (int i = 0; i < count; i++)
        pf_loss_add(g, peft_sys_discrepancy(g, m->norm[i].x, m->norm[i].mean, m->norm[i].deviation, "absolute"),
                    1.0 / count);
}
