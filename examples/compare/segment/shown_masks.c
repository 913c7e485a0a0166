/* SPDX-License-Identifier: Apache-2.0
 * shown_masks.c -- records the predicted masks of the best, the median and the worst case of a run, which report
 * draws over the pictures (segment.h, records.h). */
#include "common/files/atomic_file.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "segment.h"
#include <math.h>
#include <stdlib.h>

typedef struct ranked { double dice; int64_t i; } ranked;
/* The largest Dice first; of equal ones the first case. */
static int by_dice(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->dice > y->dice) return -1;
    if (x->dice < y->dice) return 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* Writes the labels row by row as runs of pixels of a class: "0*120 2*7". */
static void put_labels(FILE *f, const uint8_t *label, int64_t count)
{
    for (int64_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && label[to] == label[from]; ) to++;
        fprintf(f, "%s%d*%lld", from ? " " : "", label[from], (long long)(to - from));
    }
}

/* What the shown masks are made of. */
typedef struct shown { peft_segmenter *segmenter; const peft_dataset *test; const case_table *f; FILE *file; } shown;

/* The predicted classes of an image; filled: pixels that are not background in the true or the predicted mask. */
static peft_image *segment_image(const shown *s, int64_t image, int64_t *filled)
{
    peft_image *im, *labels;
    peft_mask *mask;
    must(peft_dataset_load(s->test, image, &im));
    must(peft_dataset_load_mask(s->test, image, im, &mask));
    must(peft_segmenter_labels(s->segmenter, im, &labels));
    const int64_t pixels = peft_image_width(im) * peft_image_height(im);
    const uint8_t *predicted = peft_image_pixels(labels);
    int64_t *truth = check_alloc(malloc((size_t)pixels * sizeof *truth));
    must(peft_mask_labels(mask, truth));
    *filled = 0;
    for (int64_t k = 0; k < pixels; k++) *filled += truth[k] > 0 || predicted[k];
    free(truth);
    peft_mask_free(mask);
    peft_image_free(im);
    return labels;
}

/* Writes the row of a case; of a volume the slice of which masks fill most. */
static void put_mask(const shown *s, const char *rank, int64_t i)
{
    peft_image *labels = NULL;
    int64_t first = 0, image = 0, most = -1;
    for (int64_t k = 0; k < i; k++) first += s->f->images[k];
    for (int64_t k = first; k < first + s->f->images[i]; k++) {
        int64_t filled;
        peft_image *next = segment_image(s, k, &filled);
        const bool larger = filled > most;
        peft_image_free(larger ? labels : next);
        if (!larger) continue;
        labels = next;
        image = k;
        most = filled;
    }
    const int64_t width = peft_image_width(labels), height = peft_image_height(labels);
    fprintf(s->file, "%s,%lld,%lld,%lld,%lld,", rank, (long long)i, (long long)image, (long long)width,
            (long long)height);
    put_labels(s->file, peft_image_pixels(labels), width * height);
    fputc('\n', s->file);
    peft_image_free(labels);
}

void write_shown_masks(const study *s, int64_t i, const training_run *t, peft_session *session,
                       const peft_dataset *test, const case_table *f)
{
    ranked *r = check_alloc(malloc((size_t)f->cases * sizeof *r));
    peft_segmenter *segmenter;
    atomic_file record;
    int64_t n = 0;
    for (int64_t k = 0; k < f->cases; k++) {
        r[n] = (ranked){ case_mean(f, CASE_DICE, k), k };
        n += !isnan(r[n].dice);
    }
    qsort(r, (size_t)n, sizeof *r, by_dice);
    must(peft_segmenter_create(session, t->transform, NULL, &segmenter));
    open_run_record(&record, s, i, "masks");
    fputs("rank,case,image,width,height,labels\n", record.file);
    const shown of_run = { segmenter, test, f, record.file };
    if (n) put_mask(&of_run, "best", r[0].i);
    if (n > 2) put_mask(&of_run, "median", r[(n - 1) / 2].i);
    if (n > 1) put_mask(&of_run, "worst", r[n - 1].i);
    close_atomic(&record);
    peft_segmenter_free(segmenter);
    free(r);
}
