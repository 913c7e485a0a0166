/* SPDX-License-Identifier: Apache-2.0
 * draw_masks.h -- draws a predicted and a true label map as an overlay of a picture. */
#ifndef DRAW_MASKS_H
#define DRAW_MASKS_H
#include <stdint.h>

enum { LARGEST_OVERLAY = 512, AREA_OPACITY = 115, CONTOUR_OPACITY = 255 };
/* rgb [height, width, 3], alpha [height, width]: opacity. */
typedef struct mask_overlay { int64_t width, height; unsigned char *rgb, *alpha; } mask_overlay;

/* Predicted classes but 0 are areas of AREA_OPACITY in the colours of palette.h; over them lie the contours of true
 * classes but 0, in their colours: the pixels of a class beside a pixel of another one or the border. predicted, truth
 * [height, width]; truth: -1 is not judged and has no contour; NULL: not known. An overlay of a map with more than
 * LARGEST_OVERLAY pixels a side is reduced, and shows for each of its pixels the one of the map in its middle. */
mask_overlay draw_masks(const uint8_t *predicted, const int64_t *truth, int64_t width, int64_t height);
void         free_overlay(mask_overlay *o);
#endif
