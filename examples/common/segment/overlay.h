/* SPDX-License-Identifier: Apache-2.0
 * overlay.h -- draws a label map over the picture that it belongs to. */
#ifndef OVERLAY_H
#define OVERLAY_H
#include <stdint.h>

/* Draws labels [height, width] over rgb [height, width, 3], in place: pixels of a class other than 0 get its colour
 * (palette.h) with this opacity, 0 to 1, and those beside a pixel of another class get it in full, as a contour. The
 * contour is one pixel wide for pictures whose shorter side has up to 512 pixels, else the side / 512. Class 0 is not
 * drawn. */
void draw_overlay(const uint8_t *labels, int64_t width, int64_t height, double opacity, uint8_t *rgb);
#endif
