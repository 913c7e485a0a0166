/* SPDX-License-Identifier: Apache-2.0
 * report_image.c -- an image inside the page: shrunk, as PNG, in base 64. */
#include "common/program/errors.h"
#include "report_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_base64(FILE *f, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned v = (unsigned)data[i] << 16;
        if (left > 1) v |= (unsigned)data[i + 1] << 8;
        if (left > 2) v |= data[i + 2];
        char four[4] = { digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                         left > 2 ? digits[v & 63] : '=' };
        fwrite(four, 1, 4, f);
    }
}

/* The PNG file's bytes, by way of a folder of our own; to be freed. */
static unsigned char *png_bytes(const peft_image *im, size_t *size)
{
    const char *place = getenv("TMPDIR");
    char *folder, *path;
    if (asprintf(&folder, "%s/peft-report-XXXXXX", place && *place ? place : "/tmp") < 0) fail("out of memory");
    if (!mkdtemp(folder)) fail("%s: %s", folder, strerror(errno));
    if (asprintf(&path, "%s/image.png", folder) < 0) fail("out of memory");
    peft_status s = peft_image_save_png(im, path);
    FILE *f = s ? NULL : fopen(path, "rb");
    long length = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    unsigned char *bytes = length > 0 ? need(malloc((size_t)length)) : NULL;
    *size = length > 0 ? (size_t)length : 0;
    bool bad = !bytes || fseek(f, 0, SEEK_SET) || fread(bytes, 1, *size, f) != *size;
    if (f) fclose(f);
    unlink(path);
    rmdir(folder);
    must(s);
    if (bad) fail("%s: cannot be read back", path);
    free(path);
    free(folder);
    return bytes;
}

void put_image_uri(FILE *f, const peft_image *im, int64_t side)
{
    int64_t w = peft_image_width(im), h = peft_image_height(im), longer = w > h ? w : h;
    peft_image *small = NULL;
    if (longer > side) {
        int64_t narrow = (side * w + longer / 2) / longer, low = (side * h + longer / 2) / longer;
        must(peft_image_resize(im, narrow ? narrow : 1, low ? low : 1, "bicubic", &small));
    }
    size_t size;
    unsigned char *bytes = png_bytes(small ? small : im, &size);
    fputs("data:image/png;base64,", f);
    put_base64(f, bytes, size);
    free(bytes);
    peft_image_free(small);
}
