/* SPDX-License-Identifier: Apache-2.0
 * window.c -- the step range: maps the values between two bounds (range=lo:hi, or two percentiles of the image) to u16
 * samples. Without a range, the full range of the image is mapped; u8 and u16 samples that fill theirs stay as they
 * are. Signed, floating-point and rescaled images whose full range is not known need a range. */
#include "io/transform/steps/percentile.h"
#include "io/transform/steps.h"
#include <math.h>

/* The error for an image that needs a range where the settings have none. */
static peft_status needs_range(const peft_image *im)
{
    if (io_rescaled(im))
        return io_fail(PEFT_E_INVALID, "transform: the image's samples are rescaled, so that their range is not "
                       "known; give it in the preprocessing: range=lo:hi, the values that become 0 and 1 "
                       "(range=-1000:400), or range=p1:p99, percentiles");
    return io_fail(PEFT_E_INVALID, "transform: the image's samples are %s, so that their range is not known; give it "
                   "in the preprocessing: range=lo:hi, the samples that become 0 and 1 (range=-1000:400), or "
                   "range=p1:p99, percentiles", io_types[im->type].name);
}

/* Refuses a range lo:hi for an image whose values a window has changed, and one beyond the values that an image of this
 * integer type can have, such as -1000:400 for unsigned samples: the range is meant for images of another type. */
static peft_status check_bounds(const peft_image *im, const double bound[2])
{
    const double a = im->slope * io_types[im->type].lowest + im->intercept;        /* a > b for a negative slope */
    const double b = im->slope * io_types[im->type].highest + im->intercept;
    const double lowest = a < b ? a : b, highest = a < b ? b : a;
    char text[4][32];
    if (im->windowed)
        return io_fail(PEFT_E_INVALID, "transform: range=%s:%s, but the image was read through a window of its DICOM "
                       "file, so that its values are no longer those of the modality (Hounsfield units); set the image "
                       "option window=none, or leave the range out", peft_sys_opt_number(text[0], bound[0]),
                       peft_sys_opt_number(text[1], bound[1]));
    if (im->type == IO_F32 || (bound[0] >= lowest && bound[1] <= highest)) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "transform: range=%s:%s, the image's samples are %s%s, in %s..%s; expected a range "
                   "inside that", peft_sys_opt_number(text[0], bound[0]), peft_sys_opt_number(text[1], bound[1]),
                   io_types[im->type].name, io_rescaled(im) ? " and rescaled" : "",
                   peft_sys_opt_number(text[2], lowest), peft_sys_opt_number(text[3], highest));
}

/* Refuses NaN and infinite samples: NaN has no place in the range, and both would falsify the percentiles. */
static peft_status check_finite(const peft_image *im)
{
    const int64_t n = im->width * im->height * im->channels;
    char text[32];
    for (int64_t i = 0; im->type == IO_F32 && i < n; i++) {
        const int64_t pixel = i / im->channels;
        if (!isfinite(((const float *)im->pixels)[i]))
            return io_fail(PEFT_E_NONFINITE, "transform: the image's sample at column %lld, row %lld is %s; replace "
                           "NaN and infinity in the image (numpy.nan_to_num)", (long long)(pixel % im->width),
                           (long long)(pixel / im->width), peft_sys_opt_number(text, io_value(im, i)));
    }
    return PEFT_OK;
}

/* Whether the full range of the image is that of its unsigned samples, so that later steps take them as they are. */
static bool fills_type(const peft_image *im)
{
    return (im->type == IO_U8 || im->type == IO_U16) && !io_rescaled(im) && im->full[0] == io_types[im->type].lowest &&
           im->full[1] == io_types[im->type].highest;
}

/* Maps all samples of im to u16 samples, in blocks so that the compiler can use vectors. */
static void map_samples(const peft_image *im, const double bound[2], uint16_t *to)
{
    enum { BLOCK = 256 };
    const int64_t count = im->width * im->height * im->channels;
    const float *floats = im->type == IO_F32 && !io_rescaled(im) ? (const float *)im->pixels : NULL;
    const double lowest = bound[0], width = bound[1] - bound[0];
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int n = count - first < BLOCK ? (int)(count - first) : BLOCK;
        double v[BLOCK];
        for (int i = 0; i < n && !floats; i++) v[i] = io_value(im, first + i);
        for (int i = 0; i < n && floats; i++) v[i] = (double)floats[first + i];
        for (int i = 0; i < n && width == 0; i++) v[i] = v[i] > lowest;
        for (int i = 0; i < n && width != 0; i++) v[i] = (v[i] - lowest) / width;                  /* 0..1 */
        for (int i = 0; i < n; i++) {
            const double shown = v[i] <= 0 ? 0 : v[i] >= 1 ? 1 : v[i];
            to[first + i] = (uint16_t)(int32_t)(shown * 65535 + 0.5);
        }
    }
}

/* Maps the values bound[0]..bound[1] to samples 0..65535 and clips those outside. Where both bounds are equal, larger
 * values become 65535 and all others 0. Without a range *out is im itself, retained. */
static peft_status map_range(const peft_opt_range *range, const peft_image *im, peft_image **out)
{
    const bool full = range->kind == PEFT_RANGE_FULL;
    double bound[2] = { full ? im->full[0] : range->end[0], full ? im->full[1] : range->end[1] };
    peft_image *to;
    if (full && isnan(bound[0])) return needs_range(im);
    if (full && fills_type(im)) return *out = io_image_retain(im), PEFT_OK;
    peft_status s = check_finite(im);
    if (!s && range->kind == PEFT_RANGE_PERCENTILES) s = io_percentiles(im, range->end, bound);
    if (!s && range->kind == PEFT_RANGE_VALUES) s = check_bounds(im, bound);
    if (!s) s = io_image_new(im->ctx, im->width, im->height, im->channels, IO_U16, &to);
    if (s) return s;
    map_samples(im, bound, (uint16_t *)to->pixels);
    *out = to;
    return PEFT_OK;
}

/* Warns, once for each transform, of a u16 image whose largest sample is below 8192 where no range is set: it becomes
 * nearly black. Mostly it holds samples of 12 bits, which need range=0:4095. */
static void warn_of_dark(const io_run *run, const peft_image *im)
{
    if (im->type != IO_U16 || !fills_type(im)) return;
    if (run->recipe->range.kind != PEFT_RANGE_FULL || atomic_load(run->warned_of_dark)) return;
    int64_t largest = 0;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++)
        if (io_sample(im, i) > largest) largest = io_sample(im, i);
    if (largest == 0 || largest >= 65536 / 8 || atomic_exchange(run->warned_of_dark, true)) return;
    io_warn(run->ctx, "transform: the largest sample of a 16-bit image is %lld of 65535, so that its pixels are nearly "
            "black; for 12-bit samples put range=0:4095 into the preprocessing (reported once)", (long long)largest);
}

peft_status io_range_of_parts(const peft_transform *t, const peft_image *im, peft_opt_range *out)
{
    const io_run run = { .ctx = t->ctx, .recipe = &t->recipe,
                         .warned_of_dark = &((peft_transform *)t)->warned_of_dark };
    *out = t->recipe.range;
    warn_of_dark(&run, im);
    if (out->kind == PEFT_RANGE_VALUES) return check_bounds(im, out->end);
    if (out->kind == PEFT_RANGE_FULL) return PEFT_OK;
    if (im->alpha && t->recipe.alpha == IO_ALPHA_WHITE)
        return io_fail(PEFT_E_UNSUPPORTED, "transform: the image has transparent pixels, and with alpha=white the "
                       "percentiles of its parts are not known; give the range as values (range=lo:hi), or an image "
                       "without transparency");
    peft_status s = check_finite(im);
    if (!s) s = io_percentiles(im, t->recipe.range.end, out->end);
    out->kind = PEFT_RANGE_VALUES;
    return s;
}

/* Always: an image that needs a range is refused where none is set. */
static bool wanted(const io_recipe *r, bool training) { (void)r, (void)training; return true; }

/* io_replace frees *im and sets it to next. */
static peft_status apply_range(const io_run *run, peft_image **im)
{
    peft_image *next = NULL;
    warn_of_dark(run, *im);
    return io_replace(map_range(&run->recipe->range, *im, &next), &next, im);
}

const io_step io_step_range = { .wanted = wanted, .apply = apply_range };
