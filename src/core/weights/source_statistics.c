/* SPDX-License-Identifier: Apache-2.0
 * source_statistics.c -- memory of the statistics of training images that models and merged backbones hold. */
#include <string.h>
#include "core/weights/backbone.h"

void pf_source_free(pf_source_statistics *s, peft_context *ctx)
{
    pf_free(ctx, s->mean);
    *s = (pf_source_statistics){ 0 };
}

peft_status pf_source_make(pf_source_statistics *s, peft_context *ctx, int64_t depth, int64_t width)
{
    const size_t count = (size_t)(depth * width);
    *s = (pf_source_statistics){ .depth = depth, .width = width };
    s->mean = pf_alloc_zero(ctx, 2 * count * sizeof(double));
    if (!s->mean) return pf_nomem("statistics of training images", 2 * count * sizeof(double));
    s->deviation = s->mean + count;
    return PEFT_OK;
}

peft_status pf_source_copy(pf_source_statistics *s, peft_context *ctx, const pf_source_statistics *from)
{
    PF_TRY(pf_source_make(s, ctx, from->depth, from->width));
    memcpy(s->mean, from->mean, 2 * (size_t)(from->depth * from->width) * sizeof(double));
    s->images = from->images;
    s->model_checksum = from->model_checksum;
    return PEFT_OK;
}

bool pf_source_any(const pf_source_statistics s[PF_SOURCES])
{
    for (int i = 0; i < PF_SOURCES; i++) if (s[i].images) return true;
    return false;
}
