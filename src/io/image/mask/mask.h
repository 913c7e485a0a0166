/* SPDX-License-Identifier: Apache-2.0
 * mask.h -- the struct behind peft_mask, and io_grid: which pixel of a picture each pixel of a moved one comes from. */
#ifndef IO_MASK_H
#define IO_MASK_H
#include "io/image/resize.h"

/* The most classes: labels are stored in 16 bits. */
enum { IO_MASK_CLASSES = 32767 };
struct peft_mask {
    peft_context *ctx;
    atomic_int refs;
    int64_t width, height, classes;
    int64_t planes;                                           /* 1: labels; classes: targets, if multilabel */
    bool multilabel, turned;                                  /* turned: as read, by its EXIF orientation */
    double spacing[3];                                        /* as read: of peft_image_spacing */
    char directions[4];                                       /* as read: of peft_image_directions */
    int16_t outside;                                          /* of all planes where a transform pads: a class, of
                                                                 targets 0, or PEFT_MASK_IGNORED */
    int16_t value[];                                          /* [height, width, planes] */
};

/* A mask of zeros: background, or no class. PEFT_E_INVALID: a side below 1, too many classes or bytes. */
peft_status io_mask_new(peft_context *ctx, int64_t width, int64_t height, int64_t classes, bool multilabel,
                        peft_mask **out);
/* Returns m, with one more reference. */
static inline peft_mask *io_mask_retain(peft_mask *m)
{
    io_retain(&m->refs);
    return m;
}
static inline size_t io_mask_bytes(const peft_mask *m)
{
    return (size_t)(m->width * m->height * m->planes) * sizeof m->value[0];
}
/* Write the values of a mask [height, width, planes] as the caller's labels [height, width] (of a mask of labels), or
 * as targets [height, width, classes]. */
void io_mask_write_labels(const int16_t *value, int64_t pixels, int64_t *out);
void io_mask_write_targets(const int16_t *value, int64_t pixels, int64_t classes, bool multilabel, float *out);

/* Where the pixels of a picture that was moved come from: its pixel (x, y) is that of column column[x] and row row[y]
 * of the picture as it was, or lies outside of it where one of the two is IO_OUTSIDE. All moves of a transform act on
 * columns and rows apart. */
typedef struct io_grid { peft_context *ctx; int64_t width, height, *column, *row; } io_grid;
enum { IO_OUTSIDE = -1 };
/* The grid of a picture that was not moved; io_grid_free frees it, also after a failure. */
peft_status io_grid_make(peft_context *ctx, int64_t width, int64_t height, io_grid *out);
void        io_grid_free(io_grid *g);
/* Move the picture further. io_grid_part: the box at (left, top) of width x height pixels, which may reach beyond the
 * picture; with `mirrored` what is outside continues as mirror images (io_mirrored). io_grid_scale: a resize by the
 * filter nearest, of which s->part is kept, and may reach beyond; filter and order of s are not used. */
peft_status io_grid_part(io_grid *g, const io_part *part, bool mirrored);
peft_status io_grid_scale(io_grid *g, const io_scaling *s);
void        io_grid_flip(io_grid *g);
/* The position that holds the pixel of position i of an axis of `size` pixels, which is continued by mirror images at
 * both ends without repeating the end pixels: for size 3, positions -2..4 hold pixels 2 1 0 1 2 1 0. */
int64_t     io_mirrored(int64_t i, int64_t size);

/* The mask that was moved: *out has the size of the grid. */
peft_status io_mask_move(const peft_mask *m, const io_grid *g, peft_mask **out);
#endif
