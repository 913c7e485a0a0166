/* SPDX-License-Identifier: Apache-2.0
 * predictions.c -- the loop that predicts the images of a data set (predictions.h). */
#include "predictions.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/ranks/ranks.h"
#include <stdio.h>
#include <stdlib.h>

/* A batch of images and their results. */
typedef struct prediction_batch {
    peft_context *ctx;                                        /* of the tensors */
    peft_session *session;
    const peft_dataset *data;
    peft_tensor *images;                                      /* [batch, 3, height, width] */
    float *result;                                            /* [batch, classes] */
    image_sides sides;
    int64_t classes;
} prediction_batch;

/* Predicts images first .. first + count - 1 of the batch to their rows of b->result. */
static peft_status predict_some(const prediction_batch *b, int64_t first, int64_t count)
{
    const int64_t h = b->sides.height, w = b->sides.width;
    float *image = (float *)peft_tensor_data(b->images) + first * 3 * h * w, *result = b->result + first * b->classes;
    peft_tensor *some, *out;
    must(peft_tensor_wrap(b->ctx, PEFT_F32, 4, (int64_t[]){ count, 3, h, w }, image, &some));
    must(peft_tensor_wrap(b->ctx, PEFT_F32, 2, (int64_t[]){ count, b->classes }, result, &out));
    const peft_status status = peft_session_probabilities(b->session, some, peft_dataset_multilabel(b->data), out);
    peft_tensor_free(some);
    peft_tensor_free(out);
    return status;
}

/* Sets the error of a batch whose outputs are not all finite: each of its images is predicted again to find the first
 * one. sample: its number in the data set is that of the batch's first image, and so on. */
static peft_status name_image(const prediction_batch *b, int64_t sample, int64_t count)
{
    int64_t k = 0;
    char *text;
    while (k < count - 1 && predict_some(b, k, 1) != PEFT_E_NONFINITE) k++;
    if (asprintf(&text, "%s: the model's output is NaN or infinite; train with a smaller learning rate",
                 peft_dataset_name(b->data, sample + k)) < 0)
        fail("out of memory");
    const peft_status status = peft_set_error(PEFT_E_NONFINITE, text);
    free(text);
    return status;
}

/* predict_images for the batches [first, end) of the loader. */
static peft_status predict_batches(peft_session *s, peft_loader *loader, const peft_dataset *d, const int64_t *row,
                                   int64_t first, int64_t end, double *scores)
{
    const int64_t batch = peft_loader_batch_size(loader), only_epoch = 0;
    const peft_backbone *vit = peft_model_backbone(peft_session_model(s));
    prediction_batch b = { .ctx = peft_backbone_context(vit), .session = s, .data = d,
                           .sides = backbone_sides(vit), .classes = peft_dataset_classes(d) };
    peft_status status = PEFT_OK;
    must(peft_tensor_create(b.ctx, PEFT_F32, 4, (int64_t[]){ batch, 3, b.sides.height, b.sides.width }, &b.images));
    b.result = check_alloc(malloc((size_t)(batch * b.classes) * sizeof *b.result));
    for (int64_t i = first, n; i < end && !status && !stop_requested; i++) {
        must(peft_loader_read(loader, only_epoch, i, b.images, NULL, NULL, &n));
        status = predict_some(&b, 0, n);
        if (status == PEFT_E_NONFINITE) status = name_image(&b, i * batch, n);
        for (int64_t k = 0; k < n && !status; k++)
            for (int64_t c = 0; c < b.classes; c++)
                scores[(row ? row[i * batch + k] : i * batch + k) * b.classes + c] = b.result[k * b.classes + c];
    }
    peft_tensor_free(b.images);
    free(b.result);
    return status;
}

peft_status predict_images(peft_session *s, peft_loader *loader, const peft_dataset *d, const int64_t *row,
                           double *scores)
{
    return predict_batches(s, loader, d, row, 0, peft_loader_batches(loader), scores);
}

double *predict_set(peft_session *s, peft_dataset *d, peft_transform *t)
{
    const int64_t n = peft_dataset_count(d), classes = peft_dataset_classes(d);
    int64_t first = 0, count = n;                                         /* the images that this rank predicts */
    if (ranks.part) ranks.part(n, &first, &count);
    peft_loader *loader;
    double *scores = check_alloc(malloc((size_t)(n * classes) * sizeof *scores));
    must(peft_loader_create(d, t, "batch=1,cache=0", &loader));           /* each image is needed once */
    must(predict_batches(s, loader, d, NULL, first, first + count, scores));
    peft_loader_free(loader);
    peft_context *ctx = peft_backbone_context(peft_model_backbone(peft_session_model(s)));
    if (ranks.gather ? ranks.gather(ctx, scores, n, classes, !stop_requested) : !stop_requested) return scores;
    free(scores);
    return NULL;
}
