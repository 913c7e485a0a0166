/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- runs a predictor: checks the caller's tensors, prepares images batch by batch, calls the session. */
#include <stdio.h>
#include "io/predictor/predictor.h"

/* The images of one call: pixels [n,h,w,c], or, where that is NULL, n images; and where the predictions go. */
typedef struct call {
    const peft_tensor *pixels;
    int depth;                                                /* of pixels, as in peft_image_from_buffer */
    const peft_image *const *images;
    int64_t n;
    bool probabilities;
    peft_tensor *out;
} call;

static peft_status check_pixels(const peft_tensor *t, int *depth)
{
    static const struct { peft_dtype type; int depth; } rows[] = {
        { PEFT_U8, 8 }, { PEFT_U16, 16 }, { PEFT_I16, PEFT_SIGNED_16 }, { PEFT_F32, PEFT_FLOAT_32 } };
    const int64_t channels = peft_tensor_dim(t, 3);
    if (!t) return io_fail(PEFT_E_INVALID, "predictor: pixels is NULL");
    if (peft_tensor_ndim(t) != 4 || (channels != 1 && channels != 3) || !peft_tensor_count(t))
        return io_fail(PEFT_E_SHAPE, "predictor: pixels have %d extents, the last is %lld; expected [n, height, "
                       "width, channels] with 1 channel (grey) or 3 (RGB), and no extent of 0", peft_tensor_ndim(t),
                       (long long)peft_tensor_dim(t, peft_tensor_ndim(t) - 1));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == peft_tensor_dtype(t)) {
            *depth = rows[i].depth;
            return PEFT_OK;
        }
    return io_fail(PEFT_E_DTYPE, "predictor: pixels have type %d of peft_dtype; expected PEFT_U8, PEFT_U16, PEFT_I16 "
                   "or PEFT_F32", (int)peft_tensor_dtype(t));
}

static peft_status check_out(const peft_predictor *p, const call *c)
{
    const char *what = c->probabilities ? "probabilities" : "logits";
    char wanted[160];
    size_t at = (size_t)snprintf(wanted, sizeof wanted, "[%lld", (long long)c->n);
    if (!c->out) return io_fail(PEFT_E_INVALID, "predictor: %s is NULL", what);
    if (peft_tensor_dtype(c->out) != PEFT_F32)
        return io_fail(PEFT_E_DTYPE, "predictor: %s have type %d of peft_dtype; expected PEFT_F32", what,
                       (int)peft_tensor_dtype(c->out));
    bool fits = peft_tensor_ndim(c->out) == p->ndim + 1 && peft_tensor_dim(c->out, 0) == c->n;
    for (int i = 0; i < p->ndim; i++) {
        fits = fits && peft_tensor_dim(c->out, i + 1) == p->dim[i];
        at += (size_t)snprintf(wanted + at, sizeof wanted - at, ", %lld", (long long)p->dim[i]);
    }
    return fits ? PEFT_OK : io_fail(PEFT_E_SHAPE, "predictor: %s have other extents than expected: %s]", what, wanted);
}

/* Image i of the call as an object of p->temporary, in whose memory the transform then works. Blocks that wait are of
 * use for an image of the last one's geometry. */
static peft_status take_image(peft_predictor *p, const call *c, int64_t i, peft_image **out)
{
    const peft_tensor *t = c->pixels;
    const peft_image *im = t ? NULL : c->images[i];
    if (!t && !im) return io_fail(PEFT_E_INVALID, "predictor: the image is NULL");
    const io_geometry now = t ? (io_geometry){ peft_tensor_dim(t, 2), peft_tensor_dim(t, 1),
                                               (int)peft_tensor_dim(t, 3), c->depth }
                              : (io_geometry){ im->width, im->height, im->channels, peft_image_depth(im) };
    if (now.width != p->last.width || now.height != p->last.height || now.channels != p->last.channels ||
        now.depth != p->last.depth)
        io_blocks_trim(&p->blocks);
    p->last = now;
    if (im) return io_image_copy(p->temporary, im, out);
    const size_t sample = now.depth == 8 ? 1 : now.depth == PEFT_FLOAT_32 ? 4 : 2;
    const size_t bytes = (size_t)(now.width * now.height * now.channels) * sample;
    return peft_image_from_buffer(p->temporary, (const uint8_t *)peft_tensor_cdata(t) + (size_t)i * bytes, now.width,
                                  now.height, now.channels, now.depth, 0, out);
}

static peft_status prepare(peft_predictor *p, const call *c, int64_t first, int64_t count)
{
    float *input = peft_tensor_data(p->input);
    for (int64_t k = 0; k < count; k++) {
        peft_image *im;
        peft_status s = take_image(p, c, first + k, &im);
        if (!s) {
            s = peft_transform_apply(p->transform, im, input + k * 3 * p->side * p->side);
            peft_image_free(im);
        }
        if (s) {
            char which[40];
            snprintf(which, sizeof which, "image %lld of the call", (long long)(first + k));
            return io_fail_in(s, which);
        }
    }
    return PEFT_OK;
}

/* Predicts the first count images of p->input into the rows of c->out from first on. */
static peft_status run(peft_predictor *p, const call *c, int64_t first, int64_t count)
{
    float *to = peft_tensor_data(c->out);
    peft_tensor *input = NULL, *out = NULL;
    int64_t dim[PEFT_MAX_DIMS] = { count }, one = 1;
    for (int i = 0; i < p->ndim; i++) one *= dim[i + 1] = p->dim[i];
    peft_status s = peft_tensor_wrap(p->temporary, PEFT_F32, 4, (int64_t[]){ count, 3, p->side, p->side },
                                     peft_tensor_data(p->input), &input);
    if (!s) s = peft_tensor_wrap(p->temporary, PEFT_F32, p->ndim + 1, dim, to + first * one, &out);
    if (!s) s = c->probabilities ? peft_session_probabilities(p->session, input, p->multi_label, out)
                                 : peft_session_predict(p->session, input, out);
    peft_tensor_free(input);
    peft_tensor_free(out);
    if (!s || !first) return s;
    char which[80];
    snprintf(which, sizeof which, "in the batch of images %lld to %lld", (long long)first,
             (long long)(first + count - 1));
    return io_fail_in(s, which);
}

/* A logit that is no number does not keep the other images from being predicted; the first such failure is reported. */
static peft_status predict(peft_predictor *p, const call *c)
{
    char message[1024];
    peft_status found = PEFT_OK, s = check_out(p, c);
    for (int64_t first = 0; first < c->n && !s; first += p->batch) {
        const int64_t count = c->n - first < p->batch ? c->n - first : p->batch;
        if ((s = prepare(p, c, first, count))) break;
        s = run(p, c, first, count);
        if (s != PEFT_E_NONFINITE) continue;
        if (!found) snprintf(message, sizeof message, "%s", peft_last_error());
        found = s;
        s = PEFT_OK;
    }
    return s || !found ? s : io_fail(found, "%s", message);
}

static peft_status predict_pixels(peft_predictor *p, const peft_tensor *pixels, bool probabilities, peft_tensor *out)
{
    call c = { .pixels = pixels, .n = peft_tensor_dim(pixels, 0), .probabilities = probabilities, .out = out };
    if (!p) return io_fail(PEFT_E_INVALID, "predictor is NULL");
    const peft_status s = check_pixels(pixels, &c.depth);
    return s ? s : predict(p, &c);
}

static peft_status predict_images(peft_predictor *p, const peft_image *const *images, int64_t n, bool probabilities,
                                  peft_tensor *out)
{
    const call c = { .images = images, .n = n, .probabilities = probabilities, .out = out };
    if (!p || !images) return io_fail(PEFT_E_INVALID, "predictor%s is NULL", p ? ": images" : "");
    if (n < 1) return io_fail(PEFT_E_INVALID, "predictor: %lld images, expected 1 or more", (long long)n);
    return predict(p, &c);
}

peft_status peft_predictor_pixels(peft_predictor *p, const peft_tensor *pixels, peft_tensor *logits)
{
    return predict_pixels(p, pixels, false, logits);
}

peft_status peft_predictor_pixels_probabilities(peft_predictor *p, const peft_tensor *pixels,
                                                peft_tensor *probabilities)
{
    return predict_pixels(p, pixels, true, probabilities);
}

peft_status peft_predictor_images(peft_predictor *p, const peft_image *const *images, int64_t n, peft_tensor *logits)
{
    return predict_images(p, images, n, false, logits);
}

peft_status peft_predictor_images_probabilities(peft_predictor *p, const peft_image *const *images, int64_t n,
                                                peft_tensor *probabilities)
{
    return predict_images(p, images, n, true, probabilities);
}
