/* SPDX-License-Identifier: Apache-2.0
 * predictor.h -- the struct behind peft_predictor. */
#ifndef IO_PREDICTOR_H
#define IO_PREDICTOR_H
#include <peft/predictor.h>
#include "io/image/image.h"
#include "io/predictor/blocks.h"

/* What decides the sizes of all temporary objects that preparing an image takes, but for its alpha. */
typedef struct io_geometry { int64_t width, height; int channels, depth; } io_geometry;

struct peft_predictor {
    peft_context *ctx;
    peft_session *session;
    peft_transform *transform;
    bool multi_label;                                         /* the link is sigmoid */
    int64_t batch, side;                                      /* of the session; of the model's images */
    int ndim;                                                 /* extents of one image's logits */
    int64_t dim[PEFT_MAX_DIMS];
    peft_tensor *input;                                       /* [batch, 3, side, side] */
    io_blocks blocks;
    peft_context *temporary;                                  /* of objects that a call makes and frees; from blocks */
    io_geometry last;                                         /* of the image that was prepared last */
};
#endif
