/* SPDX-License-Identifier: Apache-2.0
 * palette.c -- the colours of classes (palette.h). */
#include "palette.h"

void class_palette(uint8_t palette[PALETTE_COLOURS * 3])
{
    static const uint32_t first[] = { 0x000000, 0xe69f00, 0x56b4e9, 0x009e73, 0xf0e442, 0x0072b2, 0xd55e00, 0xcc79a7 };
    const int listed = (int)(sizeof first / sizeof *first);
    for (int c = 0; c < PALETTE_COLOURS; c++)
        for (int k = 0; k < 3; k++) {
            unsigned v = 0;
            if (c < listed) v = first[c] >> (16 - 8 * k) & 255;
            else for (int bit = 0; bit < 3; bit++) v |= ((unsigned)c >> (3 * bit + k) & 1) << (7 - bit);
            palette[3 * c + k] = (uint8_t)v;
        }
}
