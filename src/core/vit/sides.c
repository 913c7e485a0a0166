/* SPDX-License-Identifier: Apache-2.0
 * sides.c -- height and width of images as text, "224" or "384x512". */
#include <stdio.h>
#include "core/options/value.h"
#include "core/vit/shape.h"

const char *pf_sides_text(char text[PF_SIDES_MAX], pf_grid sides)
{
    if (sides.h == sides.w) snprintf(text, PF_SIDES_MAX, "%lld", (long long)sides.h);
    else snprintf(text, PF_SIDES_MAX, "%lldx%lld", (long long)sides.h, (long long)sides.w);
    return text;
}

bool pf_sides_read(const char *text, pf_grid *sides)
{
    pf_grid g;
    if (!pf_value_sides(text, &g.h, &g.w)) return false;
    if (!g.w) g.w = g.h;
    *sides = g;
    return true;
}
