/* SPDX-License-Identifier: Apache-2.0
 * compile.c -- runs the table of passes on a graph, without those that the compile settings name (`without`). */
#include <stdio.h>
#include "core/graph/passes/passes.h"
#include "core/options/options.h"

/* The words that passes.def uses for pf_pass.required and pf_pass.exact; the first of each pair is false. */
enum { PF_OPTIONAL, PF_REQUIRED };
enum { PF_ROUNDED, PF_EXACT };
const pf_pass pf_passes[] = {
#define PF_PASS(name, function, phase, required, exact) { #name, function, phase, required, exact },
#include "core/graph/passes/passes.def"
#undef PF_PASS
    { 0 } };

static const char all_in_int8[] = "int8_all";

peft_status pf_compute_parse(const char *name, pf_compile_spec *spec)
{
    const bool all = !strcmp(name, all_in_int8);
    for (int i = 0; i < PK_COMPUTES; i++)
        if (!strcmp(all ? "int8" : name, pk_compute_name((pk_compute)i))) {
            spec->compute = (pk_compute)i;
            spec->int8_least = all ? 0 : PF_INT8_LEAST;
            return PEFT_OK;
        }
    return pf_fail(PEFT_E_OPTION, "compute: given '%s', expected f32, bf16x3, bf16, int8 or int8_all", name);
}

const char *pf_compute_name(const pf_compile_spec *spec)
{
    if (spec->compute == PK_COMPUTE_INT8 && !spec->int8_least) return all_in_int8;
    return pk_compute_name(spec->compute);
}

/* Checks that every name in the list (names between commas; NULL: none) is that of an optional pass. */
static peft_status check_without(const char *list)
{
    size_t length;
    for (const char *p = list; p && *p; p += length + (p[length] == ',')) {        /* the next name, after the comma */
        const pf_pass *pass = pf_passes;
        char known[256] = "";
        size_t used = 0;
        length = strcspn(p, ",");
        while (pass->name && !(length == strlen(pass->name) && !strncmp(p, pass->name, length))) pass++;
        if (pass->name && !pass->required) continue;
        if (pass->name)
            return pf_fail(PEFT_E_INVALID, "pass '%s' is required: a graph cannot be compiled without it", pass->name);
        for (pass = pf_passes; pass->name && used < sizeof known; pass++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", pass->name);
        return pf_fail(PEFT_E_NOTFOUND, "pass '%.*s': no pass has this name, expected one of %s", (int)length, p,
                       known);
    }
    return PEFT_OK;
}

/* Runs the passes of a phase. A pass reports an error by its status and by g->status, which ends the loop. */
static void run_phase(pf_graph *g, pf_phase phase)
{
    for (const pf_pass *p = pf_passes; p->name && !g->status; p++)
        if (p->phase == phase && !pf_find_word(g->spec.without, p->name, ',')) p->run(g);
}

peft_status pf_compile(pf_graph *g, pf_val loss)
{
    if (g->status) return g->status;
    g->status = check_without(g->spec.without);
    g->loss = loss;
    for (int phase = 0; phase < PF_MEMORY; phase++) run_phase(g, (pf_phase)phase);
    return g->status;
}

peft_status pf_compile_memory(pf_graph *g)
{
    run_phase(g, PF_MEMORY);
    return g->status;
}
