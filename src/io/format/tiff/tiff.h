/* SPDX-License-Identifier: Apache-2.0
 * tiff.h -- io_tiff: a TIFF file that libtiff reads; its pages, and the layout of the pixels of one. */
#ifndef IO_TIFF_H
#define IO_TIFF_H
#include "io/format/decoder.h"
#include "io/format/pixels/samples.h"
#include <tiffio.h>

/* A directory of the file's main chain. */
typedef struct io_tiff_page { uint64_t offset; bool reduced, tiled; } io_tiff_page;
typedef struct io_tiff {
    TIFF *tif;
    peft_context *ctx;
    const uint8_t *data;                                      /* NULL: the bytes are read from fd */
    int fd;
    uint64_t size, position;                                  /* of the file; where libtiff reads next */
    bool strict;                                              /* warnings are errors: while pixels are decoded */
    char message[200];                                        /* the first error of libtiff since it was cleared */
    io_tiff_page *page;
    int64_t pages, slices;
    bool slide;                                               /* by Aperio: tiled pages are levels, others are labels */
} io_tiff;

/* Opens the file; libtiff allocates by malloc, no block larger than max_bytes or 16 MiB. The caller closes and frees
 * *out. */
peft_status io_tiff_open(const io_encoded *f, io_tiff **out);
void        io_tiff_close(io_tiff *t);
/* PEFT_E_FORMAT with libtiff's message, or with `what` where it has none. */
peft_status io_tiff_failed(const io_tiff *t, const char *what);

/* Finds the pages: sets t->page, pages, slices and slide. The caller frees t->page. */
peft_status io_tiff_find_pages(io_tiff *t);
/* Makes the directory of this level of slice i the current one. PEFT_E_OPTION: there is no such level. */
peft_status io_tiff_go_to(io_tiff *t, int64_t slice, int64_t level);

/* How the pixels of the current directory are stored. */
typedef enum io_tiff_colours {
    IO_TIFF_GREY, IO_TIFF_WHITE_0, IO_TIFF_RGB, IO_TIFF_PALETTE, IO_TIFF_CMYK
} io_tiff_colours;
typedef struct io_tiff_layout {
    int64_t width, height;
    io_tiff_colours colours;
    io_number number;                                         /* of a sample as it is decoded, from 8 bits on */
    int bits, stored, channels, planes;                       /* of a sample; samples of a pixel, in a chunk, in all */
    int alpha;                                                /* index of the sample that is alpha; -1: none */
    bool multiplied;                                          /* colours are multiplied by alpha */
    io_type type;                                             /* of the image's samples */
    int64_t chunk_width, chunk_height, row_bytes;             /* of a tile or strip; of a row in it */
    uint64_t chunk_bytes;
    bool tiled;
    io_turn turn;                                             /* by the tag Orientation */
    const uint16_t *map[3];                                   /* red, green and blue of a palette */
} io_tiff_layout;
/* PEFT_E_UNSUPPORTED, PEFT_E_FORMAT: the message names the tag. */
peft_status io_tiff_read_layout(io_tiff *t, io_tiff_layout *out);

/* Decodes the box of the current directory into im, which has its size: only the tiles or strips that it meets. */
peft_status io_tiff_read_box(io_tiff *t, const io_tiff_layout *l, const io_box *box, peft_image *im);
#endif
