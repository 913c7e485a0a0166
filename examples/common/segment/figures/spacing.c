/* SPDX-License-Identifier: Apache-2.0
 * spacing.c -- reads --spacing, and chooses the spacing of a picture (spacing.h). */
#include "spacing.h"
#include "common/flags/decimal.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

static bool is_length(double mm) { return mm >= 1e-6 && mm <= 1e6; }

pixel_spacing spacing_of_flag(const char *text)
{
    double mm[3] = { 0 };
    int n = 0;
    char *end = NULL;
    bool good = true;
    if (!text) return (pixel_spacing){ 0 };
    for (const char *at = text; good && n < 3 && (!n || *end == ':'); at = end + 1, n++) {
        mm[n] = read_decimal(at, &end);
        good = end != at && is_length(mm[n]);
    }
    if (!good || n < 2 || *end)
        fail("--spacing: given '%s', expected the distances of rows and of columns in mm, decimal numbers from 1e-6 to "
             "1e6, as ROW:COLUMN, such as 0.5:0.5, or with that of the slices of volumes ROW:COLUMN:SLICE, such as "
             "0.5:0.5:2", text);
    return (pixel_spacing){ mm[0], mm[1], mm[2] };
}

pixel_spacing spacing_of(const peft_image *im, pixel_spacing other)
{
    double mm[3];
    peft_image_spacing(im, mm);
    pixel_spacing s = { mm[1], mm[2], mm[0] > 0 ? mm[0] : other.slice };
    if (!is_known(s)) s.row = other.row, s.column = other.column;
    return s;
}

/* The files of several slices without a distance between them that were noted. */
static struct { int64_t files; char *first, *last; bool warned; } flat;

void note_slice(const char *name, const peft_image *im)
{
    size_t length;
    double mm[3];
    peft_image_spacing(im, mm);
    if (slice_of_name(name, &length) < 0 || mm[0] > 0 || (flat.last && are_of_one_file(flat.last, name))) return;
    free(flat.last);
    flat.last = check_alloc(strdup(name));
    if (!flat.files++) flat.first = file_of_image(name);
}

void warn_of_flat_slices(pixel_spacing other)
{
    if (flat.files && !(other.slice > 0) && !flat.warned) {
        warn("%lld file%s of several slices state%s no distance between slices, such as %s: each slice is a case of "
             "its own, and its distances in 2D are averaged with the distances in 3D of other volumes. For volumes "
             "give --spacing ROW:COLUMN:SLICE, which is used where a file states none", (long long)flat.files,
             flat.files == 1 ? "" : "s", flat.files == 1 ? "s" : "", flat.first);
        flat.warned = true;
    }
    free(flat.first);
    free(flat.last);
    flat.files = 0;
    flat.first = flat.last = NULL;
}
