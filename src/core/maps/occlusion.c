/* SPDX-License-Identifier: Apache-2.0
 * occlusion.c -- occlusion maps (Zeiler and Fergus, ECCV 2014), as <peft/maps.h> defines them: a session predicts the
 * image, and the image with each square filled, a batch at a time. */
#include "core/maps/occlusion.h"
#include <string.h>
#include <peft/session.h>
#include "core/maps/maps.h"

typedef struct {
    peft_session *session;
    int64_t patch, stride;
    pf_grid squares;                     /* down and across the image */
    int fill;                            /* pf_fill */
    bool logit, multi_label;
    peft_tensor *images, *scores;        /* [batch,3,H,W], [batch,classes] */
    pk_real *image, *filled, *between;   /* [3,H,W], [3,H,W], [H,W], one block with the next ones */
    double *drop;                        /* [squares.h,squares.w] */
    double *down, *across;               /* [cells,squares]: the part of a square in a cell, along a side */
    double *part;                        /* [rows of cells,squares.w] */
} occlusion;

static pf_grid image_of(const peft_maps *s) { return s->model->backbone->shape.image; }

/* How many squares begin along a side: the last one reaches the end. */
static int64_t count_squares(const occlusion *o, int64_t side)
{
    return (side - o->patch + o->stride - 1) / o->stride + 1;
}

/* Checks patch and stride; sets the number of squares and the extents of the map. */
static peft_status set_grid(peft_maps *s, occlusion *o)
{
    const pf_grid image = image_of(s);
    const int64_t side = image.h < image.w ? image.h : image.w, own = s->model->backbone->shape.patch;
    char sides[PF_SIDES_MAX];
    o->patch = pf_maps_int(s, "patch") ? pf_maps_int(s, "patch") : own;
    o->stride = pf_maps_int(s, "stride") ? pf_maps_int(s, "stride") : own;
    if (o->patch > side)
        return pf_fail(PEFT_E_OPTION, "patch: given %lld pixels, expected at most the image's shorter side, %lld",
                       (long long)o->patch, (long long)side);
    if (o->stride > o->patch || image.h % o->stride || image.w % o->stride)
        return pf_fail(PEFT_E_OPTION, "stride: given %lld pixels, expected a divisor of the image's side%s %s that is "
                       "at most the square's side (patch), %lld", (long long)o->stride, image.h == image.w ? "" : "s",
                       pf_sides_text(sides, image), (long long)o->patch);
    o->squares = (pf_grid){ count_squares(o, image.h), count_squares(o, image.w) };
    s->h = image.h / o->stride;
    s->w = image.w / o->stride;
    return PEFT_OK;
}

/* A pixel's drop is the mean over the squares that cover it, and a cell's the mean over its pixels. Both means are
 * computed along rows and then along columns. Fills weight [cells,squares] of one side: weight[c,q] is the mean over
 * the pixels of cell c of 1 / (squares that cover the pixel) where q covers it, else of 0. */
static void set_weights(const occlusion *o, int64_t side, int64_t squares, double *weight)
{
    for (int64_t y = 0; y < side; y++) {
        int64_t first = y >= o->patch ? (y - o->patch) / o->stride + 1 : 0, last = y / o->stride;
        if (last >= squares) last = squares - 1;
        for (int64_t q = first; q <= last; q++)
            weight[y / o->stride * squares + q] += 1.0 / (double)((last - first + 1) * o->stride);
    }
}

static size_t block_bytes(const peft_maps *s)
{
    const occlusion *o = s->state;
    const size_t plane = (size_t)pf_grid_area(image_of(s));
    const int64_t weights = s->h * o->squares.h + s->w * o->squares.w, part = s->h * o->squares.w;
    return (size_t)(pf_grid_area(o->squares) + weights + part) * sizeof(double) + 7 * plane * sizeof(pk_real);
}

static peft_status make_session(peft_maps *s, occlusion *o)
{
    const pf_grid image = image_of(s);
    const int64_t images[] = { s->batch, 3, image.h, image.w }, scores[] = { s->batch, s->model->classes };
    peft_options *settings;
    PF_TRY(peft_options_create(s->ctx, &settings));
    peft_status status = peft_options_set_int(settings, "batch", s->batch);
    if (!status) status = peft_options_set_int(settings, "threads", pf_maps_int(s, "threads"));
    if (!status) status = peft_session_create(s->model, settings, &o->session);
    peft_options_free(settings);
    PF_TRY(status);
    PF_TRY(peft_tensor_create(s->ctx, PF_REAL, 4, images, &o->images));
    return peft_tensor_create(s->ctx, PF_REAL, 2, scores, &o->scores);
}

static peft_status create(peft_maps *s)
{
    static const char *const fills[] = { "mean", "zero", "blur" }, *const scores[] = { "probability", "logit" };
    occlusion *o = s->state;
    int score;
    PF_TRY(set_grid(s, o));
    PF_TRY(pf_maps_word(s, "fill", fills, 3, &o->fill));
    PF_TRY(pf_maps_word(s, "score", scores, 2, &score));
    o->logit = score;
    o->multi_label = pf_maps_int(s, "multi_label");
    const int64_t plane = pf_grid_area(image_of(s));
    o->drop = pf_alloc_zero(s->ctx, block_bytes(s));
    if (!o->drop) return pf_nomem("occlusion", block_bytes(s));
    o->down = o->drop + pf_grid_area(o->squares);
    o->across = o->down + s->h * o->squares.h;
    o->part = o->across + s->w * o->squares.w;
    o->image = (pk_real *)(o->part + s->h * o->squares.w);
    o->filled = o->image + 3 * plane;
    o->between = o->filled + 3 * plane;
    set_weights(o, image_of(s).h, o->squares.h, o->down);
    set_weights(o, image_of(s).w, o->squares.w, o->across);
    return make_session(s, o);
}

/* The scores of the first n of o->images. */
static peft_status predict(occlusion *o, int64_t n)
{
    peft_tensor images = *o->images, scores = *o->scores;
    images.owned = scores.owned = false;
    images.dim[0] = scores.dim[0] = n;
    return o->logit ? peft_session_predict(o->session, &images, &scores)
                    : peft_session_probabilities(o->session, &images, o->multi_label, &scores);
}

/* Copies o->image to number `at` of o->images, with square number `square` filled. */
static void occlude(const peft_maps *s, occlusion *o, int64_t at, int64_t square)
{
    const int64_t h = image_of(s).h, w = image_of(s).w, plane = h * w;
    const int64_t y0 = square / o->squares.w * o->stride, x0 = square % o->squares.w * o->stride;
    const int64_t y1 = y0 + o->patch < h ? y0 + o->patch : h, x1 = x0 + o->patch < w ? x0 + o->patch : w;
    pk_real *to = (pk_real *)o->images->data + at * 3 * plane;
    memcpy(to, o->image, (size_t)(3 * plane) * sizeof *to);
    for (int64_t row = 0; row < 3 * h; row++) {
        if (row % h < y0 || row % h >= y1) continue;
        memcpy(to + row * w + x0, o->filled + row * w + x0, (size_t)(x1 - x0) * sizeof *to);
    }
}

/* o->drop of the image, for class `wanted`, or for the one with the largest score. */
static peft_status find_drops(peft_maps *s, occlusion *o, int64_t wanted, int64_t *chosen)
{
    const int64_t classes = s->model->classes, all = pf_grid_area(o->squares);
    const int64_t pixels = 3 * pf_grid_area(image_of(s));
    const pk_real *scores = o->scores->data;
    const int64_t whole_image = 1;
    memcpy(o->images->data, o->image, (size_t)pixels * sizeof(pk_real));
    PF_TRY(predict(o, whole_image));
    *chosen = pf_maps_class(s, wanted, scores);
    const double whole = (double)scores[*chosen];
    PF_TRY(pf_maps_progress(s, whole_image));
    for (int64_t first = 0; first < all; first += s->batch) {
        const int64_t n = all - first < s->batch ? all - first : s->batch;
        for (int64_t i = 0; i < n; i++) occlude(s, o, i, first + i);
        PF_TRY(predict(o, n));
        for (int64_t i = 0; i < n; i++) o->drop[first + i] = whole - (double)scores[i * classes + *chosen];
        PF_TRY(pf_maps_progress(s, n));
    }
    return PEFT_OK;
}

/* map = down drop across' */
static void draw(const peft_maps *s, occlusion *o, pk_real *map)
{
    const int64_t m = o->squares.h, n = o->squares.w;
    for (int64_t i = 0; i < s->h * n; i++) {
        o->part[i] = 0;
        for (int64_t q = 0; q < m; q++) o->part[i] += o->down[i / n * m + q] * o->drop[q * n + i % n];
    }
    for (int64_t i = 0; i < s->h * s->w; i++) {
        double sum = 0;
        for (int64_t q = 0; q < n; q++) sum += o->part[i / s->w * n + q] * o->across[i % s->w * n + q];
        map[i] = (pk_real)sum;
    }
}

static peft_status compute(peft_maps *s, const peft_tensor *images, int64_t n, const int64_t *classes, pk_real *maps,
                           int64_t *chosen)
{
    occlusion *o = s->state;
    const int64_t pixels = 3 * pf_grid_area(image_of(s));
    const char *from = images->data;
    const size_t bytes = pf_tensor_bytes(images) / (size_t)n;
    for (int64_t i = 0; i < n; i++) {
        pf_to_real(o->image, from + (size_t)i * bytes, images->type, pixels);
        pf_occlusion_fill((pf_fill)o->fill, o->image, image_of(s), o->patch, o->between, o->filled);
        PF_TRY(find_drops(s, o, classes ? classes[i] : -1, &chosen[i]));
        draw(s, o, maps + i * s->h * s->w);
    }
    return PEFT_OK;
}

static size_t memory(const peft_maps *s)
{
    const occlusion *o = s->state;
    return block_bytes(s) + peft_session_memory(o->session) + pf_tensor_bytes(o->images) + pf_tensor_bytes(o->scores);
}
static void release(peft_maps *s)
{
    occlusion *o = s->state;
    peft_session_free(o->session);
    peft_tensor_free(o->images);
    peft_tensor_free(o->scores);
    pf_free(s->ctx, o->drop);
}
static int64_t predictions(const peft_maps *s)
{
    const occlusion *o = s->state;
    return 1 + pf_grid_area(o->squares);
}

const pf_maps_kind pf_maps_occlusion = { .name = "occlusion",
    .summary = "how much a class's score drops when a square of the image is filled",
    .options = "patch stride fill score", .of_class = true, .state_size = sizeof(occlusion), .create = create,
    .compute = compute, .memory = memory, .free = release, .predictions = predictions };
