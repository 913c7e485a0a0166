/* SPDX-License-Identifier: Apache-2.0
 * picture.h -- pictures of any depth as colours of 8 bits, to draw over them, and digests of pictures. */
#ifndef PICTURE_H
#define PICTURE_H
#include <peft/image.h>

/* rgb [height, width, 3]: the picture in 8 bits; other depths from the least sample (black) to the largest (white). */
void draw_picture(const peft_image *im, unsigned char *rgb);
/* The first 16 hexadecimal digits of the SHA-256 of the samples, which identify a picture; its size and depth are not
 * included. */
enum { PICTURE_DIGEST_SIZE = 17 };
void picture_digest(const peft_image *im, char digest[PICTURE_DIGEST_SIZE]);
#endif
