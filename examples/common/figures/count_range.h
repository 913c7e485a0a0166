/* SPDX-License-Identifier: Apache-2.0
 * count_range.h -- a number that may differ between the draws of a study: "60 images", "53 to 60 images". */
#ifndef COUNT_RANGE_H
#define COUNT_RANGE_H
#include <stdint.h>
#include <stdio.h>

typedef struct count_range { int64_t low, high; } count_range;
#define EMPTY_RANGE ((count_range){ INT64_MAX, 0 })                   /* no number was added; as text "0 images" */
static inline void add_to_range(count_range *r, int64_t n)
{
    if (n < r->low) r->low = n;
    if (n > r->high) r->high = n;
}
/* Writes "53 to 60 images", or "60 images", into text. noun: "image"; takes an s unless the number is 1. */
enum { RANGE_TEXT = 96 };
const char *range_text(char text[RANGE_TEXT], count_range r, const char *noun);
#endif
