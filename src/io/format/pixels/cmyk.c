/* SPDX-License-Identifier: Apache-2.0
 * cmyk.c -- io_cmyk_to_rgb: light = (255 - black) * (255 - ink) / 255, with Pillow's rounding. */
#include "io/format/pixels/cmyk.h"

void io_cmyk_to_rgb(const uint8_t *cmyk, size_t n, io_ink ink, uint8_t *rgb)
{
    const unsigned inverted = ink == IO_INK_LIGHT ? 255 : 0;
    for (size_t i = 0; i < n; i++, cmyk += 4, rgb += 3) {
        const int white = 255 - (int)(cmyk[3] ^ inverted);
        for (int c = 0; c < 3; c++) {
            const int product = (int)(cmyk[c] ^ inverted) * white + 128;  /* (product + product / 256) / 256: / 255 */
            const int light = white - ((product >> 8) + product) / 256;
            rgb[c] = (uint8_t)(light < 0 ? 0 : light);
        }
    }
}
