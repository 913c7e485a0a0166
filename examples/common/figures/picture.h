/* SPDX-License-Identifier: Apache-2.0
 * picture.h -- pictures of any depth as colours of 8 bits, to draw over them. */
#ifndef PICTURE_H
#define PICTURE_H
#include <peft/image.h>

/* rgb [height, width, 3]: the picture in 8 bits; other depths from the least sample (black) to the largest (white). */
void draw_picture(const peft_image *im, unsigned char *rgb);
#endif
