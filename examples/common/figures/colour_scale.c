/* SPDX-License-Identifier: Apache-2.0
 * colour_scale.c -- computes the colours of maps in Oklab (B. Ottosson, 2020): a path of evenly rising lightness whose
 * hue turns from violet to yellow (colour_scale.h). */
#include "common/figures/colour_scale.h"
#include <math.h>

/* A linear intensity 0..1 as an sRGB sample (IEC 61966-2-1). */
static unsigned char srgb(double linear)
{
    const double x = fmin(1, fmax(0, linear));
    const double y = x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
    return (unsigned char)lround(255 * y);
}

void scale_colour(double v, unsigned char rgb[3])
{
    const double pi = 3.14159265358979323846, t = fmin(1, fmax(0, v));
    const double lightness = 0.27 + 0.65 * t, hue = (305 - 200 * t) * pi / 180, chroma = 0.11 + 0.05 * t;
    const double a = chroma * cos(hue), b = chroma * sin(hue);
    /* from Oklab to the responses of the three cones, then to linear sRGB */
    const double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}
