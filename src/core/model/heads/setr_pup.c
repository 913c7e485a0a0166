/* SPDX-License-Identifier: Apache-2.0
 * setr_pup.c -- the progressive decoder of SETR (Zheng et al., CVPR 2021): four stages of a convolution of 3 x 3 to
 * head_width columns, batch norm and ReLU, each of the first three followed by an enlargement by two; then a linear
 * layer to the classes, and the enlargement of the logits to the image, as in the authors' program. As mmsegmentation
 * builds it: no dropout, no bias before the batch norm; without its auxiliary heads.
 *
 * mmsegmentation: the other order, the last enlargement before the linear layer. Both are linear, the one over columns
 * and the other over pixels with weights that add up to 1, so that the results differ only by rounding; here the last
 * map has `classes` columns instead of head_width. The last enlargement goes to the image's size, which is 16 times
 * that of the map of patches only with patches of 16 pixels. No map is larger than the image. */
#include <stdio.h>
#include "core/model/model.h"

enum { STAGES = 4, KERNEL = 3, STEM = 64 };
static const char *stem_of(int stage, char stem[STEM])
{
    snprintf(stem, STEM, "head.up.%d", stage);
    return stem;
}

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    const int64_t width = pf_head_width(m);
    char stem[STEM];
    for (int i = 0; i < STAGES; i++)
        PF_TRY(pf_head_add_conv(m, stem_of(i, stem), width, i ? width : m->backbone->shape.width, KERNEL, init,
                                source));
    return pf_head_add_classifier(m, width, init, source);
}

static int64_t twice(int64_t n, int64_t limit) { return 2 * n < limit ? 2 * n : limit; }

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    const pf_grid pixels = pf_head_pixels(m);
    pf_grid size = pf_head_patches(m);
    pf_val y = x[0];
    char stem[STEM];
    for (int i = 0; i < STAGES; i++) {
        const pf_grid next = { twice(size.h, pixels.h), twice(size.w, pixels.w) };
        y = pf_head_conv_of(m, g, y, size, stem_of(i, stem));
        if (i == STAGES - 1) break;
        y = pf_upsample(g, y, size.h, size.w, next.h, next.w);
        size = next;
    }
    return pf_head_enlarged(m, g, pf_head_classifier_of(m, g, y), size);
}

const pf_head pf_head_setr_pup = { .name = "setr_pup", .options = "head head_init head_width",
    .reads = PF_READS_PATCHES, .of = PF_OF_PIXELS, .declare = declare, .emit = emit };
