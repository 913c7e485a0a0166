/* SPDX-License-Identifier: Apache-2.0
 * segmenter.h -- the struct behind peft_segmenter, and the parts of a call: a band of rows of the image whose logits
 * are being computed, the plan of tiles along an axis, and bilinear interpolation. */
#ifndef IO_SEGMENTER_H
#define IO_SEGMENTER_H
#include <peft/segmenter.h>
#include "io/predictor/predictor.h"
#include "io/transform/transform.h"

enum { IO_MODE_WHOLE, IO_MODE_TILES };
enum { IO_BLEND_GAUSSIAN, IO_BLEND_LINEAR, IO_BLEND_CONSTANT };
enum { IO_BORDER_REFLECT, IO_BORDER_EDGE };
enum { IO_SEGMENT_CLASSES = 256 };                          /* the most: labels have 8 bits */

typedef struct io_segment_options { int mode, blend, border; double overlap; int64_t trim; } io_segment_options;

struct peft_segmenter {
    peft_context *ctx;
    io_segment_options options;
    peft_predictor *predictor;                                /* of whole images, or of tiles (tile_transform) */
    peft_transform *transform;                                /* the one of whole images */
    peft_transform *tile_transform;                           /* tiles: without resize; its range is set for each
                                                               * image. NULL with mode=whole */
    int64_t height, width;                                    /* of the input */
    int64_t rows, columns, classes;                           /* of the logits [rows, columns, classes] */
    float *weight;                                            /* tiles: [height + width], the factors of a tile's rows,
                                                               * then of its columns */
};

/* Rows first .. first + count - 1 of an image of this width: logits [count, width, classes], and the sum of the weights
 * of their terms [count, width]. */
typedef struct io_band {
    int64_t first, count, width, classes;
    float *logits, *weight;
    uint8_t *labels;                                          /* [count, width] */
} io_band;

/* Where along one axis a position takes its value: between source positions from and to, at this share of the way. */
typedef struct io_between { int32_t from, to; float share; } io_between;
/* Fills at [n]: position i of the result lies at (i + 0.5 - offset) * scale - 0.5 of a source of `size` positions, and
 * at its first or last one if that is outside. */
void io_between_fill(io_between *at, int64_t n, double offset, double scale, int64_t size);
/* Interpolates from the logits [.., columns, classes] of one map: out [classes]. */
static inline void io_interpolate(const float *map, int64_t columns, int64_t classes, const io_between *y,
                                  const io_between *x, float *out)
{
    const float *a = map + (y->from * columns + x->from) * classes, *b = map + (y->from * columns + x->to) * classes;
    const float *c = map + (y->to * columns + x->from) * classes, *d = map + (y->to * columns + x->to) * classes;
    for (int64_t k = 0; k < classes; k++) {
        const float above = a[k] + (b[k] - a[k]) * x->share, below = c[k] + (d[k] - c[k]) * x->share;
        out[k] = above + (below - above) * y->share;
    }
}

/* The tiles along one axis of an image: tile i covers io_tile_start(p, i) .. + side - 1. */
typedef struct io_tile_plan { int64_t length, side, count; } io_tile_plan;
io_tile_plan io_tiles_along(const peft_segmenter *s, int64_t side, int64_t length);    /* side: of a tile */
int64_t      io_tile_start(const io_tile_plan *p, int64_t i);  /* negative where the image is shorter than a tile */
/* Copies the part of an image, which may reach beyond it; border: IO_BORDER_... */
peft_status  io_tile_cut(const peft_image *im, const io_part *part, int border, peft_image **out);

/* Several classes with a probability each (link sigmoid) have no label map. */
bool         io_has_labels(const peft_segmenter *s);
/* out must be a tensor [height, width, classes] of this type. */
peft_status  io_check_map(const peft_segmenter *s, const peft_image *im, const peft_tensor *out, peft_dtype type);
/* Calls fn with the finished rows first .. first + count - 1 of the band. */
typedef struct io_emission {
    peft_segmenter *s;
    bool with_probabilities;
    peft_segmenter_fn fn;
    void *user;
} io_emission;
peft_status io_emit(const io_emission *e, io_band *band, int64_t first, int64_t count);
/* Gets the box of an image of this size that the transform keeps (peft_transform_box). PEFT_E_UNSUPPORTED: it cuts off
 * borders, which a segmenter with mode=whole cannot label. */
peft_status io_check_whole(const peft_segmenter *s, int64_t width, int64_t height, double box[4]);
/* Segment an image; band has room for s->height rows. */
peft_status io_segment_whole(const io_emission *e, const peft_image *im, io_band *band);
peft_status io_segment_tiles(const io_emission *e, const peft_image *im, io_band *band);
#endif
