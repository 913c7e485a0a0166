/* SPDX-License-Identifier: Apache-2.0
 * record_masks.c -- reads the predicted masks that compare records of a run (report_study.h, records.h). */
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "record_rows.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { f_rank, f_case, f_image, f_width, f_height, f_labels, f_digest, mask_fields };
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

/* The case must have the Dice of its rank; figures have nine digits. */
static void check_rank(const case_table *f, const shown_mask *m, int64_t row, const char *path)
{
    int64_t n, *order = order_by_dice(f, &n);
    const int64_t place = place_of_rank(m->rank, n);
    if (place < 0) fail_malformed(path);
    const double dice = case_mean(f, CASE_DICE, m->at), expected = case_mean(f, CASE_DICE, order[place]);
    if (!(fabs(dice - expected) <= 1e-8))
        fail("%s:%lld: the %s case is '%.200s' with a mean Dice of %.9g; by the figures it is '%.200s' with %.9g; %s",
             path, (long long)row + 2, m->rank, f->name[m->at], dice, f->name[order[place]], expected,
             damaged_records_advice);
    free(order);
}

/* Checks that the mask's image is one of its case; images are numbered in the order of the cases. */
static void check_image(const case_table *f, const shown_mask *m, int64_t row, const char *path)
{
    int64_t first = 0;
    for (int64_t i = 0; i < m->at; i++) first += f->images[i];
    if (m->image < first || m->image >= first + f->images[m->at])
        fail("%s:%lld: image %lld is none of case '%.200s', whose images are %lld to %lld; %s", path,
             (long long)row + 2, (long long)m->image, f->name[m->at], (long long)first,
             (long long)(first + f->images[m->at] - 1), damaged_records_advice);
}

/* For one image the recorded pixels of a class equal those in the mask, or are fewer if the true mask excludes pixels.
 * For a volume the mask is one slice, so it has at most the volume's pixels, and with excluded pixels any number. */
static void check_pixels(const case_table *f, const shown_mask *m, int64_t row, const char *path)
{
    const int64_t pixels = m->width * m->height, all = pixels * f->images[m->at];
    int64_t judged = 0;
    for (int64_t c = 0; c < f->classes; c++) judged += f->predicted[m->at * f->classes + c];
    const bool excludes_pixels = judged < all, slice = f->images[m->at] > 1;
    for (int64_t c = 0; c < f->classes; c++) {
        const int64_t recorded = f->predicted[m->at * f->classes + c];
        int64_t n = 0;
        for (int64_t k = 0; k < pixels; k++) n += m->label[k] == c;
        const bool too_few = n < recorded && !slice, too_many = n > recorded && !excludes_pixels;
        if (judged <= all && !too_few && !too_many) continue;
        fail("%s:%lld: the mask of case '%.200s' has %lld of %lld pixels of class '%.60s', and its figures are of "
             "%lld of %lld predicted pixels; %s", path, (long long)row + 2, f->name[m->at], (long long)n,
             (long long)all, f->class_name[c], (long long)recorded, (long long)judged, damaged_records_advice);
    }
}

static void store_mask(const study *s, run *r, int64_t row, char **field, const char *path)
{
    if (row >= MOST_SHOWN_MASKS) fail_malformed(path);
    shown_mask *m = &r->shown[row];
    *m = (shown_mask){ .rank = field[f_rank], .digest = field[f_digest],
                       .at = whole_number(field[f_case], r->images, path),
                       .image = whole_number(field[f_image], images_of_cases(&r->cases), path),
                       .width = whole_number(field[f_width], most_pixels, path),
                       .height = whole_number(field[f_height], most_pixels, path) };
    if (!m->width || !m->height || m->width > most_pixels / m->height) fail_malformed(path);
    m->label = check_alloc(malloc((size_t)(m->width * m->height)));
    read_labels(s, field[f_labels], m->width * m->height, m->label, path);
    r->shown_masks = row + 1;
    check_rank(&r->cases, m, row, path);
    check_image(&r->cases, m, row, path);
    check_pixels(&r->cases, m, row, path);
}

void read_masks(const study *s, const method *m, run *r)
{
    (void)read_record_file(s, m, r, &r->text[3], &(file_form){ .kind = "masks", .fields = mask_fields,
                                                               .may_lack_last = true, .store = store_mask });
}
