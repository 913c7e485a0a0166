/* SPDX-License-Identifier: Apache-2.0
 * count_range.c -- the text of a number that may differ between draws (count_range.h). */
#include "count_range.h"
#include <inttypes.h>

const char *range_text(char text[RANGE_TEXT], count_range r, const char *noun)
{
    if (r.low < r.high) snprintf(text, RANGE_TEXT, "%" PRId64 " to %" PRId64 " %ss", r.low, r.high, noun);
    else snprintf(text, RANGE_TEXT, "%" PRId64 " %s%s", r.high, noun, r.high == 1 ? "" : "s");
    return text;
}
