/* SPDX-License-Identifier: Apache-2.0
 * source.c -- io_source_open: checks the arguments and opens a data set of a given kind. */
#include "io/source/source.h"

peft_status io_source_open(const io_source *source, const io_open_arguments *a, peft_dataset **out)
{
    peft_dataset *d;
    if (!a->ctx || !a->path || !out)
        return io_fail(PEFT_E_INVALID, "data set: %s is NULL", !a->ctx ? "ctx" : a->path ? "out" : "path");
    peft_status s = io_dataset_new(a->ctx, &d);
    if (s) return s;
    s = source->open(a, d);
    if (s) peft_dataset_free(d);
    else *out = d;
    return s;
}
