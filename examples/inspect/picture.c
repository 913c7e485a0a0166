/* SPDX-License-Identifier: Apache-2.0
 * picture.c -- prints what is known of one picture: its format, how it is read, the header of a DICOM file
 * (pictures.h). */
#include "pictures.h"
#include "common/data/forms.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double sample(const peft_image *im, int64_t i)
{
    const void *pixels = peft_image_pixels(im);
    switch (peft_image_depth(im)) {
    case 8: return ((const uint8_t *)pixels)[i];
    case 16: return ((const uint16_t *)pixels)[i];
    case PEFT_SIGNED_16: return ((const int16_t *)pixels)[i];
    default: return ((const float *)pixels)[i];
    }
}

void value_range(const peft_image *im, double *low, double *high)
{
    const int64_t count = peft_image_width(im) * peft_image_height(im) * peft_image_channels(im);
    double least = sample(im, 0), most = least;
    for (int64_t i = 1; i < count; i++) {
        const double v = sample(im, i);
        if (v < least) least = v;
        if (v > most) most = v;
    }
    const double a = peft_image_slope(im) * least + peft_image_intercept(im);
    const double b = peft_image_slope(im) * most + peft_image_intercept(im);
    *low = a < b ? a : b;
    *high = a < b ? b : a;
}

static bool same_pixels(const peft_image *a, const peft_image *b)
{
    const size_t bytes = (size_t)(peft_image_width(a) * peft_image_height(a) * peft_image_channels(a) *
                                  abs(peft_image_depth(a)) / 8);
    return peft_image_width(a) == peft_image_width(b) && peft_image_height(a) == peft_image_height(b) &&
           !memcmp(peft_image_pixels(a), peft_image_pixels(b), bytes);
}

/* Says whether the file asks for turning or mirroring, by reading it once more as it is stored. */
static void print_orientation(peft_context *ctx, const char *path, const char *image_options, const peft_image *im)
{
    peft_image *stored;
    char *options;
    if (image_options && strstr(image_options, "orientation=")) return;
    if (asprintf(&options, "orientation=stored%s%s", image_options ? "," : "", image_options ? image_options : "") < 0)
        fail("out of memory");
    if (!peft_image_load(ctx, path, options, &stored)) {
        if (!same_pixels(stored, im))
            printf("  orientation: turned or mirrored as the file asks; stored as %lldx%lld (height x width), and "
                   "read so with orientation=stored\n", (long long)peft_image_height(stored),
                   (long long)peft_image_width(stored));
        peft_image_free(stored);
    }
    free(options);
}

/* The distances between pixels, from which all figures in millimetres come; of volumes the directions of the axes. */
static void print_geometry(const peft_image *im, bool volume)
{
    static const struct { const char *name; int at; } axis[] = { { "rows", 1 }, { "columns", 2 }, { "slices", 0 } };
    const char *directions = peft_image_directions(im);
    double mm[3];
    peft_image_spacing(im, mm);
    printf("  spacing: ");
    for (int i = 0; i < 3; i++) {
        if (mm[axis[i].at] > 0) printf("%.6g", mm[axis[i].at]);
        else printf("?");
        printf(i < 2 ? " x " : " mm (rows x columns x slices%s)\n",
               mm[0] > 0 && mm[1] > 0 && mm[2] > 0 ? "" : "; ?: not stated by the file");
    }
    if (!volume) return;
    printf("  directions: %s (to where columns, rows and slices count up)\n", *directions ? directions : "not stated");
}

static void print_header(peft_context *ctx, const char *path, bool ids)
{
    static const struct { const char *field; bool id; } row[] = {
        { "modality", false }, { "photometric", false }, { "bits", false }, { "rescale", false }, { "windows", false },
        { "syntax", false }, { "patient", true }, { "study", true }, { "series", true }, { "instance", true } };
    peft_dicom_header *h;
    if (peft_dicom_header_read(ctx, path, &h)) return;
    printf("  frames: %lld\n", (long long)peft_dicom_header_frames(h));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *text = peft_dicom_header_text(h, row[i].field);
        if (ids || !row[i].id) printf("  %s: %s\n", row[i].field, *text ? text : "-");
    }
    peft_dicom_header_free(h);
}

/* Width and height of a picture by the options, which must limit max_side to 1: the error of io_check_limits
 * (src/io/format/decoder.c) states them, and no pixel is decoded. False: another error. */
static bool read_size(peft_context *ctx, const char *path, const char *options, long long *width, long long *height)
{
    peft_image *im;
    if (!peft_image_load(ctx, path, options, &im)) {          /* of one pixel */
        *width = peft_image_width(im);
        *height = peft_image_height(im);
        peft_image_free(im);
        return true;
    }
    const char *limit = strstr(peft_last_error(), ", the limit (max_side)"), *text = limit;
    while (text && text > peft_last_error() && strncmp(text, ": ", 2)) text--;
    return text && sscanf(text, ": %lldx%lld", height, width) == 2;
}

/* Prints the sizes of the levels of a TIFF file, of its first page. */
static void print_levels(peft_context *ctx, const char *path, bool pages)
{
    enum { MOST_LEVELS = 64 };
    long long width, height;
    char options[80];
    for (int level = 0; level < MOST_LEVELS; level++) {
        snprintf(options, sizeof options, "max_side=1,level=%d%s", level, pages ? ",slice=0" : "");
        if (!read_size(ctx, path, options, &width, &height)) return;
        printf("  level %d%s: %lldx%lld (height x width)\n", level, pages ? " of slice 0" : "", height, width);
    }
}

/* Loads the picture. Of a file of several slices, of which image_options chooses none, the first; of several volumes
 * the first. *options: how it was read, to be freed; NULL: by the defaults. */
static peft_status load_first(peft_context *ctx, const char *path, const char *image_options, bool several,
                              char **options, peft_image **im)
{
    static const char *const first[] = { "slice=0", "slice=0,volume=0" };
    peft_status s;
    if (!several || (image_options && strstr(image_options, "slice="))) {
        *options = image_options ? check_alloc(strdup(image_options)) : NULL;
        return peft_image_load(ctx, path, image_options, im);
    }
    for (int i = 0; ; i++) {
        if (asprintf(options, "%s%s%s", first[i], image_options ? "," : "", image_options ? image_options : "") < 0)
            fail("out of memory");
        s = peft_image_load(ctx, path, *options, im);
        if (!s || i == 1 || !strstr(peft_last_error(), "volume=N")) return s;
        printf("  several volumes: %s\n", peft_last_error());
        free(*options);
    }
}

bool inspect_picture(peft_context *ctx, const char *path, const char *image_options, bool ids, bool *failed)
{
    const char *format = picture_format(path);
    peft_image *im;
    int64_t slices = 1;
    char depth[DEPTH_SIZE], *options;
    double low, high;
    if (!format) return false;
    const bool dicom = !strcmp(format, "DICOM"), nifti = !strcmp(format, "NIfTI");
    printf("%s: picture, %s\n", path, format);
    const bool several = !peft_image_slices(ctx, path, image_options, &slices) && slices > 1;
    if (several && !dicom) printf("  slices: %lld\n", (long long)slices);
    if (dicom) print_header(ctx, path, ids);
    if (!strcmp(format, "TIFF")) print_levels(ctx, path, several);
    if (load_first(ctx, path, image_options, several, &options, &im)) {
        printf("  cannot be read%s%s: %s\n", options ? " with " : "", options ? options : "", peft_last_error());
        free(options);
        *failed = true;
        return true;
    }
    value_range(im, &low, &high);
    printf("  read%s%s as: %lldx%lld (height x width), %s, %s, values %.10g to %.10g\n", options ? " with " : "",
           options ? options : "", (long long)peft_image_height(im), (long long)peft_image_width(im),
           peft_image_channels(im) == 1 ? "grey" : "RGB", depth_text(im, depth), low, high);
    print_orientation(ctx, path, options, im);
    if (dicom || nifti) print_geometry(im, nifti);
    free(options);
    peft_image_free(im);
    return true;
}
