/* SPDX-License-Identifier: Apache-2.0
 * values.c -- the options that all kinds have, and the values of an adaptor's options. */
#include <string.h>
#include "core/tta/adaptor.h"

const pf_opt pf_tta_common[] = {
    { "kind", 's', "tent", 0, 0, "what is adapted and how; peft_adaptor_kind_name lists the kinds" },
    { "batch", 'i', "64", 1, 65536, "largest number of images in a call" },
    { "threads", 'i', "0", 0, 1024, "threads that compute; 0: the context's number" },
    PF_COMPILE_OPTIONS,
    { 0 } };

const pf_opt *pf_tta_row(const pf_opt *table, const char *name)
{
    for (; table && table->name; table++) if (!strcmp(table->name, name)) return table;
    return NULL;
}

const pf_opt *pf_tta_table(const peft_adaptor *a, const char *name)
{
    return pf_tta_row(pf_tta_common, name) ? pf_tta_common : a->kind->options;
}

peft_status pf_tta_compile_options(const peft_adaptor *a, pf_compile_spec *spec)
{
    return pf_compile_options(a->options, pf_tta_common, spec);
}
