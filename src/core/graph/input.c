/* SPDX-License-Identifier: Apache-2.0
 * input.c -- inputs of a graph: declared by name and shape while it is built, found by name once, and bound to data by
 * index before each run. */
#include <stdio.h>
#include <string.h>
#include "core/graph/exec.h"

int pf_input_find(const pf_graph *g, const char *name)
{
    for (int i = 0; i < g->inputs; i++) if (!strcmp(g->input[i].name, name)) return i;
    return -1;
}

/* Writes the names of all inputs, "images, labels"; returns text. */
static const char *input_names(const pf_graph *g, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < g->inputs && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s%s", i ? ", " : "", g->input[i].name);
    return text;
}

pf_val pf_input_add(pf_graph *g, const char *name, pf_shape shape, unsigned flags)
{
    const int existing = pf_input_find(g, name);
    if (g->status) return PF_NONE;
    if (existing >= 0) {
        const pf_input *in = &g->input[existing];
        if (in->flags == flags && pf_shape_equal(&pf_v(g, in->value)->shape, &shape)) return in->value;
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "input '%s': declared before with another shape or use", name));
    }
    if (!*name || strlen(name) >= sizeof g->input[0].name)
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "input '%.60s': expected a name of 1 to %zu characters", name,
                                        sizeof g->input[0].name - 1));
    if (g->inputs == PF_INPUTS_MAX)
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "input '%s': the graph has %d inputs already, the most that it "
                                        "can have", name, PF_INPUTS_MAX));
    const pf_val v = pf_value_new(g, PF_INPUT, shape);
    if (!pf_exists(v)) return v;
    pf_v(g, v)->input_index = g->inputs;
    pf_input *in = &g->input[g->inputs++];
    *in = (pf_input){ .value = v, .flags = flags };
    snprintf(in->name, sizeof in->name, "%s", name);
    return v;
}

/* A node that reads a column view of the input reads the input. */
bool pf_input_is_read(const pf_graph *g, int input)
{
    for (uint32_t i = 0; i < g->nodes && input >= 0; i++)
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_eq(pf_root(g, g->node[i].in[k]), g->input[input].value)) return true;
    return false;
}

peft_status pf_exec_find_input(const pf_exec *e, const char *name, int *input)
{
    char names[PF_INPUTS_MAX * (sizeof e->g.input[0].name + 2)];         /* 2: the separator */
    *input = pf_input_find(&e->g, name);
    if (*input >= 0) return PEFT_OK;
    return pf_fail(PEFT_E_NOTFOUND, "input '%.60s': the graph has no such input; it has %s", name,
                   e->g.inputs ? input_names(&e->g, names, sizeof names) : "none");
}

void pf_exec_bind_input(pf_exec *e, int input, const void *data)
{
    if (input >= 0) e->run.ptr[e->g.input[input].value.id] = (pk_real *)(uintptr_t)data;
}

peft_status pf_exec_check_inputs(const pf_exec *e)
{
    for (int i = 0; i < e->g.inputs; i++)
        if (e->reads[i] && !e->run.ptr[e->g.input[i].value.id])
            return pf_fail(PEFT_E_STATE, "input '%s': an operation reads it and no data was given for it",
                           e->g.input[i].name);
    return PEFT_OK;
}
