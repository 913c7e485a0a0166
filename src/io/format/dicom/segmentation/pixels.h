/* SPDX-License-Identifier: Apache-2.0
 * pixels.h -- label maps and planes as the frames of a segmentation file. */
#ifndef IO_SEG_PIXELS_H
#define IO_SEG_PIXELS_H
#include "io/format/dicom/segmentation/sources.h"

/* Frames and their pixels: bits, the first in the lowest bit, without gaps between frames, or with fractional bytes.
 * Freed by io_seg_pixels_free. */
typedef struct io_seg_pixels {
    peft_context *ctx;
    io_seg_frame *frame;
    int64_t frames;
    uint8_t *bytes;
    size_t size;
    bool fractional, overlap;
} io_seg_pixels;

/* Of a label map [frames, rows, columns] or, if the sources have one frame, [rows, columns]. */
peft_status io_seg_pixels_of_labels(const io_seg_sources *s, int64_t segments, const peft_tensor *labels,
                                    io_seg_pixels *out);
/* Of planes [segments, frames, rows, columns]. */
peft_status io_seg_pixels_of_planes(const io_seg_sources *s, int64_t segments, const peft_tensor *planes,
                                    io_seg_pixels *out);
void        io_seg_pixels_free(io_seg_pixels *p);
#endif
