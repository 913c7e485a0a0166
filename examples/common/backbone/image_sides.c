/* SPDX-License-Identifier: Apache-2.0
 * image_sides.c -- height and width of a network's images as text and from the library's objects (image_sides.h). */
#include "image_sides.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads digits at *text, and moves *text behind them. */
static bool read_side(const char **text, int64_t *side)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    errno = 0;
    *side = strtoll(*text, &end, 10);
    *text = end;
    return !errno;
}

image_sides parse_sides(const char *value, const char *name)
{
    image_sides s = STORED_IMAGE_SIZE;
    const char *text = value;
    if (!text) return s;
    bool valid = read_side(&text, &s.height);
    const bool one = !*text;
    if (valid && *text == 'x') {
        text++;
        valid = read_side(&text, &s.width) && s.height && s.width;
    }
    if (!valid || *text)
        fail("%s: given '%s', expected a side in pixels, or height and width as 384x512", name, value);
    if (one) s.width = s.height;
    return s;
}

image_sides backbone_sides(const peft_backbone *b)
{
    return (image_sides){ peft_backbone_get(b, "image_height"), peft_backbone_get(b, "image_width") };
}

image_sides transform_sides(const peft_transform *t)
{
    return (image_sides){ peft_transform_height(t), peft_transform_width(t) };
}

bool same_sides(image_sides a, image_sides b) { return a.height == b.height && a.width == b.width; }

const char *sides_text(char text[SIDES_TEXT], image_sides s)
{
    if (s.height == s.width) snprintf(text, SIDES_TEXT, "%lld", (long long)s.height);
    else snprintf(text, SIDES_TEXT, "%lldx%lld", (long long)s.height, (long long)s.width);
    return text;
}

int64_t image_floats(const peft_transform *t) { return 3 * peft_transform_height(t) * peft_transform_width(t); }

peft_tensor *new_images(peft_context *ctx, const peft_transform *t, int64_t n)
{
    const int64_t dims[] = { n, 3, peft_transform_height(t), peft_transform_width(t) };
    peft_tensor *images;
    must(peft_tensor_create(ctx, PEFT_F32, 4, dims, &images));
    return images;
}

peft_tensor *images_over(peft_context *ctx, const peft_transform *t, int64_t n, float *data)
{
    const int64_t dims[] = { n, 3, peft_transform_height(t), peft_transform_width(t) };
    peft_tensor *images;
    must(peft_tensor_wrap(ctx, PEFT_F32, 4, dims, data, &images));
    return images;
}
