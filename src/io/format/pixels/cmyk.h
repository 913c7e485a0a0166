/* SPDX-License-Identifier: Apache-2.0
 * cmyk.h -- colours of four inks (cyan, magenta, yellow, black) to RGB, for pictures for print. */
#ifndef IO_CMYK_H
#define IO_CMYK_H
#include <stddef.h>
#include <stdint.h>

/* What a sample says of its ink. IO_INK_LIGHT: 255 is none, as in JPEG files by Adobe's programs. */
typedef enum io_ink { IO_INK_FULL, IO_INK_LIGHT } io_ink;
/* Converts n pixels of 4 samples to 3, to the bit as convert("RGB") of Pillow does: without colour profiles. */
void io_cmyk_to_rgb(const uint8_t *cmyk, size_t n, io_ink ink, uint8_t *rgb);
#endif
