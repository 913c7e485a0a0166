/* SPDX-License-Identifier: Apache-2.0
 * geometry.c -- compares how an image and its mask lie, as their files state it: turned by an EXIF orientation, the
 * directions of the axes of volumes, spacing. Many programs write masks with another header than that of the image, so
 * that a difference is a warning. */
#include "io/dataset/masks/masks.h"
#include <math.h>
#include <stdio.h>

/* A file of a mask and its image. */
typedef struct pair {
    const io_masks *masks;
    const char *path, *image_name;
    const peft_mask *mask;
    const peft_image *image;
} pair;

/* Was the difference reported? From now on it was. */
static bool is_reported(const atomic_bool *was) { return atomic_exchange((atomic_bool *)was, true); }

static void compare_turns(const pair *p)
{
    const bool image = p->image->turned;
    if (image == p->mask->turned || is_reported(&p->masks->warned_of_turn)) return;
    io_warn(p->masks->ctx, "masks: another EXIF orientation: %s is turned by its EXIF orientation, but %s is not: the "
            "mask is taken as drawn on the %s picture; if it was drawn on the stored pixels, read the images with "
            "orientation=stored (reported once)", image ? p->image_name : p->path, image ? p->path : p->image_name,
            image ? "turned" : "stored");
}

static void compare_directions(const pair *p)
{
    const char *of_mask = p->mask->directions, *of_image = p->image->directions;
    if (!*of_mask || !*of_image || !strcmp(of_mask, of_image) || is_reported(&p->masks->warned_of_directions)) return;
    io_warn(p->masks->ctx, "masks: another orientation: the axes of %s are %s (to where columns, rows and slices count "
            "up), those of its image %s are %s, and the mask is laid on the image pixel by pixel as it is read. If "
            "both headers are right, the mask lies reversed or turned on the image: read the images and masks with "
            "orient=ras. If the program that wrote the mask did not set its header (such as an identity affine), "
            "no action is needed (reported once)", p->path, of_mask, p->image_name, of_image);
}

/* Are both known and more than 1 % apart? */
static bool differ(double a, double b) { return a > 0 && b > 0 && fabs(a - b) > 0.01 * b; }

enum { SPACING_TEXT = 64 };
/* Rows x columns x slices; returns text. */
static const char *spacing_text(const double mm[3], char text[SPACING_TEXT])
{
    const int order[] = { 1, 2, 0 };
    int n = 0;
    for (int i = 0; i < 3; i++)
        n += mm[order[i]] > 0 ? snprintf(text + n, (size_t)(SPACING_TEXT - n), "%s%.6g", i ? "x" : "", mm[order[i]])
                              : snprintf(text + n, (size_t)(SPACING_TEXT - n), "%s?", i ? "x" : "");
    return text;
}

static void compare_spacings(const pair *p)
{
    const double *of_mask = p->mask->spacing, *of_image = p->image->spacing;
    char text[2][SPACING_TEXT];
    bool any = false;
    for (int i = 0; i < 3; i++) any = any || differ(of_mask[i], of_image[i]);
    if (!any || is_reported(&p->masks->warned_of_spacing)) return;
    io_warn(p->masks->ctx, "masks: another spacing: %s states %s mm (rows x columns x slices), its image %s states %s "
            "mm. Distances and areas use the spacing of the image. Check that the mask is that of the image. If the "
            "program that wrote the mask did not set its header (such as an identity affine), no action is needed, "
            "but do not use orient=ras, which would turn the image only (reported once)", p->path,
            spacing_text(of_mask, text[0]), p->image_name, spacing_text(of_image, text[1]));
}

void io_masks_compare(const io_masks *m, const char *path, const peft_mask *mask, const char *image_name,
                      const peft_image *image)
{
    const pair p = { m, path, image_name, mask, image };
    if (!image) return;
    compare_turns(&p);
    compare_directions(&p);
    compare_spacings(&p);
}
