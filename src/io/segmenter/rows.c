/* SPDX-License-Identifier: Apache-2.0
 * rows.c -- the calls of a segmenter: memory for a band of rows, and the collection of all rows. */
#include "io/segmenter/segmenter.h"

int64_t peft_segmenter_tiles(const peft_segmenter *s, int64_t width, int64_t height)
{
    if (!s || width < 1 || height < 1) return 0;
    if (s->options.mode == IO_MODE_WHOLE) return 1;
    return io_tiles_along(s, s->width, width).count * io_tiles_along(s, s->height, height).count;
}

size_t peft_segmenter_memory(const peft_segmenter *s, int64_t width)
{
    if (!s || width < 1) return 0;
    const size_t pixel = (size_t)(s->classes + 1) * sizeof(float) + 1;        /* logits, weight and label */
    const size_t batch = s->options.mode == IO_MODE_WHOLE ? 1 : (size_t)s->predictor->batch;
    return (size_t)(s->height * width) * pixel + batch * (size_t)(s->rows * s->columns * s->classes) * sizeof(float);
}

peft_status peft_segmenter_rows(peft_segmenter *s, const peft_image *im, int with_probabilities, peft_segmenter_fn fn,
                                void *user)
{
    if (!s || !im || !fn)
        return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", !s ? "segmenter" : !im ? "image" : "fn");
    const io_emission e = { s, with_probabilities != 0, fn, user };
    io_band band = { .width = im->width, .classes = s->classes };
    const int64_t pixels = im->width <= INT64_MAX / 512 / s->height ? s->height * im->width : INT64_MAX;
    band.logits = io_alloc(s->ctx, pixels, (size_t)s->classes * sizeof(float));
    band.weight = io_alloc(s->ctx, pixels, sizeof(float));
    band.labels = io_alloc(s->ctx, pixels, 1);
    peft_status status = PEFT_OK;
    if (!band.logits || !band.weight || !band.labels) status = io_nomem("segmenter");
    else if (s->options.mode == IO_MODE_WHOLE) status = io_segment_whole(&e, im, &band);
    else status = io_segment_tiles(&e, im, &band);
    peft_sys_free(s->ctx, band.logits);
    peft_sys_free(s->ctx, band.weight);
    peft_sys_free(s->ctx, band.labels);
    return status;
}

/* Copies rows to the image that user is. */
static peft_status keep_labels(int64_t first, const peft_tensor *labels, const peft_tensor *probabilities, void *user)
{
    const peft_image *to = user;
    (void)probabilities;
    memcpy((uint8_t *)to->pixels + first * to->width, peft_tensor_cdata(labels), (size_t)peft_tensor_count(labels));
    return PEFT_OK;
}

peft_status peft_segmenter_labels(peft_segmenter *s, const peft_image *im, peft_image **labels)
{
    peft_image *to;
    if (!s || !im || !labels)
        return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", !s ? "segmenter" : !im ? "image" : "labels");
    if (!io_has_labels(s))
        return io_fail(PEFT_E_UNSUPPORTED, "segmenter: the model gives a probability for each of %lld classes (link "
                       "sigmoid), of which a pixel may have several; use peft_segmenter_targets",
                       (long long)s->classes);
    peft_status status = io_image_new(im->ctx, im->width, im->height, 1, IO_U8, &to);
    if (status) return status;
    status = peft_segmenter_rows(s, im, 0, keep_labels, to);
    if (status) peft_image_free(to);
    else *labels = to;
    return status;
}

/* Copies rows to the tensor [height, width, classes] that user is. */
static peft_status keep_probabilities(int64_t first, const peft_tensor *labels, const peft_tensor *probabilities,
                                      void *user)
{
    float *to = peft_tensor_data(user);
    (void)labels;
    const int64_t row = peft_tensor_dim(probabilities, 1) * peft_tensor_dim(probabilities, 2);
    memcpy(to + first * row, peft_tensor_cdata(probabilities), (size_t)peft_tensor_count(probabilities) * sizeof *to);
    return PEFT_OK;
}

peft_status io_check_map(const peft_segmenter *s, const peft_image *im, const peft_tensor *out, peft_dtype type)
{
    const bool fits = peft_tensor_ndim(out) == 3 && peft_tensor_dim(out, 0) == im->height &&
                      peft_tensor_dim(out, 1) == im->width && peft_tensor_dim(out, 2) == s->classes;
    char given[IO_TENSOR_TEXT];
    if (fits && peft_tensor_dtype(out) == type) return PEFT_OK;
    return io_fail(peft_tensor_dtype(out) == type ? PEFT_E_SHAPE : PEFT_E_DTYPE, "segmenter: out: given %s, expected "
                   "%s [%lld, %lld, %lld], height and width of the image and the classes of the model",
                   io_tensor_text(out, given), io_dtype_name(type), (long long)im->height, (long long)im->width,
                   (long long)s->classes);
}

peft_status peft_segmenter_probabilities(peft_segmenter *s, const peft_image *im, peft_tensor *out)
{
    if (!s || !im || !out)
        return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", !s ? "segmenter" : !im ? "image" : "out");
    const peft_status status = io_check_map(s, im, out, PEFT_F32);
    return status ? status : peft_segmenter_rows(s, im, 1, keep_probabilities, out);
}
