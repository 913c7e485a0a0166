/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- the predicting calls of a predictor: check the caller's tensors, transform the images batch by batch,
 * and run the session. */
#include <stdio.h>
#include "io/predictor/predictor.h"

/* What a call writes for each image. */
typedef enum result_kind { LOGITS, PROBABILITIES } result_kind;

/* The arguments of one call: pixels [n,h,w,c] or, where that is NULL, n images; out receives logits or
 * probabilities. */
typedef struct call {
    const peft_tensor *pixels;
    int depth;                                                /* of pixels: as for peft_image_from_buffer */
    const peft_image *const *images;
    int64_t n;
    result_kind result;
    peft_tensor *out;
} call;

/* Checks the shape and type of pixels; *depth: as for peft_image_from_buffer. */
static peft_status check_pixels(const peft_tensor *t, int *depth)
{
    static const struct { peft_dtype type; int depth; } rows[] = {
        { PEFT_U8, 8 }, { PEFT_U16, 16 }, { PEFT_I16, PEFT_SIGNED_16 }, { PEFT_F32, PEFT_FLOAT_32 } };
    const int64_t channels = peft_tensor_dim(t, 3);
    char given[IO_TENSOR_TEXT];
    if (!t) return io_fail(PEFT_E_INVALID, "predictor: pixels is NULL");
    if (peft_tensor_ndim(t) != 4 || (channels != 1 && channels != 3) || !peft_tensor_count(t))
        return io_fail(PEFT_E_SHAPE, "predictor: pixels: given %s, expected [n, height, width, channels] with 1 "
                       "channel (grey) or 3 (RGB), and no extent of 0", io_tensor_text(t, given));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == peft_tensor_dtype(t)) {
            *depth = rows[i].depth;
            return PEFT_OK;
        }
    return io_fail(PEFT_E_DTYPE, "predictor: pixels: given %s, expected u8, u16, i16 or f32", io_tensor_text(t, given));
}

/* Checks the shape and type of the tensor for the results: [n, the shape of one image's logits]. */
static peft_status check_out(const peft_predictor *p, const call *c)
{
    const char *argument = c->result == PROBABILITIES ? "probabilities" : "logits";
    char expected[160], given[IO_TENSOR_TEXT];
    size_t used = (size_t)snprintf(expected, sizeof expected, "[%lld", (long long)c->n);
    if (!c->out) return io_fail(PEFT_E_INVALID, "predictor: %s is NULL", argument);
    if (peft_tensor_dtype(c->out) != PEFT_F32)
        return io_fail(PEFT_E_DTYPE, "predictor: %s: given %s, expected f32", argument, io_tensor_text(c->out, given));
    bool fits = peft_tensor_ndim(c->out) == p->ndim + 1 && peft_tensor_dim(c->out, 0) == c->n;
    for (int i = 0; i < p->ndim; i++) {
        fits = fits && peft_tensor_dim(c->out, i + 1) == p->dim[i];
        used += (size_t)snprintf(expected + used, sizeof expected - used, ", %lld", (long long)p->dim[i]);
    }
    return fits ? PEFT_OK
                : io_fail(PEFT_E_SHAPE, "predictor: %s: given %s, expected f32 %s]", argument,
                          io_tensor_text(c->out, given), expected);
}

/* Makes image i of the call under p->temporary, so that the memory of its transform comes from p->blocks. Where it has
 * another geometry than the image before it, the free blocks have the wrong sizes and are freed. */
static peft_status make_image(peft_predictor *p, const call *c, int64_t i, peft_image **out)
{
    const peft_tensor *t = c->pixels;
    const peft_image *im = t ? NULL : c->images[i];
    if (!t && !im) return io_fail(PEFT_E_INVALID, "predictor: the image is NULL");
    const io_geometry geometry =
        t ? (io_geometry){ peft_tensor_dim(t, 2), peft_tensor_dim(t, 1), (int)peft_tensor_dim(t, 3), c->depth }
          : (io_geometry){ im->width, im->height, im->channels, peft_image_depth(im) };
    const io_geometry *last = &p->last_geometry;
    if (geometry.width != last->width || geometry.height != last->height || geometry.channels != last->channels ||
        geometry.depth != last->depth)
        io_blocks_clear(&p->blocks);
    p->last_geometry = geometry;
    if (im) return io_image_copy(p->temporary, im, out);
    const size_t sample_bytes = geometry.depth == 8 ? 1 : geometry.depth == PEFT_FLOAT_32 ? 4 : 2;
    const size_t bytes = (size_t)(geometry.width * geometry.height * geometry.channels) * sample_bytes;
    return peft_image_from_buffer(p->temporary, (const uint8_t *)peft_tensor_cdata(t) + (size_t)i * bytes,
                                  geometry.width, geometry.height, geometry.channels, geometry.depth, IO_NO_GAPS, out);
}

/* Transforms images first..first + count - 1 of the call into p->input. */
static peft_status prepare_batch(peft_predictor *p, const call *c, int64_t first, int64_t count)
{
    float *input = peft_tensor_data(p->input);
    for (int64_t k = 0; k < count; k++) {
        peft_image *im;
        peft_status s = make_image(p, c, first + k, &im);
        if (!s) {
            s = peft_transform_apply(p->transform, im, input + k * 3 * p->height * p->width);
            peft_image_free(im);
        }
        if (s) {
            char place[40];
            snprintf(place, sizeof place, "image %lld of the call", (long long)(first + k));
            return io_fail_in(s, place);
        }
    }
    return PEFT_OK;
}

peft_status io_predictor_logits(peft_predictor *p, const peft_tensor *images, peft_tensor *logits)
{
    return p->adaptor ? peft_adaptor_predict(p->adaptor, images, logits)
                      : peft_session_predict(p->session, images, logits);
}

/* Runs session or adaptor on the first count images of p->input; writes rows first..first + count - 1 of c->out. */
static peft_status predict_batch(peft_predictor *p, const call *c, int64_t first, int64_t count)
{
    float *results = peft_tensor_data(c->out);
    peft_tensor *input = NULL, *out = NULL;
    int64_t dim[PEFT_MAX_DIMS] = { count }, per_image = 1;      /* per_image: logits of one image */
    for (int i = 0; i < p->ndim; i++) {
        dim[i + 1] = p->dim[i];
        per_image *= p->dim[i];
    }
    peft_status s = peft_tensor_wrap(p->temporary, PEFT_F32, 4, (int64_t[]){ count, 3, p->height, p->width },
                                     peft_tensor_data(p->input), &input);
    if (!s) s = peft_tensor_wrap(p->temporary, PEFT_F32, p->ndim + 1, dim, results + first * per_image, &out);
    if (!s) s = c->result == PROBABILITIES ? peft_session_probabilities(p->session, input, p->multi_label, out)
                                           : io_predictor_logits(p, input, out);
    peft_tensor_free(input);
    peft_tensor_free(out);
    if (!s || first == 0) return s;                           /* messages count images from the first of the batch */
    char place[80];
    snprintf(place, sizeof place, "in the batch of images %lld to %lld", (long long)first,
             (long long)(first + count - 1));
    return io_fail_in(s, place);
}

/* A NaN or infinite logit does not stop the call: the other batches are predicted too, and the first such failure is
 * reported at the end. */
static peft_status predict(peft_predictor *p, const call *c)
{
    char message[1024];
    peft_status nonfinite = PEFT_OK, s = check_out(p, c);
    for (int64_t first = 0; first < c->n && !s; first += p->batch) {
        const int64_t count = c->n - first < p->batch ? c->n - first : p->batch;
        if ((s = prepare_batch(p, c, first, count))) break;
        s = predict_batch(p, c, first, count);
        if (s != PEFT_E_NONFINITE) continue;
        if (!nonfinite) snprintf(message, sizeof message, "%s", peft_last_error());
        nonfinite = s;
        s = PEFT_OK;
    }
    return s || !nonfinite ? s : io_fail(nonfinite, "%s", message);
}

/* The calls with pixels [n,h,w,c]; the functions below say what to write. */
static peft_status predict_pixels(peft_predictor *p, const peft_tensor *pixels, result_kind result, peft_tensor *out)
{
    call c = { .pixels = pixels, .n = peft_tensor_dim(pixels, 0), .result = result, .out = out };
    if (!p) return io_fail(PEFT_E_INVALID, "predictor is NULL");
    const peft_status s = check_pixels(pixels, &c.depth);
    return s ? s : predict(p, &c);
}

/* The same for the calls with n images. */
static peft_status predict_images(peft_predictor *p, const peft_image *const *images, int64_t n, result_kind result,
                                  peft_tensor *out)
{
    const call c = { .images = images, .n = n, .result = result, .out = out };
    if (!p || !images) return io_fail(PEFT_E_INVALID, "predictor%s is NULL", p ? ": images" : "");
    if (n < 1) return io_fail(PEFT_E_INVALID, "predictor: %lld images, expected 1 or more", (long long)n);
    return predict(p, &c);
}

peft_status peft_predictor_pixels(peft_predictor *p, const peft_tensor *pixels, peft_tensor *logits)
{
    return predict_pixels(p, pixels, LOGITS, logits);
}

peft_status peft_predictor_pixels_probabilities(peft_predictor *p, const peft_tensor *pixels,
                                                peft_tensor *probabilities)
{
    return predict_pixels(p, pixels, PROBABILITIES, probabilities);
}

peft_status peft_predictor_images(peft_predictor *p, const peft_image *const *images, int64_t n, peft_tensor *logits)
{
    return predict_images(p, images, n, LOGITS, logits);
}

peft_status peft_predictor_images_probabilities(peft_predictor *p, const peft_image *const *images, int64_t n,
                                                peft_tensor *probabilities)
{
    return predict_images(p, images, n, PROBABILITIES, probabilities);
}
