/* SPDX-License-Identifier: Apache-2.0
 * whole.c -- segments an image that is resized as a whole (mode=whole). */
#include "io/segmenter/segmenter.h"

/* The transform must let the model see the image up to its borders: within one pixel of the input. */
static peft_status check_box(const peft_segmenter *s, int64_t width, int64_t height, const double box[4])
{
    const double x = (box[2] - box[0]) / (double)s->width, y = (box[3] - box[1]) / (double)s->height;
    if (box[0] <= x && box[1] <= y && box[2] >= (double)width - x && box[3] >= (double)height - y)
        return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "segmenter: of an image of %lldx%lld pixels (height x width) the transform "
                   "keeps rows %.0f to %.0f and columns %.0f to %.0f, and the model cannot know what lies outside; use "
                   "a transform with resize=squash,crop_pct=1 or resize=longest, or mode=tiles", (long long)height,
                   (long long)width, box[1], box[3], box[0], box[2]);
}

peft_status io_check_whole(const peft_segmenter *s, int64_t width, int64_t height, double box[4])
{
    const peft_status status = peft_transform_box(s->transform, width, height, box);
    return status ? status : check_box(s, width, height, box);
}

/* Interpolates the rows of the image from the logits and emits them, as many as the band has room for at a time. */
static peft_status interpolate_rows(const io_emission *e, const peft_image *im, io_band *band, const float *logits,
                                    const io_between *rows, const io_between *columns)
{
    const peft_segmenter *s = e->s;
    peft_status status = PEFT_OK;
    for (band->first = 0; band->first < im->height && !status; band->first += s->height) {
        const int64_t left = im->height - band->first, count = left < s->height ? left : s->height;
        for (int64_t i = 0; i < count * im->width; i++)
            io_interpolate(logits, s->columns, s->classes, rows + band->first + i / im->width, columns + i % im->width,
                           band->logits + i * s->classes);
        status = io_emit(e, band, band->first, count);
    }
    return status;
}

/* The logits of the image. Without the predictor, which would copy the image. */
static peft_status predict(peft_segmenter *s, const peft_image *im, float *logits)
{
    peft_tensor *input = NULL, *out = NULL;
    float *prepared = peft_tensor_data(s->predictor->input);
    peft_status status = peft_transform_apply(s->transform, im, prepared);
    if (!status) status = peft_tensor_wrap(s->ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, s->height, s->width },
                                           prepared, &input);
    if (!status) status = peft_tensor_wrap(s->ctx, PEFT_F32, 4, (int64_t[]){ 1, s->rows, s->columns, s->classes },
                                           logits, &out);
    if (!status) status = io_predictor_logits(s->predictor, input, out);
    peft_tensor_free(input);
    peft_tensor_free(out);
    return status;
}

peft_status io_segment_whole(const io_emission *e, const peft_image *im, io_band *band)
{
    peft_segmenter *s = e->s;
    double box[4];
    peft_status status = io_check_whole(s, im->width, im->height, box);
    if (status) return status;
    float *logits = io_alloc(s->ctx, s->rows * s->columns * s->classes, sizeof *logits);
    io_between *rows = io_alloc(s->ctx, im->height + im->width, sizeof *rows);
    status = logits && rows ? predict(s, im, logits) : io_nomem("segmenter");
    if (!status) {
        io_between_fill(rows, im->height, box[1], (double)s->rows / (box[3] - box[1]), s->rows);
        io_between_fill(rows + im->height, im->width, box[0], (double)s->columns / (box[2] - box[0]), s->columns);
        status = interpolate_rows(e, im, band, logits, rows, rows + im->height);
    }
    peft_sys_free(s->ctx, rows);
    peft_sys_free(s->ctx, logits);
    return status;
}
