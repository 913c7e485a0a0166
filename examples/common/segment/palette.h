/* SPDX-License-Identifier: Apache-2.0
 * palette.h -- the colours of classes in label masks and overlays. */
#ifndef PALETTE_H
#define PALETTE_H
#include <stdint.h>

enum { PALETTE_COLOURS = 256 };
/* Fills palette [PALETTE_COLOURS, 3] with red, green and blue of each class. Class 0 is black; 1 to 7 are the colours
 * of Okabe and Ito, which people with colour vision deficiencies can tell apart: orange E69F00, sky blue 56B4E9, green
 * 009E73, yellow F0E442, blue 0072B2, vermilion D55E00, purple CC79A7. Class c from 8 on has colour c of the PASCAL VOC
 * challenge, which spreads the bits of c over the upper bits of red, green and blue. */
void class_palette(uint8_t palette[PALETTE_COLOURS * 3]);
#endif
