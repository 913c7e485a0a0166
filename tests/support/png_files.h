/* SPDX-License-Identifier: Apache-2.0
 * png_files.h -- encodes PNG files of any colour type and bit depth. */
#ifndef PNG_FILES_H
#define PNG_FILES_H
#include "suite.h"
#include <spng.h>

/* Encodes w x h samples, `bytes` bytes at data, as a PNG of *size bytes in memory, which the caller frees. type: an
 * SPNG_COLOR_TYPE_*; indexed images get a palette of four colours. bits: of a sample. trns: transparency chunk, or
 * NULL. */
static inline void *png_of(int type, int bits, unsigned w, unsigned h, const struct spng_trns *trns, const void *data,
                           size_t bytes, size_t *size)
{
    struct spng_ihdr ihdr = { .width = w, .height = h, .bit_depth = (uint8_t)bits, .color_type = (uint8_t)type };
    struct spng_plte palette = { .n_entries = 4, .entries = { { 1, 2, 3, 0 }, { 40, 50, 60, 0 }, { 7, 8, 9, 0 },
                                                              { 255, 0, 128, 0 } } };
    int error = 0;
    spng_ctx *ctx = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_option(ctx, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(ctx, &ihdr);
    if (type == SPNG_COLOR_TYPE_INDEXED) spng_set_plte(ctx, &palette);
    struct spng_trns transparent;
    if (trns) {
        transparent = *trns;
        ck_assert_int_eq(spng_set_trns(ctx, &transparent), 0);
    }
    ck_assert_int_eq(spng_encode_image(ctx, data, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    void *png = spng_get_png_buffer(ctx, size, &error);
    ck_assert_int_eq(error, 0);
    spng_ctx_free(ctx);
    return png;
}
#endif
