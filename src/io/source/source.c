/* SPDX-License-Identifier: Apache-2.0
 * source.c -- io_source_open: opens a data set of any kind. */
#include "io/source/source.h"

peft_status io_source_open(const io_source *source, const io_place *at, peft_dataset **out)
{
    peft_dataset *d;
    if (!at->ctx || !at->path || !out)
        return io_fail(PEFT_E_INVALID, "data set: %s is NULL", !at->ctx ? "ctx" : at->path ? "out" : "path");
    peft_status s = io_dataset_new(at->ctx, &d);
    if (s) return s;
    s = source->open(at, d);
    if (s) peft_dataset_free(d);
    else *out = d;
    return s;
}
