/* SPDX-License-Identifier: Apache-2.0
 * resize.c -- peft_image_resize and its variants, and io_resample: runs one pass for each axis that changes. */
#include "io/image/resize.h"

io_raster io_raster_of(const peft_image *im)
{
    static const io_raster_type types[IO_TYPES] = {
        [IO_U8] = IO_BYTES, [IO_U16] = IO_WORDS, [IO_I16] = IO_SIGNED_WORDS, [IO_F32] = IO_FLOATS };
    return (io_raster){ im->width, im->height, im->channels, types[im->type], im->pixels };
}

/* Memory for the result of a pass. NULL: none, or the size overflows. */
static void *alloc_samples(peft_context *ctx, int64_t width, int64_t height, int64_t channels, io_rounding rounding)
{
    int64_t n;
    if (__builtin_mul_overflow(width, height, &n) || __builtin_mul_overflow(n, channels, &n)) return NULL;
    return io_alloc(ctx, n, rounding == IO_TO_BYTE ? 1 : sizeof(double));
}

/* As origin of a pass: its input begins with the first row and column of the image. */
enum { WHOLE_IMAGE = 0 };

/* The weights of the horizontal pass (x) and of the vertical one (y), and which comes first. */
typedef struct plan { io_weights x, y; bool vertical_first; io_rounding rounding; } plan;

/* The range of input positions that have a weight: sets *start, returns the length. */
static int64_t input_range(const io_weights *w, int64_t *start)
{
    int64_t end = 0;
    *start = w->first[0];
    for (int64_t i = 0; i < w->size; i++) {
        if (w->first[i] < *start) *start = w->first[i];
        if (w->first[i] + w->count[i] > end) end = w->first[i] + w->count[i];
    }
    return end - *start;
}

/* The first pass makes only the rows or columns that the second one reads: `length` from `start` on. The second pass
 * takes all that the first one made. */
static peft_status run_two_passes(const io_raster *from, const plan *p, void *to)
{
    bool bytes = p->rounding == IO_TO_BYTE;
    io_pass horizontal = bytes ? io_horizontal8 : io_horizontal_wide;
    io_pass vertical = bytes ? io_vertical8 : io_vertical_wide;
    const io_weights *first = p->vertical_first ? &p->y : &p->x, *second = p->vertical_first ? &p->x : &p->y;
    int64_t start, length = input_range(second, &start);
    io_raster middle = *from;
    middle.width = p->vertical_first ? length : first->size;
    middle.height = p->vertical_first ? first->size : length;
    middle.type = bytes ? IO_BYTES : IO_DOUBLES;
    void *between = alloc_samples(first->ctx, middle.width, middle.height, from->channels, p->rounding);
    if (!between) return io_nomem("resize");
    middle.data = between;
    peft_status s = (p->vertical_first ? vertical : horizontal)(from, start, length, first, WHOLE_IMAGE, p->rounding,
                                                                between);
    const int64_t all_from = 0, all = first->size;            /* rows or columns of middle */
    if (!s) s = (p->vertical_first ? horizontal : vertical)(&middle, all_from, all, second, start, p->rounding, to);
    peft_sys_free(first->ctx, between);
    return s;
}

/* An axis that keeps its length needs no pass. */
static peft_status run_passes(const io_raster *from, const io_scaling *s, const plan *p, void *to)
{
    bool bytes = p->rounding == IO_TO_BYTE;
    io_pass horizontal = bytes ? io_horizontal8 : io_horizontal_wide;
    io_pass vertical = bytes ? io_vertical8 : io_vertical_wide;
    if (s->width == from->width)
        return vertical(from, s->part.left, s->part.width, &p->y, WHOLE_IMAGE, p->rounding, to);
    if (s->height == from->height)
        return horizontal(from, s->part.top, s->part.height, &p->x, WHOLE_IMAGE, p->rounding, to);
    return run_two_passes(from, p, to);
}

/* Refuses sides below 1, and those by which the computation of sizes could overflow. */
static peft_status check_size(int64_t width, int64_t height)
{
    if (width > 0 && height > 0 && width <= 1 << 24 && height <= 1 << 24) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "resize: to %lldx%lld pixels (height x width), expected sides in 1..16777216",
                   (long long)height, (long long)width);
}

peft_status io_resample(const peft_image *im, const io_scaling *s, io_rounding rounding, void **out)
{
    io_raster from = io_raster_of(im);
    plan p = { .rounding = rounding };
    void *to = NULL;
    /* The rule of Pillow 13; before it, the horizontal pass always came first. */
    p.vertical_first = s->order == IO_PILLOW13 && im->height > s->height &&
                       im->height - s->height > 2 * (im->width - s->width);
    peft_status status = check_size(s->width, s->height);
    if (status) return status;
    status = io_weights_make(im->ctx, im->width, s->width, s->part.left, s->part.width, s->filter, &p.x);
    if (!status) status = io_weights_make(im->ctx, im->height, s->height, s->part.top, s->part.height, s->filter, &p.y);
    if (!status && !(to = alloc_samples(im->ctx, s->part.width, s->part.height, im->channels, rounding)))
        status = io_nomem("resize");
    if (!status) status = run_passes(&from, s, &p, to);
    io_weights_free(&p.x);
    io_weights_free(&p.y);
    if (status) peft_sys_free(im->ctx, to);
    else *out = to;
    return status;
}

/* Writes n results of io_resample, bytes or doubles, to the samples of `to`; clips those of 16-bit types. */
static void store_samples(const void *data, int64_t n, peft_image *to)
{
    const double *from = data, lo = io_types[to->type].lowest, hi = io_types[to->type].highest;
    if (to->type == IO_U8) {
        memcpy(to->pixels, data, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (to->type == IO_F32) ((float *)to->pixels)[i] = (float)from[i];
        else io_set_sample(to, i, (int64_t)(from[i] < lo ? lo : from[i] > hi ? hi : from[i]));
}

peft_status io_resize(const peft_image *im, const io_scaling *s, peft_image **out)
{
    static const io_rounding rounding[IO_TYPES] = {
        [IO_U8] = IO_TO_BYTE, [IO_U16] = IO_TO_INT, [IO_I16] = IO_TO_INT, [IO_F32] = IO_TO_FLOAT };
    peft_image *to;
    void *data;
    const io_part *part = &s->part;
    peft_status status = check_size(s->width, s->height);
    if (status) return status;
    if (s->width == im->width && s->height == im->height) {
        bool whole = part->width == im->width && part->height == im->height;
        if (!whole) return peft_image_crop(im, part->left, part->top, part->width, part->height, out);
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    status = io_resample(im, s, rounding[im->type], &data);
    if (status) return status;
    if (!(status = io_image_like(im, part->width, part->height, im->channels, &to))) {
        to->spacing[1] *= (double)im->height / (double)s->height;
        to->spacing[2] *= (double)im->width / (double)s->width;
        store_samples(data, part->width * part->height * im->channels, to);
        *out = to;
    }
    peft_sys_free(im->ctx, data);
    return status;
}

/* Cuts the range [start, start + length) to what lies in [0, size). */
static void clip_range(int64_t *start, int64_t *length, int64_t size)
{
    int64_t end = *start + *length < size ? *start + *length : size;
    if (*start < 0) *start = 0;
    *length = end - *start;
}

peft_status io_resize_crop(const peft_image *im, const io_scaling *s, peft_image **out)
{
    io_scaling clipped = *s;                                  /* its part is s->part without what lies outside */
    peft_image *inside;
    clip_range(&clipped.part.left, &clipped.part.width, s->width);
    clip_range(&clipped.part.top, &clipped.part.height, s->height);
    peft_status status = io_resize(im, &clipped, &inside);
    if (status) return status;
    if (clipped.part.width == s->part.width && clipped.part.height == s->part.height) {
        *out = inside;
        return PEFT_OK;
    }
    status = peft_image_crop(inside, s->part.left - clipped.part.left, s->part.top - clipped.part.top, s->part.width,
                             s->part.height, out);
    peft_image_free(inside);
    return status;
}

/* The longer side is rounded down. Where it overflows it becomes huge, and the resize to it is refused. */
void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height)
{
    const int64_t shorter = im->width < im->height ? im->width : im->height;
    const int64_t longer = im->width < im->height ? im->height : im->width;
    int64_t resized;                                          /* the longer side of the result */
    if (__builtin_mul_overflow(size, longer, &resized)) resized = INT64_MAX;
    resized /= shorter;
    *width = im->width <= im->height ? size : resized;
    *height = im->width <= im->height ? resized : size;
}

peft_status peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter,
                              peft_image **out)
{
    io_filter f;
    io_order order;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    peft_status s = io_filter_named(filter, &f, &order);
    if (s) return s;
    const io_scaling to = io_whole(width, height, f, order);
    return io_resize(im, &to, out);
}

peft_status peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out)
{
    io_filter f;
    io_order order;
    void *data = NULL;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    peft_status s = io_filter_named(filter, &f, &order);
    if (s) return s;
    const io_scaling to = io_whole(width, height, f, order);
    if ((s = io_resample(im, &to, IO_TO_FLOAT, &data))) return s;
    for (int64_t i = 0; i < width * height * im->channels; i++) out[i] = (float)((double *)data)[i];
    peft_sys_free(im->ctx, data);
    return PEFT_OK;
}

peft_status peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out)
{
    int64_t width, height;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    io_shorter_size(im, size, &width, &height);
    return peft_image_resize(im, width, height, filter, out);
}
