/* SPDX-License-Identifier: Apache-2.0
 * blend.c -- segments an image in tiles (mode=tiles): predicts a row of tiles, adds each to the weighted mean of its
 * pixels in a band of rows, and emits the rows that no later tile reaches. Tiles are added in their order, whatever the
 * batch, so that results do not depend on it. */
#include "io/segmenter/segmenter.h"
#include "io/transform/steps.h"
#include <stdio.h>

/* One call: the tiles of an image, and memory for a batch of them. */
typedef struct tiling {
    const io_emission *e;
    const peft_image *im;
    io_band *band;
    io_tile_plan across, down;
    io_between *between;                                      /* [height + width]: a tile's rows, then columns */
    float *logits;                                            /* [batch, rows, columns, classes] */
    float *weight;                                            /* the same: of the rows, then columns of a tile */
} tiling;

/* Copies the factors `from` of a tile's rows or columns, with those of its trimmed edges 0. */
static void trim_weights(const io_tile_plan *p, int64_t i, int64_t trim, const float *from, float *weight)
{
    for (int64_t k = 0; k < p->side; k++) {
        const bool trimmed = (k < trim && i > 0) || (p->side - 1 - k < trim && i < p->count - 1);
        weight[k] = trimmed ? 0 : from[k];
    }
}

/* Adds a tile to the band: the mean m of terms with the sum of weights W becomes m + (v - m) w / (W + w), which is v to
 * the bit if all terms are. row, column: of the tile among the tiles. */
static void add_tile(const tiling *t, const float *logits, int64_t row, int64_t column)
{
    const peft_segmenter *s = t->e->s;
    const int64_t top = io_tile_start(&t->down, row), left = io_tile_start(&t->across, column);
    const int64_t height = s->height, width = s->width;
    const float *down = t->weight, *across = t->weight + height;
    trim_weights(&t->down, row, s->options.trim, s->weight, t->weight);
    trim_weights(&t->across, column, s->options.trim, s->weight + height, t->weight + height);
    for (int64_t y = top < 0 ? -top : 0; y < height && top + y < t->im->height; y++)
        for (int64_t x = left < 0 ? -left : 0; x < width && left + x < t->im->width; x++) {
            const float w = down[y] * across[x];
            const int64_t pixel = (top + y - t->band->first) * t->band->width + left + x;
            float term[IO_SEGMENT_CLASSES], *mean = t->band->logits + pixel * s->classes;
            if (w <= 0) continue;
            io_interpolate(logits, s->columns, s->classes, t->between + y, t->between + height + x, term);
            const float share = w / (t->band->weight[pixel] += w);
            for (int64_t k = 0; k < s->classes; k++) mean[k] += (term[k] - mean[k]) * share;
        }
}

/* Predicts n tiles into t->logits. */
static peft_status predict(const tiling *t, const peft_image *const *tile, int64_t n)
{
    const peft_segmenter *s = t->e->s;
    peft_tensor *out;
    peft_status status = peft_tensor_wrap(s->ctx, PEFT_F32, 4, (int64_t[]){ n, s->rows, s->columns, s->classes },
                                          t->logits, &out);
    if (status) return status;
    status = peft_predictor_images(s->predictor, tile, n, out);
    peft_tensor_free(out);
    return status;
}

/* Predicts `count` tiles of a row from `column` on, and adds them. */
static peft_status predict_tiles(const tiling *t, int64_t row, int64_t column, int64_t count)
{
    peft_segmenter *s = t->e->s;
    const int64_t top = io_tile_start(&t->down, row);
    const peft_image **tile = io_alloc(s->ctx, count, sizeof *tile);
    peft_status status = tile ? PEFT_OK : io_nomem("segmenter");
    int64_t made = 0;
    for (; made < count && !status; made++) {
        peft_image *im = NULL;
        const io_part part = { io_tile_start(&t->across, column + made), top, s->width, s->height };
        status = io_tile_cut(t->im, &part, s->options.border, &im);
        tile[made] = im;
    }
    if (!status && (status = predict(t, tile, count))) {
        char which[160];
        const long long left = io_tile_start(&t->across, column);
        snprintf(which, sizeof which, "tiles of %lldx%lld pixels (height x width) from row %lld, column %lld on",
                 (long long)s->height, (long long)s->width, (long long)top, left);
        io_fail_in(status, which);
    }
    for (int64_t i = 0; i < count && !status; i++)
        add_tile(t, t->logits + i * s->rows * s->columns * s->classes, row, column + i);
    for (int64_t i = 0; i < made; i++) peft_image_free((peft_image *)tile[i]);
    peft_sys_free(s->ctx, tile);
    return status;
}

/* Moves the band down so that it begins with row `first`, and clears the rows that come in. */
static void move_band(io_band *b, int64_t rows, int64_t first)
{
    const size_t gone = (size_t)((first - b->first) * b->width), all = (size_t)(rows * b->width), kept = all - gone;
    const size_t classes = (size_t)b->classes;
    memmove(b->weight, b->weight + gone, kept * sizeof(float));
    memset(b->weight + kept, 0, gone * sizeof(float));
    memmove(b->logits, b->logits + gone * classes, kept * classes * sizeof(float));
    memset(b->logits + kept * classes, 0, gone * classes * sizeof(float));
    b->first = first;
}

/* Rows of tiles from the top to the bottom. A row is finished where the next row of tiles begins. */
static peft_status all_tiles(const tiling *t)
{
    peft_segmenter *s = t->e->s;
    const int64_t batch = s->predictor->batch;
    peft_status status = PEFT_OK;
    for (int64_t row = 0; row < t->down.count && !status; row++) {
        const int64_t end = row + 1 < t->down.count ? io_tile_start(&t->down, row + 1) : t->im->height;
        for (int64_t column = 0; column < t->across.count && !status; column += batch) {
            const int64_t left = t->across.count - column;
            status = predict_tiles(t, row, column, left < batch ? left : batch);
        }
        if (!status) status = io_emit(t->e, t->band, t->band->first, end - t->band->first);
        if (!status && end < t->im->height) move_band(t->band, s->height, end);
    }
    return status;
}

peft_status io_segment_tiles(const io_emission *e, const peft_image *im, io_band *band)
{
    peft_segmenter *s = e->s;
    const int64_t height = s->height, width = s->width;
    tiling t = { .e = e, .im = im, .band = band, .across = io_tiles_along(s, width, im->width),
                 .down = io_tiles_along(s, height, im->height) };
    peft_status status = io_range_of_parts(s->transform, im, &s->tile_transform->recipe.range);
    if (status) return status;
    t.between = io_alloc(s->ctx, height + width, sizeof *t.between);
    t.weight = io_alloc(s->ctx, height + width, sizeof *t.weight);
    t.logits = io_alloc(s->ctx, s->predictor->batch * s->rows * s->columns * s->classes, sizeof *t.logits);
    if (t.between && t.weight && t.logits) {
        io_between_fill(t.between, height, 0, (double)s->rows / (double)height, s->rows);
        io_between_fill(t.between + height, width, 0, (double)s->columns / (double)width, s->columns);
        status = all_tiles(&t);
    } else {
        status = io_nomem("segmenter");
    }
    peft_sys_free(s->ctx, t.logits);
    peft_sys_free(s->ctx, t.weight);
    peft_sys_free(s->ctx, t.between);
    return status;
}
