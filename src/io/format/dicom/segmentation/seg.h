/* SPDX-License-Identifier: Apache-2.0
 * seg.h -- an open segmentation file: the struct, and the frames of a source in it. */
#ifndef IO_SEG_SEG_H
#define IO_SEG_SEG_H
#include "io/format/dicom/header.h"
#include <peft/dicom_seg.h>
#include <pthread.h>

struct peft_dicom_seg {
    peft_context *ctx;
    atomic_int refs;                                          /* peft_dicom_seg_free drops one */
    uint8_t *data;                                            /* the file */
    io_dicom file;
    const io_seg_file *seg;                                   /* belongs to file */
    pthread_mutex_t lock;                                     /* held while a frame is decoded */
};

/* An image whose frames are sought: an instance, a frame of it from 0 on. series, frame_of_reference "" and place NULL
 * where they are not known. */
typedef struct io_seg_target {
    const char *instance, *series, *frame_of_reference;
    int64_t frame;
    const io_seg_place *place;
} io_seg_target;

/* PEFT_E_MISMATCH: the segmentation is not of this image. */
peft_status io_seg_check_target(const io_seg_file *f, const io_seg_target *t);
/* The frames of the segmentation that show an image, one after the other, in their order. */
typedef struct io_seg_search {
    const io_seg_file *file;
    const io_seg_target *target;
    struct { int64_t next, end; } links[2];                   /* in sorted_link: to the instance, to its frame */
    int64_t frame;                                            /* the last one that was found; at first -1 */
} io_seg_search;
io_seg_search io_seg_search_begin(const io_seg_file *f, const io_seg_target *t);
/* Sets s->frame to the next frame; false: there is no other. */
bool          io_seg_search_next(io_seg_search *s);
/* Writes the samples of a frame to out[rows * columns]. PEFT_E_FORMAT: one is above the file's maximum. */
peft_status io_seg_samples(peft_dicom_seg *s, int64_t frame, uint8_t *out);
/* Writes the labels of a frame, from 0 on, of the image at path to out[rows * columns], as peft_dicom_seg_labels. */
peft_status io_seg_frame_labels(peft_dicom_seg *s, const char *path, int64_t frame, int64_t *out);
/* Adds a reference: threads may share a file. */
peft_dicom_seg *io_seg_retain(peft_dicom_seg *s);
/* The place of a segment among those of the file, by its number; -1: there is none. */
int64_t io_seg_index(const io_seg_file *f, int64_t number);
#endif
