/* SPDX-License-Identifier: Apache-2.0
 * sources.h -- the headers of the images that a segmentation is of. */
#ifndef IO_SEG_SOURCES_H
#define IO_SEG_SOURCES_H
#include "io/format/dicom/plugin.h"
#include "io/io.h"

/* Source files in the order of their paths. frames: of all of them. Freed by io_seg_sources_free. */
typedef struct io_seg_sources {
    peft_context *ctx;
    const io_dicom_plugin *plugin;
    io_dicom_sources *list;
    io_dicom_source *item;
    int64_t count, frames;
} io_seg_sources;

/* Reads the headers. PEFT_E_MISMATCH: files of other sizes than the first. */
peft_status io_seg_sources_read(peft_context *ctx, const char *const *paths, int64_t count, io_seg_sources *out);
void        io_seg_sources_free(io_seg_sources *s);
/* PEFT_E_MISMATCH: the sources are of several patients, studies or frames of reference. */
peft_status io_seg_sources_are_one(const io_seg_sources *s, const char *const *paths);
#endif
