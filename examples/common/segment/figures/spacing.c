/* SPDX-License-Identifier: Apache-2.0
 * spacing.c -- reads --spacing, and chooses the spacing of a picture (spacing.h). */
#include "spacing.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"

static bool is_length(double mm) { return mm >= 1e-6 && mm <= 1e6; }

pixel_spacing spacing_of_flag(const char *text)
{
    char *end, *last = NULL;
    pixel_spacing s = { 0, 0 };
    if (!text) return s;
    s.row = read_decimal(text, &end);
    if (*end == ':') s.column = read_decimal(end + 1, &last);
    if (!last || last == end + 1 || *last || !is_length(s.row) || !is_length(s.column))
        fail("--spacing: given '%s', expected the distances of rows and of columns in mm, decimal numbers "
             "from 1e-6 to 1e6, as ROW:COLUMN, such as 0.5:0.5", text);
    return s;
}

pixel_spacing spacing_of(const peft_image *im, pixel_spacing other)
{
    double mm[3];
    peft_image_spacing(im, mm);
    const pixel_spacing own = { mm[1], mm[2] };
    return is_known(own) ? own : other;
}
