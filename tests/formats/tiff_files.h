/* SPDX-License-Identifier: Apache-2.0
 * tiff_files.h -- writes TIFF files by libtiff. */
#ifndef TIFF_FILES_H
#define TIFF_FILES_H
#include "io_files.h"
#include <stdbool.h>
#include <tiffio.h>

/* A page. Fields of 0 stand for the usual: 8 bits, 1 sample, grey, one strip, no compression. */
typedef struct page {
    int width, height, bits, samples, format, photometric, compression;
    int tile;                                                 /* side of tiles; 0: strips */
    int rows;                                                 /* of a strip */
    bool planes;                                              /* each channel by itself */
    int extra;                                                /* 1 + the kind of the extra samples; 0: none */
    int orientation, reduced, subdirectories;
    const char *description;
    const uint16_t *palette;                                  /* 3 * 2^bits */
} page;

static inline void set_tags(TIFF *t, const page *p)
{
    const int bits = p->bits ? p->bits : 8, samples = p->samples ? p->samples : 1;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, p->width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, p->height);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, p->photometric ? p->photometric - 1 : samples == 3 ? PHOTOMETRIC_RGB
                                                                                           : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_COMPRESSION, p->compression ? p->compression : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, p->planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (p->format) TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, p->format);
    if (p->tile) TIFFSetField(t, TIFFTAG_TILEWIDTH, p->tile), TIFFSetField(t, TIFFTAG_TILELENGTH, p->tile);
    else TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, p->rows ? p->rows : p->height);
    if (p->orientation) TIFFSetField(t, TIFFTAG_ORIENTATION, p->orientation);
    if (p->reduced) TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    if (p->description) TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, p->description);
    if (p->extra) TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, (uint16_t[]){ (uint16_t)(p->extra - 1) });
    if (p->palette)
        TIFFSetField(t, TIFFTAG_COLORMAP, p->palette, p->palette + (1 << bits), p->palette + (2 << bits));
    if (p->photometric == 1 + PHOTOMETRIC_YCBCR) TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (p->subdirectories) TIFFSetField(t, TIFFTAG_SUBIFD, p->subdirectories, (toff_t[8]){ 0 });
}

/* Adds a page. data: rows [height][width][samples], or with planes [samples][height][width], of whole bytes a row. */
static inline void add_page(TIFF *t, const page *p, const void *data)
{
    const int bits = p->bits ? p->bits : 8, samples = p->samples ? p->samples : 1, stored = p->planes ? 1 : samples;
    const size_t pixel = (size_t)(bits * stored / 8), row = ((size_t)p->width * (size_t)(bits * stored) + 7) / 8;
    set_tags(t, p);
    for (int plane = 0; plane < (p->planes ? samples : 1); plane++) {
        const uint8_t *from = (const uint8_t *)data + (size_t)plane * row * (size_t)p->height;
        for (int y = 0; y < p->height && !p->tile; y++) {
            uint8_t *copy = malloc(row);                      /* libtiff may change it */
            memcpy(copy, from + (size_t)y * row, row);
            ck_assert_int_eq(TIFFWriteScanline(t, copy, (uint32_t)y, (uint16_t)plane), 1);
            free(copy);
        }
        for (int y = 0; y < p->height && p->tile; y += p->tile)
            for (int x = 0; x < p->width; x += p->tile) {
                uint8_t *tile = calloc((size_t)(p->tile * p->tile), pixel);
                const int w = p->width - x < p->tile ? p->width - x : p->tile;
                for (int r = 0; r < p->tile && y + r < p->height; r++)
                    memcpy(tile + (size_t)(r * p->tile) * pixel, from + (size_t)(y + r) * row + (size_t)x * pixel,
                           (size_t)w * pixel);
                ck_assert_int_gt(TIFFWriteTile(t, tile, (uint32_t)x, (uint32_t)y, 0, (uint16_t)plane), 0);
                free(tile);
            }
    }
    ck_assert_int_eq(TIFFWriteDirectory(t), 1);
}

/* Writes a file of one page; its path stays valid as in_folder says. */
static inline const char *tiff_of(const page *p, const void *data)
{
    const char *path = in_folder("a.tif");
    TIFF *t = TIFFOpen(path, "w");
    ck_assert_ptr_nonnull(t);
    add_page(t, p, data);
    TIFFClose(t);
    return path;
}

/* Loads a file, which must succeed. */
static inline peft_image *load_tiff(const char *path, const char *options)
{
    peft_image *im;
    ok(peft_image_load(io_ctx, path, options, &im));
    return im;
}
#endif
