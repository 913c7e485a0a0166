/* SPDX-License-Identifier: Apache-2.0
 * interface.h -- the part of the plug-in's interface (../plugin.h) for segmentations: sources, what is written of them,
 * and what a segmentation file says. Texts and arrays that the plug-in returns live as long as the object they are
 * from. */
#ifndef IO_DICOM_SEG_INTERFACE_H
#define IO_DICOM_SEG_INTERFACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IO_SEG_FILE_LABEL, .. and IO_SEG_SEGMENT_LABEL, ..: the rows of fields.def of each scope. */
#define IO_SEG_ENUM_FILE(NAME) IO_SEG_FILE_##NAME,
#define IO_SEG_ENUM_SEGMENT(NAME)
#define IO_SEG_FIELD(scope, NAME, name, group, element, vr, fallback) IO_SEG_ENUM_##scope(NAME)
enum {
#include "io/format/dicom/segmentation/fields.def"
    IO_SEG_FILE_FIELDS };
#undef IO_SEG_ENUM_FILE
#undef IO_SEG_ENUM_SEGMENT
#define IO_SEG_ENUM_FILE(NAME)
#define IO_SEG_ENUM_SEGMENT(NAME) IO_SEG_SEGMENT_##NAME,
enum {
#include "io/format/dicom/segmentation/fields.def"
    IO_SEG_SEGMENT_FIELDS };
#undef IO_SEG_FIELD
#undef IO_SEG_ENUM_FILE
#undef IO_SEG_ENUM_SEGMENT

enum { IO_SEG_MAXIMUM = 255 };                                /* Maximum Fractional Value of files that are written */

#define IO_SEG_NEAR 0.01        /* mm: nearer positions are one. Programs round the texts of positions that they copy,
                                 * and slices are farther apart */
#define IO_SEG_ALIKE 1e-3       /* less apart, cosines of orientations are equal, and spacings in mm */

/* The place of a frame. placed: position (mm) and orientation are known; spaced: spacing, between rows and between
 * columns in mm, is. */
typedef struct io_seg_place { bool placed, spaced; double position[3], orientation[6], spacing[2]; } io_seg_place;

/* One source file. place: of each frame. */
typedef struct io_dicom_source {
    const char *patient, *study, *series, *instance, *frame_of_reference;
    int64_t rows, columns, frames;
    const io_seg_place *place;
} io_dicom_source;
typedef struct io_dicom_sources io_dicom_sources;             /* a list of them; private to the plug-in */

/* A frame that is written: a segment, from 1 on, at a source's frame. */
typedef struct io_seg_frame { int64_t segment, source, source_frame; } io_seg_frame;

/* What is written. Texts are in UTF-8; "" is left out, or empty where DICOM needs the element. */
typedef struct io_seg_contents {
    const char *const *text;                                  /* [IO_SEG_FILE_FIELDS] */
    int64_t segments;
    const char *const *segment_text;                          /* [segments, IO_SEG_SEGMENT_FIELDS] */
    bool fractional, overlap;
    int64_t frames;
    const io_seg_frame *frame;
    const uint8_t *pixels;                                    /* bits, or with fractional bytes, frame by frame */
    size_t size;
    const char *series_uid, *instance_uid, *dimension_uid;
} io_seg_contents;

/* A segment of a file that was read. text: [IO_SEG_SEGMENT_FIELDS]. */
typedef struct io_seg_segment { int64_t number; const char *const *text; } io_seg_segment;
/* A frame of a file that was read: its Segment Number and place, and its links, [first_link, first_link + links) of all
 * links. */
typedef struct io_seg_read_frame { int64_t segment, first_link, links; io_seg_place place; } io_seg_read_frame;
/* What a frame of the segmentation was made of: an instance, and a frame of it from 0 on; -1: the file does not say
 * which. */
typedef struct io_seg_link { const char *instance; int64_t source_frame, frame; } io_seg_link;

/* What a segmentation file says. instance: those that it refers to anywhere, in its order, without repetitions; series:
 * the same of series. maximum: the value of a sample that means 1. To look up: sorted_link has the links by instance
 * (in the order of strcmp), source frame and frame, sorted_instance the instances, and index_of [65536] the place of a
 * segment in `segment` by its number; -1: none has it. */
typedef struct io_seg_file {
    const char *const *text;                                  /* [IO_SEG_FILE_FIELDS] */
    bool fractional;
    int maximum;
    int64_t segments, frames, links, instances, series_count;
    const io_seg_segment *segment;
    const io_seg_read_frame *frame;
    const io_seg_link *link, *sorted_link;
    const char *const *instance, *const *sorted_instance, *const *series;
    const int32_t *index_of;
} io_seg_file;
#endif
