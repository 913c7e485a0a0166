/* SPDX-License-Identifier: Apache-2.0
 * predictor.h -- the struct behind peft_predictor: a session or an adaptor, the transform of its images, and memory
 * that is reused between calls. */
#ifndef IO_PREDICTOR_H
#define IO_PREDICTOR_H
#include <peft/adaptor.h>
#include <peft/predictor.h>
#include "io/image/image.h"
#include "io/predictor/blocks.h"

/* Images of equal geometry need temporary memory blocks of equal sizes while they are prepared, except for alpha. */
typedef struct io_geometry { int64_t width, height; int channels, depth; } io_geometry;

struct peft_predictor {
    peft_context *ctx;
    peft_session *session;                                    /* NULL: adaptor predicts */
    peft_adaptor *adaptor;                                    /* borrowed; NULL: session predicts */
    peft_transform *transform;
    bool multi_label;                                         /* the model's link is sigmoid, else softmax */
    int64_t batch, height, width;                             /* images in a batch; the model's input in pixels */
    int ndim;                                                 /* the shape of one image's logits: dim[ndim] */
    int64_t dim[PEFT_MAX_DIMS];
    peft_tensor *input;                                       /* [batch, 3, height, width] */
    io_blocks blocks;                                         /* keeps freed memory for the next image */
    peft_context *temporary;                                  /* of objects that live in one call; uses blocks */
    io_geometry last_geometry;                                /* of the image that was prepared last */
};

/* What a predictor or segmenter runs: one of the two, the other is NULL. An adaptor adapts to each batch that it
 * predicts. */
typedef struct io_runner { peft_session *session; peft_adaptor *adaptor; } io_runner;
/* As peft_predictor_create; with an adaptor the predictor has no probabilities. */
peft_status io_predictor_create(io_runner r, peft_transform *transform, peft_predictor **out);
const peft_model *io_runner_model(io_runner r);
/* Predicts prepared images [n, 3, height, width], n up to the batch: peft_session_predict or peft_adaptor_predict. */
peft_status io_predictor_logits(peft_predictor *p, const peft_tensor *images, peft_tensor *logits);
#endif
