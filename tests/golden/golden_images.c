/* SPDX-License-Identifier: Apache-2.0
 * golden_images.c -- resizing and preprocessing of libpeft-io against reference images: pixels bit for bit, prepared
 * tensors to 1e-6. */
#include "golden.h"
#include <jansson.h>
#include <peft/io.h>
#include <stdio.h>
#include <string.h>

/* The image input.<name>: [rows, columns] or [rows, columns, channels] of 8 or 16 bits. NULL after a failure. */
static peft_image *input_image(golden *g, const char *name)
{
    const pf_st_tensor *t = golden_find(g, "input.%s", name);
    peft_image *im = NULL;
    if (!t) { golden_fail(g, "input.%s is missing", name); return NULL; }
    const int depth = t->type == PEFT_U16 ? 16 : 8, channels = t->ndim > 2 ? (int)t->dim[2] : 1;
    golden_ok(g, peft_image_from_buffer(g->ctx, golden_raw(g, t), t->dim[1], t->dim[0], channels, depth, 0, &im),
              t->name);
    return im;
}

/* The bytes of an image's pixels. */
static size_t bytes_of(const peft_image *im)
{
    return (size_t)(peft_image_width(im) * peft_image_height(im)) * (size_t)peft_image_channels(im)
         * (size_t)(peft_image_depth(im) / 8);
}

/* The reference of a 16-bit result is int32 and not clamped; the library clamps to 0..65535. */
static void compare_clipped(golden *g, const peft_image *im, const pf_st_tensor *t)
{
    const int64_t n = pf_dims_count(t->ndim, t->dim);
    const int32_t *want = golden_raw(g, t);
    const uint16_t *got = peft_image_pixels(im);
    int64_t differ = n != peft_image_width(im) * peft_image_height(im);
    for (int64_t i = 0; i < n && !differ; i++)
        differ += got[i] != (want[i] < 0 ? 0 : want[i] > 65535 ? 65535 : want[i]);
    golden_note(g, (double)differ, 0, "%s", t->name);
}

/* Resizes an image with one filter and compares with t. Two cases have the same input, the image "gray16":
 * "gray16_as_float" is resized in float; "gray16_as_int32" in integers, and its reference has the type int32. */
static void resize_case(golden *g, const pf_st_tensor *t, const char *name, const char *filter, int rows, int columns)
{
    const bool grey16 = !strncmp(name, "gray16_as_", 10);
    peft_image *im = input_image(g, grey16 ? "gray16" : name), *out = NULL;
    char versioned[40];                                       /* the reference is Pillow before 12.2 */
    snprintf(versioned, sizeof versioned, "%s:pillow12", filter);
    if (im && !strcmp(name, "gray16_as_float")) {
        float *to = golden_memory(g, t->bytes);
        if (golden_ok(g, peft_image_resize_float(im, columns, rows, versioned, to), t->name))
            golden_bits(g, to, (size_t)rows * (size_t)columns * sizeof *to, "%s", t->name);
    } else if (im && golden_ok(g, peft_image_resize(im, columns, rows, versioned, &out), t->name)) {
        if (grey16) compare_clipped(g, out, t);
        else golden_bits(g, peft_image_pixels(out), bytes_of(out), "%s", t->name);
    }
    peft_image_free(out);
    peft_image_free(im);
}

/* Tensors expect.<image>.<filter>.<rows>x<columns>. */
void golden_resize(golden *g)
{
    for (size_t i = 0; i < pf_st_count(g->file); i++) {
        const pf_st_tensor *t = pf_st_at(g->file, i);
        char name[32], filter[16];
        int rows, columns;
        if (sscanf(t->name, "expect.%31[^.].%15[^.].%dx%d", name, filter, &rows, &columns) == 4)
            resize_case(g, t, name, filter, rows, columns);
    }
}

/* Element i of the list `name`, such as 224 for "resize": [224, 224]. */
static int64_t item(json_t *o, const char *name, size_t i)
{
    return json_integer_value(json_array_get(json_object_get(o, name), i));
}

/* Resizes as the case says: to both sides, or the shorter side followed by a centre crop. */
static peft_image *resize_and_crop(golden *g, const peft_image *im, const char *name, json_t *o)
{
    const char *filter = json_string_value(json_object_get(o, "filter"));
    json_t *shorter = json_object_get(o, "shorter_side");
    peft_image *mid = NULL, *out = NULL;
    if (!shorter) {
        golden_ok(g, peft_image_resize(im, item(o, "resize", 1), item(o, "resize", 0), filter, &out), name);
        return out;
    }
    if (golden_ok(g, peft_image_resize_shorter(im, json_integer_value(shorter), filter, &mid), name))
        golden_ok(g, peft_image_centre_crop(mid, item(o, "centre_crop", 1), item(o, "centre_crop", 0), &out), name);
    peft_image_free(mid);
    return out;
}

/* Compares a transform of im with the reference; mean and std are the file's, resize is "squash" or a shorter side. */
static void compare_transform(golden *g, const peft_image *im, const char *name, int64_t size, const char *resize,
                              const char *filter, json_t *all)
{
    char text[400], triple[2][80];
    peft_transform *t = NULL;
    for (int k = 0; k < 2; k++) {
        const json_t *v = json_object_get(all, k ? "std" : "mean");
        snprintf(triple[k], sizeof triple[k], "%.9g:%.9g:%.9g", json_number_value(json_array_get(v, 0)),
                 json_number_value(json_array_get(v, 1)), json_number_value(json_array_get(v, 2)));
    }
    snprintf(text, sizeof text, "size=%d,interpolation=%s,mean=%s,std=%s,resize=%s", (int)size, filter, triple[0],
             triple[1], resize);
    const int64_t n = 3 * size * size;
    float *got = golden_memory(g, (size_t)n * sizeof *got);
    double *values = golden_memory(g, (size_t)n * sizeof *values);
    if (golden_ok(g, peft_transform_parse(g->ctx, text, &t), text) &&
        golden_ok(g, peft_transform_apply(t, im, got), text)) {
        for (int64_t i = 0; i < n; i++) values[i] = (double)got[i];
        golden_each(g, values, n, GOLDEN_ABSOLUTE, 1e-6, "expect.%s.float", name);
    }
    peft_transform_free(t);
}

/* Resizing and normalising in two steps, then both in one transform. o: the settings of the case; all: of the file. */
static void preprocess_case(golden *g, const peft_image *im, const char *name, json_t *o, json_t *all)
{
    const char *filter = json_string_value(json_object_get(o, "filter"));
    const int64_t shorter = json_integer_value(json_object_get(o, "shorter_side"));
    const int64_t size = item(o, shorter ? "centre_crop" : "resize", 0);
    peft_image *out = resize_and_crop(g, im, name, o);
    if (!out) return;
    golden_bits(g, peft_image_pixels(out), bytes_of(out), "expect.%s.uint8", name);
    compare_transform(g, out, name, size, "squash", filter, all);
    peft_image_free(out);
    char whole[60] = "squash";
    if (shorter) snprintf(whole, sizeof whole, "%lld", (long long)shorter);
    compare_transform(g, im, name, size, whole, filter, all);
}

void golden_preprocess(golden *g)
{
    json_t *options = json_loads(pf_st_meta(g->file, "options"), 0, NULL), *o;
    peft_image *im = input_image(g, "rgb8");
    const char *name;
    json_object_foreach(options, name, o)
        if (im && json_is_object(o)) preprocess_case(g, im, name, o, options);
    peft_image_free(im);
    json_decref(options);
}
