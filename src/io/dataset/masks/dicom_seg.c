/* SPDX-License-Identifier: Apache-2.0
 * dicom_seg.c -- the reader dicom_seg: the mask of a DICOM image from a DICOM segmentation, which may be that of a
 * whole series. A segment is the class that has its label as name; where no segment has the name of a class, the class
 * of its Segment Number. */
#include "io/dataset/masks/readers.h"
#include "io/format/dicom/segmentation/seg.h"
#include "io/words.h"
#include <unistd.h>

struct io_mask_seg {
    peft_context *ctx;
    pthread_mutex_t lock;
    pid_t process;                                            /* that may use the lock: a fork may find it locked */
    int64_t file;                                             /* index of seg in the files of the masks */
    peft_dicom_seg *seg;                                      /* one reference; NULL: none was read */
};

static const char segmentation_class[] = "1.2.840.10008.5.1.4.1.1.66.4";      /* Segmentation Storage */

/* The SOP class is in the meta header, or is one of the first elements of a file without. */
static bool probe(const uint8_t *head, size_t size)
{
    const size_t n = sizeof segmentation_class - 1;
    if (!io_dicom_probe(head, size)) return false;
    for (size_t i = 0; i + n < size; i++)
        if (!memcmp(head + i, segmentation_class, n)) return !strchr(".0123456789", head[i + n]) || !head[i + n];
    return false;
}

static int64_t class_named(const io_masks *m, const char *label)
{
    for (int64_t c = 0; c < m->classes.count; c++)
        if (io_same_word(m->classes.item[c], label)) return c;
    return -1;
}

static bool any_is_named(const io_masks *m, const peft_dicom_seg *s)
{
    for (int64_t i = 0; i < peft_dicom_seg_segments(s); i++)
        if (class_named(m, peft_dicom_seg_text(s, peft_dicom_seg_number(s, i), "label")) >= 0) return true;
    return false;
}

/* Sets the class of each segment, of_segment[number], of the numbers up to `most`. With kind=binary all are class 1. */
static peft_status find_classes(const io_masks *m, const peft_dicom_seg *s, int16_t *of_segment)
{
    const bool by_name = any_is_named(m, s), binary = m->options.kind == IO_MASK_BINARY;
    for (int64_t i = 0; i < peft_dicom_seg_segments(s); i++) {
        const int64_t number = peft_dicom_seg_number(s, i);
        const char *label = peft_dicom_seg_text(s, number, "label");
        const int64_t class = binary ? 1 : by_name ? class_named(m, label) : number;
        if (class < 0 || class >= m->classes.count)
            return io_fail(PEFT_E_FORMAT, "segment %lld '%.64s' is no class; expected %s", (long long)number, label,
                           by_name ? "the name of a class, as other segments have it"
                                   : "labels that are names of classes, or Segment Numbers below the number of "
                                     "classes");
        of_segment[number] = (int16_t)class;
    }
    return PEFT_OK;
}

static peft_status make_mask(const io_mask_job *job, peft_dicom_seg *s, peft_mask **out)
{
    enum { NUMBERS = 1 << 16 };                               /* a Segment Number has 16 bits */
    const io_masks *m = job->masks;
    const int64_t width = peft_dicom_seg_columns(s), height = peft_dicom_seg_rows(s);
    int16_t *of_segment = io_alloc(m->ctx, NUMBERS, sizeof *of_segment);
    int64_t *label = io_alloc(m->ctx, width * height, sizeof *label);
    peft_mask *to = NULL;
    peft_status status = of_segment && label ? find_classes(m, s, of_segment) : io_nomem("DICOM segmentation");
    if (!status) status = io_seg_frame_labels(s, job->image_path, job->slice < 0 ? 0 : job->slice, label);
    if (!status) status = io_mask_new(m->ctx, width, height, m->classes.count, false, &to);
    for (int64_t i = 0; i < width * height && !status; i++) to->value[i] = of_segment[label[i]];
    peft_sys_free(m->ctx, of_segment);
    peft_sys_free(m->ctx, label);
    if (!status) *out = to;
    return status;
}

peft_status io_mask_seg_new(peft_context *ctx, struct io_mask_seg **out)
{
    struct io_mask_seg *h = io_alloc(ctx, 1, sizeof *h);
    if (!h || pthread_mutex_init(&h->lock, NULL)) {
        peft_sys_free(ctx, h);
        return io_nomem("masks");
    }
    h->ctx = ctx;
    h->process = getpid();
    *out = h;
    return PEFT_OK;
}

void io_mask_seg_free(struct io_mask_seg *h)
{
    if (!h) return;
    peft_dicom_seg_free(h->seg);
    pthread_mutex_destroy(&h->lock);
    peft_sys_free(h->ctx, h);
}

/* A reference to the kept segmentation, if it is that of this file; otherwise NULL. */
static peft_dicom_seg *take(struct io_mask_seg *h, int64_t file)
{
    pthread_mutex_lock(&h->lock);
    peft_dicom_seg *found = h->seg && h->file == file ? io_seg_retain(h->seg) : NULL;
    pthread_mutex_unlock(&h->lock);
    return found;
}

/* Keeps a segmentation in place of the one before. */
static void keep(struct io_mask_seg *h, int64_t file, peft_dicom_seg *seg)
{
    pthread_mutex_lock(&h->lock);
    peft_dicom_seg *before = h->seg;
    h->seg = io_seg_retain(seg);
    h->file = file;
    pthread_mutex_unlock(&h->lock);
    peft_dicom_seg_free(before);
}

/* Opens the file of the job, or takes the kept one; a forked process opens it. The caller frees *out. */
static peft_status open_segmentation(const io_mask_job *job, peft_dicom_seg **out)
{
    struct io_mask_seg *h = job->masks->seg;
    const bool keeps = getpid() == h->process;
    *out = keeps ? take(h, job->file) : NULL;
    if (*out) return PEFT_OK;
    peft_status status = peft_dicom_seg_read(job->masks->ctx, job->path, out);
    if (!status && keeps) keep(h, job->file, *out);
    return status;
}

static peft_status read_segmentation(const io_mask_job *job, peft_mask **out)
{
    const io_mask_options *o = &job->masks->options;
    peft_dicom_seg *s;
    if (o->per_class || o->multilabel || o->kind == IO_MASK_COLORS)
        return io_fail(PEFT_E_UNSUPPORTED, "a DICOM segmentation with per_class, multilabel or kind=colors; expected "
                       "kind=index or binary: the file names the segments");
    peft_status status = open_segmentation(job, &s);
    if (status) return status;
    status = make_mask(job, s, out);
    peft_dicom_seg_free(s);
    return status;
}

const io_mask_reader io_mask_reader_dicom_seg = { .name = "DICOM segmentation", .probe = probe, .by_image = true,
                                                  .read = read_segmentation };
