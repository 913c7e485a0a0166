/* SPDX-License-Identifier: Apache-2.0
 * picture.c -- pictures of any depth as colours of 8 bits, to draw over them, and digests (picture.h). */
#include "picture.h"
#include <math.h>
#include <peft/file.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sample i of a picture, as it is stored. */
static double sample(const peft_image *im, int64_t i)
{
    const void *p = peft_image_pixels(im);
    switch (peft_image_depth(im)) {
    case 8: return ((const uint8_t *)p)[i];
    case 16: return ((const uint16_t *)p)[i];
    case PEFT_SIGNED_16: return ((const int16_t *)p)[i];
    default: return (double)((const float *)p)[i];
    }
}

void draw_picture(const peft_image *im, unsigned char *rgb)
{
    const int64_t channels = peft_image_channels(im), pixels = peft_image_width(im) * peft_image_height(im);
    double low = 0, high = 255;
    if (peft_image_depth(im) != 8) {
        low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < pixels * channels; i++) {
            low = fmin(low, sample(im, i));
            high = fmax(high, sample(im, i));
        }
        if (!(high > low)) high = low + 1;
    }
    for (int64_t i = 0; i < 3 * pixels; i++) {
        const double v = (sample(im, i / 3 * channels + (channels == 3 ? i % 3 : 0)) - low) / (high - low);
        rgb[i] = (unsigned char)lround(255 * fmin(1, fmax(0, v)));
    }
}

void picture_digest(const peft_image *im, char digest[PICTURE_DIGEST_SIZE])
{
    char hex[65];
    const size_t samples = (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im));
    peft_sha256(peft_image_pixels(im), samples * (size_t)abs(peft_image_depth(im)) / 8, hex);
    memcpy(digest, hex, PICTURE_DIGEST_SIZE - 1);
    digest[PICTURE_DIGEST_SIZE - 1] = 0;
}
