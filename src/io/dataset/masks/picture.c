/* SPDX-License-Identifier: Apache-2.0
 * picture.c -- the reader picture: a mask from any file that peft_image_load reads, whose samples are class numbers,
 * lie above a threshold, or are colours. */
#include "io/dataset/masks/readers.h"
#include "io/format/formats.h"
#include "io/format/held/held.h"
#include <math.h>

/* An io_held_read of an io_masks. */
static peft_status read_bytes(const void *owner, int64_t i, int64_t limit, uint8_t **data, size_t *size)
{
    const io_masks *m = owner;
    const char *path = m->files.item[i];
    if (io_reads_parts(path)) return io_fail(PEFT_E_UNSUPPORTED, "%s: is read in parts", path);
    return io_read_file(m->ctx, path, limit, data, size);
}

/* Refuses a file with another number of slices than that of the image has. file NULL: it is not held. */
static peft_status check_slices(const io_mask_job *job, const io_held_file *file, const char *options)
{
    peft_context *ctx = job->masks->ctx;
    int64_t slices;
    peft_status s = file ? io_image_slices_memory(ctx, file->data, file->size, options, &slices)
                         : peft_image_slices(ctx, job->path, options, &slices);
    if (s || slices == job->slices) return s;
    return io_fail(PEFT_E_MISMATCH, "the file holds %lld slice%s, and %s %lld; expected a mask with a slice for each "
                   "slice of its image", (long long)slices, slices == 1 ? "" : "s", job->image_path,
                   (long long)job->slices);
}

/* Reads the picture; the file of a slice is kept in memory for the next one. */
static peft_status load_by(const io_mask_job *job, const char *options, peft_image **out)
{
    const io_masks *m = job->masks;
    io_held_file *file = NULL;
    if (job->slice < 0) return peft_image_load(m->ctx, job->path, options, out);
    peft_status s = io_held_take(m->held, read_bytes, m, job->file, &file);
    if (!s) s = check_slices(job, file, options);
    if (!s) s = file ? peft_image_load_memory(m->ctx, file->data, file->size, options, out)
                     : peft_image_load(m->ctx, job->path, options, out);
    io_held_return(file);
    return s;
}

static peft_status load(const io_mask_job *job, peft_image **out)
{
    const io_mask_options *o = &job->masks->options;
    const bool of_image = !*o->read, stored = o->kind == IO_MASK_INDEX;
    char *options;
    peft_status s = io_image_mask_options(job->masks->ctx, of_image ? job->image_options : o->read, of_image, stored,
                                          job->slice < 0 ? IO_NO_SLICE : job->slice, &options);
    if (s) return s;
    s = load_by(job, options, out);
    peft_sys_free(job->masks->ctx, options);
    return s;
}

/* The error for pixel i of im, whose sample or colour is no class. */
static peft_status no_class(const io_masks *m, const peft_image *im, int64_t i)
{
    const long long x = i % im->width, y = i / im->width, last = m->classes.count - 1;
    const bool limits = im->type == IO_U8 && io_value(im, i * im->channels) == 255;
    char value[32];
    if (m->options.kind == IO_MASK_COLORS) {
        const int step = im->channels == 3;
        return io_fail(PEFT_E_FORMAT, "colour #%02x%02x%02x at column %lld, row %lld is no class; add it to colors, as "
                       "a class or as ignore", (unsigned)io_sample(im, i * im->channels),
                       (unsigned)io_sample(im, i * im->channels + step),
                       (unsigned)io_sample(im, i * im->channels + 2 * step), x, y);
    }
    peft_sys_opt_number(value, io_value(im, i * im->channels));
    return io_fail(PEFT_E_FORMAT, "value %s at column %lld, row %lld is no class; expected 0 to %lld. If it marks "
                   "pixels that are not judged, give ignore=%s%s", value, x, y, last, value,
                   limits && last == 1 ? "; for a mask of 0 and 255 give kind=binary" : "");
}

/* Refuses colours in a mask of numbers: all channels must be equal. */
static peft_status check_grey(const peft_image *im)
{
    if (im->channels == 1) return PEFT_OK;
    for (int64_t i = 0; i < im->width * im->height; i++) {
        const double v = io_value(im, 3 * i);
        if (v != io_value(im, 3 * i + 1) || v != io_value(im, 3 * i + 2))
            return io_fail(PEFT_E_FORMAT, "a colour at column %lld, row %lld; give the classes of colours by colors",
                           (long long)(i % im->width), (long long)(i / im->width));
    }
    return PEFT_OK;
}

static peft_status from_numbers(const io_masks *m, const peft_image *im, peft_mask *to)
{
    const int64_t ignore = m->options.ignore;
    for (int64_t i = 0; i < im->width * im->height; i++) {
        const double v = io_value(im, i * im->channels);
        if (ignore != IO_NO_IGNORE && v == (double)ignore) to->value[i] = PEFT_MASK_IGNORED;
        else if (v >= 0 && v < (double)m->classes.count && v == floor(v)) to->value[i] = (int16_t)v;
        else return no_class(m, im, i);
    }
    return PEFT_OK;
}

/* Samples above the threshold become 1. */
static peft_status from_threshold(const io_masks *m, const peft_image *im, peft_mask *to)
{
    const int64_t ignore = m->options.ignore;
    const bool known = (im->type == IO_U8 || im->type == IO_U16) && !io_rescaled(im);
    const bool given = !isnan(m->options.threshold);
    double largest = 0;
    bool any = false;
    char text[2][32];
    if (!given && !known)
        return io_fail(PEFT_E_OPTION, "samples are %s%s, whose largest one is not known; give the threshold of the "
                       "foreground, threshold=0.5", io_types[im->type].name, io_rescaled(im) ? " and rescaled" : "");
    const double highest = io_types[im->type].highest, threshold = given ? m->options.threshold : highest / 2;
    if (known && threshold >= highest)
        return io_fail(PEFT_E_OPTION, "threshold=%s: samples are %s, and none is above it; expected less than %s",
                       peft_sys_opt_number(text[0], threshold), io_types[im->type].name,
                       peft_sys_opt_number(text[1], highest));
    for (int64_t i = 0; i < im->width * im->height; i++) {
        const double v = io_value(im, i * im->channels);
        const bool ignored = ignore != IO_NO_IGNORE && v == (double)ignore;
        to->value[i] = ignored ? PEFT_MASK_IGNORED : v > threshold;
        any = any || to->value[i] == 1;
        if (!ignored && v > largest) largest = v;
    }
    if (any || largest == 0 || given) return PEFT_OK;
    return io_fail(PEFT_E_FORMAT, "the largest sample is %s, and only those above %s are the foreground; give "
                   "threshold, or kind=index for a mask of class numbers", peft_sys_opt_number(text[0], largest),
                   peft_sys_opt_number(text[1], threshold));
}

/* The label of a colour; IO_NO_CLASS: it has none. */
static int64_t label_of(const io_masks *m, const uint8_t *sample, int step)
{
    for (int64_t k = 0; k < m->colours; k++) {
        const uint8_t *rgb = m->colour[k].rgb;
        if (rgb[0] == sample[0] && rgb[1] == sample[step] && rgb[2] == sample[2 * step]) return m->colour[k].label;
    }
    return IO_NO_CLASS;
}

static peft_status from_colours(const io_masks *m, const peft_image *im, peft_mask *to)
{
    const int step = im->channels == 3;                       /* a grey sample stands for three equal ones */
    const uint8_t *before = NULL, *sample = (const uint8_t *)im->pixels;
    if (im->type != IO_U8)
        return io_fail(PEFT_E_UNSUPPORTED, "samples are %s; expected colours of 8 bits", io_types[im->type].name);
    for (int64_t i = 0; i < im->width * im->height; i++, sample += im->channels) {
        const bool same = before && !memcmp(before, sample, (size_t)im->channels);
        const int64_t label = same ? to->value[i - 1] : label_of(m, sample, step);
        if (label == IO_NO_CLASS) return no_class(m, im, i);
        to->value[i] = (int16_t)label;
        before = sample;
    }
    return PEFT_OK;
}

static peft_status read_picture(const io_mask_job *job, peft_mask **out)
{
    const io_masks *m = job->masks;
    const int64_t classes = m->options.per_class ? 2 : m->classes.count;
    peft_image *im;
    peft_mask *to = NULL;
    peft_status s = load(job, &im);
    if (s) return s;
    s = io_mask_new(m->ctx, im->width, im->height, classes, false, &to);
    if (!s && m->options.kind != IO_MASK_COLORS) s = check_grey(im);
    if (!s) {
        to->turned = im->turned;
        memcpy(to->spacing, im->spacing, sizeof to->spacing);
        memcpy(to->directions, im->directions, sizeof to->directions);
        s = (m->options.kind == IO_MASK_INDEX    ? from_numbers
             : m->options.kind == IO_MASK_BINARY ? from_threshold : from_colours)(m, im, to);
    }
    peft_image_free(im);
    if (s) peft_mask_free(to);
    else *out = to;
    return s;
}

const io_mask_reader io_mask_reader_picture = { .name = "picture", .read = read_picture };
