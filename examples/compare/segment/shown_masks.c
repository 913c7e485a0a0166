/* SPDX-License-Identifier: Apache-2.0
 * shown_masks.c -- records the predicted masks of the best, the median and the worst case of a run, which report
 * draws over the pictures (segment.h, records.h). */
#include "common/figures/picture.h"
#include "common/files/atomic_file.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "segment.h"
#include <stdlib.h>

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

/* The predicted classes of an image; how many pixels are not background in the true or the predicted mask; the digest
 * of the image. */
typedef struct segmented { peft_image *labels; int64_t filled; char digest[PICTURE_DIGEST_SIZE]; } segmented;

static segmented segment_image(const shown *s, int64_t image)
{
    segmented out = { .filled = 0 };
    peft_image *im;
    peft_mask *mask;
    must(peft_dataset_load(s->test, image, &im));
    must(peft_dataset_load_mask(s->test, image, im, &mask));
    must(peft_segmenter_labels(s->segmenter, im, &out.labels));
    const int64_t pixels = peft_image_width(im) * peft_image_height(im);
    const uint8_t *predicted = peft_image_pixels(out.labels);
    int64_t *truth = check_alloc(malloc((size_t)pixels * sizeof *truth));
    must(peft_mask_labels(mask, truth));
    for (int64_t k = 0; k < pixels; k++) out.filled += truth[k] > 0 || predicted[k];
    free(truth);
    picture_digest(im, out.digest);
    peft_mask_free(mask);
    peft_image_free(im);
    return out;
}

/* Writes the row of a case; of a volume the slice of which masks fill most. */
static void put_mask(const shown *s, const char *rank, int64_t i)
{
    int64_t first = 0;
    for (int64_t k = 0; k < i; k++) first += s->f->images[k];
    int64_t image = first;
    segmented chosen = segment_image(s, first);
    for (int64_t k = first + 1; k < first + s->f->images[i]; k++) {
        const segmented next = segment_image(s, k);
        const bool larger = next.filled > chosen.filled;
        peft_image_free(larger ? chosen.labels : next.labels);
        if (!larger) continue;
        chosen = next;
        image = k;
    }
    const int64_t width = peft_image_width(chosen.labels), height = peft_image_height(chosen.labels);
    fprintf(s->file, "%s,%lld,%lld,%lld,%lld,", rank, (long long)i, (long long)image, (long long)width,
            (long long)height);
    put_labels(s->file, peft_image_pixels(chosen.labels), width * height);
    fprintf(s->file, ",%s\n", chosen.digest);
    peft_image_free(chosen.labels);
}

void write_shown_masks(const study *s, int64_t i, const training_run *t, peft_session *session,
                       const peft_dataset *test, const case_table *f)
{
    static const char *const rank[] = { "best", "median", "worst" };
    peft_segmenter *segmenter;
    atomic_file record;
    int64_t n, *order = order_by_dice(f, &n);
    must(peft_segmenter_create(session, t->transform, NULL, &segmenter));
    open_run_record(&record, s, i, "masks");
    fputs("rank,case,image,width,height,labels,picture_digest\n", record.file);
    const shown of_run = { segmenter, test, f, record.file };
    for (size_t k = 0; k < sizeof rank / sizeof *rank; k++) {
        const int64_t place = place_of_rank(rank[k], n);
        if (place >= 0) put_mask(&of_run, rank[k], order[place]);
    }
    close_atomic(&record);
    peft_segmenter_free(segmenter);
    free(order);
}
