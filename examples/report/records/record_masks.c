/* SPDX-License-Identifier: Apache-2.0
 * record_masks.c -- reads the predicted masks that compare records of a run (report_study.h, records.h). */
#include "common/program/errors.h"
#include "report/report_study.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { f_rank, f_case, f_image, f_width, f_height, f_labels, mask_fields };
enum { most_pixels = 1 << 30, most_labels = 256 };

/* Fills label [count] from runs of pixels "class*pixels" with blanks between them. */
static void read_labels(const study *s, const char *text, int64_t count, uint8_t *label, const char *path)
{
    const int64_t classes = s->classes < most_labels ? s->classes : most_labels;
    int64_t at = 0;
    while (at < count) {
        char *star, *end;
        errno = 0;
        const long class = strtol(text, &star, 10);
        if (errno || star == text || *star != '*' || class < 0 || class >= classes) fail_malformed(path);
        const long long pixels = strtoll(star + 1, &end, 10);
        if (errno || end == star + 1 || pixels < 1 || pixels > count - at) fail_malformed(path);
        memset(label + at, (int)class, (size_t)pixels);
        at += pixels;
        if (*end != (at < count ? ' ' : 0)) fail_malformed(path);
        text = end + 1;
    }
}

static void store_mask(const study *s, run *r, int64_t row, char **field, const char *path)
{
    if (row >= MOST_SHOWN_MASKS) fail_malformed(path);
    shown_mask *m = &r->shown[row];
    *m = (shown_mask){ .rank = field[f_rank], .at = whole_number(field[f_case], r->images, path),
                       .image = whole_number(field[f_image], images_of_cases(&r->cases), path),
                       .width = whole_number(field[f_width], most_pixels, path),
                       .height = whole_number(field[f_height], most_pixels, path) };
    if (!m->width || !m->height || m->width > most_pixels / m->height) fail_malformed(path);
    if (strcmp(m->rank, "best") && strcmp(m->rank, "median") && strcmp(m->rank, "worst")) fail_malformed(path);
    m->label = check_alloc(malloc((size_t)(m->width * m->height)));
    read_labels(s, field[f_labels], m->width * m->height, m->label, path);
    r->shown_masks = row + 1;
}

void read_masks(const study *s, const method *m, run *r)
{
    const int64_t least = 0;
    (void)read_rows(s, m, r, &r->text[3], "masks", mask_fields, least, store_mask);
}
