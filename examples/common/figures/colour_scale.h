/* SPDX-License-Identifier: Apache-2.0
 * colour_scale.h -- the colours of maps over images: from dark violet by blue, green to light yellow. Lightness rises
 * evenly, so that the order of values can be told in grey and with every kind of colour blindness. */
#ifndef COLOUR_SCALE_H
#define COLOUR_SCALE_H

/* v from 0 to 1 (values outside count as the nearest): rgb [3], sRGB 0..255. */
void scale_colour(double v, unsigned char rgb[3]);
#endif
