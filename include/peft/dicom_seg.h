/* SPDX-License-Identifier: Apache-2.0
 * dicom_seg.h -- DICOM segmentations (Segmentation Storage, PS3.3 A.51): masks of the images of a DICOM series, written
 * from label maps and read as such. Part of libpeft-io (io.h); DICOM files are read and written by the plug-in
 * libpeft-dicom, without which all calls return PEFT_E_UNSUPPORTED. docs/dicom.md describes the files.
 *
 * A label map is a tensor i64 [frames, rows, columns] of the pixels of source images: 0 is background, n > 0 the
 * segment with the Segment Number n. The frames are those of the source files in the order of the paths, for each
 * file all of its frames.
 *
 * Fields: texts in UTF-8 about a file or one of its segments. Their names, the element, and what is written if the
 * caller sets nothing:
 *   of the file: label (Content Label, capitals, digits, _ and blanks; SEGMENTATION), description (Content
 *     Description), creator (Content Creator's Name), series_description, series_number (1), instance_number (1), date
 *     and time (Content Date YYYYMMDD and Time HHMMSS; those of the first source: of its content, acquisition, series
 *     or study; where it has none 19000101), manufacturer (libpeft), model (libpeft), serial (Device Serial Number; 0),
 *     software (Software Versions; the version of libpeft), seed (no element: a text that UIDs depend on)
 *   of a segment: label, description, algorithm_type (AUTOMATIC, SEMIAUTOMATIC or MANUAL; AUTOMATIC), algorithm (its
 *     name; libpeft), category and property (Segmented Property Category and Type; both 85756007^SCT^Tissue), region
 *     (Anatomic Region), the last three as value^scheme^meaning; colour (Recommended Display CIELab Value) as L:a:b,
 *     L 0 to 100, a and b -128 to 127
 *   of the file, only read: type (BINARY or FRACTIONAL), fractional_type (PROBABILITY or OCCUPANCY), overlap (Segments
 *     Overlap: YES, NO, UNDEFINED), patient, study, series, instance, frame_of_reference
 * For example 49755003^SCT^Morphologically Altered Structure and 4147007^SCT^Mass are category and property of a mass.
 *
 * UIDs of written files are 2.25.N, N a UUID of version 8 that is made of a SHA-256: the Series Instance UID of the
 * sources' series and the fields series_number, series_description, manufacturer, model, software and seed; the SOP
 * Instance UID of all fields, the sources' instances, the segments and all pixels. The same call writes the same bytes,
 * and another mask has another SOP Instance UID. */
#ifndef PEFT_DICOM_SEG_H
#define PEFT_DICOM_SEG_H
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* --- writing ------------------------------------------------------------------------------------------------------ */
/* Writes the label map of one source file, [rows, columns] where it has one frame. names [classes]: those of classes 0
 * (background, not used), 1, ..; class c becomes segment c. Fields have their defaults. Errors are those of the
 * functions below. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_write(peft_context *ctx, const char *source, const peft_tensor *labels, const char *const *names,
                     int64_t classes, const char *path);

/* What is to be written. Used by one thread at a time. */
typedef struct peft_dicom_seg_writer peft_dicom_seg_writer;
/* Reads the headers of the source files [count], of one study and frame of reference. They give the references,
 * patient, study, and place of each frame, which are copied as they stand there. Without segments at first. PEFT_E_IO,
 * PEFT_E_FORMAT: a file cannot be read, is no DICOM file, or lacks UIDs. PEFT_E_MISMATCH: the
 * files differ in size, patient, study or frame of reference. PEFT_E_INVALID: count is below 1. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_writer_create(peft_context *ctx, const char *const *sources, int64_t count,
                             peft_dicom_seg_writer **out);
PEFT_API void    peft_dicom_seg_writer_free(peft_dicom_seg_writer *w);              /* NULL: does nothing */
PEFT_API int64_t peft_dicom_seg_writer_frames(const peft_dicom_seg_writer *w);      /* of all sources; 0 for NULL */
PEFT_API int64_t peft_dicom_seg_writer_rows(const peft_dicom_seg_writer *w);        /* 0 for NULL, as the next */
PEFT_API int64_t peft_dicom_seg_writer_columns(const peft_dicom_seg_writer *w);
/* Adds a segment, whose number is one more than that of the last, the first is 1. PEFT_E_INVALID: label is empty, has
 * more than 64 characters, or is not plain UTF-8; more than 65535 segments. */
PEFT_API PEFT_NODISCARD peft_status peft_dicom_seg_writer_add(peft_dicom_seg_writer *w, const char *label);
/* Sets a field of the file (segment 0) or of a segment; "" makes it empty, where that is allowed. PEFT_E_INVALID: no
 * such segment or field, one that is only read, or a value that is not as above. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_writer_set(peft_dicom_seg_writer *w, int64_t segment, const char *field, const char *value);
/* Writes a label map, u8, i32 or i64, as a BINARY segmentation; it may be [rows, columns] for one frame. A pixel of -1
 * is not judged, and is in no segment. Frames without pixels of a segment are not written. If all frames are empty, one
 * is written. The file is replaced atomically, as by peft_write_file. PEFT_E_SHAPE: not the extents of the sources.
 * PEFT_E_DTYPE: another type. PEFT_E_INVALID: a label that is no segment, or there is no segment. PEFT_E_UNSUPPORTED:
 * more than 4 GiB of pixels, or texts that are not ASCII beside a source whose character set cannot be converted. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_writer_labels(peft_dicom_seg_writer *w, const peft_tensor *labels, const char *path);
/* Writes planes [segments, frames, rows, columns], for several labels a pixel: u8 of 0 and 1 as a BINARY segmentation,
 * f32 from 0 to 1 as a FRACTIONAL one (PROBABILITY), rounded to 255ths. Errors as above; PEFT_E_INVALID: another
 * value. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_writer_planes(peft_dicom_seg_writer *w, const peft_tensor *planes, const char *path);

/* --- reading ------------------------------------------------------------------------------------------------------ */
/* A segmentation file, BINARY or FRACTIONAL; holds the file in memory. It does not change, and any number of threads
 * may use it: decoding of frames is serialised by a lock. */
typedef struct peft_dicom_seg peft_dicom_seg;
/* PEFT_E_IO: the file cannot be read. PEFT_E_FORMAT: it is no DICOM file, no segmentation, or damaged.
 * PEFT_E_UNSUPPORTED: a file above 4 GiB, a Label Map Segmentation, or a Dimension Organization Type TILED_FULL. */
PEFT_API PEFT_NODISCARD peft_status peft_dicom_seg_read(peft_context *ctx, const char *path, peft_dicom_seg **out);
/* The same for a file of `size` bytes in memory, which are copied. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_read_memory(peft_context *ctx, const void *data, size_t size, peft_dicom_seg **out);
PEFT_API void        peft_dicom_seg_free(peft_dicom_seg *s);                  /* NULL: does nothing */
PEFT_API int64_t     peft_dicom_seg_rows(const peft_dicom_seg *s);            /* 0 for NULL, as the next three */
PEFT_API int64_t     peft_dicom_seg_columns(const peft_dicom_seg *s);
PEFT_API int64_t     peft_dicom_seg_frames(const peft_dicom_seg *s);
PEFT_API int64_t     peft_dicom_seg_segments(const peft_dicom_seg *s);
/* The Segment Number of segment i from 0 on, in the order of the file; -1: no such segment. */
PEFT_API int64_t     peft_dicom_seg_number(const peft_dicom_seg *s, int64_t i);
/* A field of the file (segment 0) or of the segment with this number; "": the file lacks it. Borrowed from s. A text
 * that cannot be converted to UTF-8 has the bytes of the file. NULL: no such segment or field. */
PEFT_API const char *peft_dicom_seg_text(const peft_dicom_seg *s, int64_t segment, const char *field);
/* The source images that the file refers to, i from 0 on: their SOP Instance UIDs; NULL: after the last. */
PEFT_API const char *peft_dicom_seg_source(const peft_dicom_seg *s, int64_t i);
/* Of a frame of the file: the Segment Number, -1: no such frame; and the SOP Instance UID of the (first) source that it
 * was made of, "": the file does not say, NULL: no such frame. *source_frame (may be NULL): the frame of the source,
 * from 0; -1: the file does not say. */
PEFT_API int64_t     peft_dicom_seg_frame_segment(const peft_dicom_seg *s, int64_t frame);
PEFT_API const char *peft_dicom_seg_frame_source(const peft_dicom_seg *s, int64_t frame, int64_t *source_frame);
/* Writes a frame to out [rows, columns]: 0 or 1, of a FRACTIONAL file the part of Maximum Fractional Value.
 * PEFT_E_INVALID: no such frame. PEFT_E_FORMAT: damaged pixels, or a sample above Maximum Fractional Value.
 * PEFT_E_UNSUPPORTED: a compression that is not decoded. */
PEFT_API PEFT_NODISCARD peft_status peft_dicom_seg_frame(peft_dicom_seg *s, int64_t frame, float *out);
/* Makes the label map of source files [count]: of their frames in this order. The caller frees *out. Frames of the
 * segmentation belong to the image that they refer to; in a file without any such reference to the image of the same
 * frame of reference at the same place, within 0.01 mm. An image without frames has no segment: all is 0. In a
 * FRACTIONAL file a pixel has the segment with the largest part of at least one half, the first of equal ones.
 * PEFT_E_IO, PEFT_E_FORMAT: a source file cannot be read. PEFT_E_MISMATCH: the segmentation refers neither to the image
 * nor to its series, or the sizes differ; the message has both. PEFT_E_UNSUPPORTED: segments of a BINARY file
 * overlap. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_labels(peft_dicom_seg *s, const char *const *sources, int64_t count, peft_tensor **out);
/* The same for segments that may overlap: f32 [segments, frames, rows, columns], values as of peft_dicom_seg_frame,
 * segments in the order of the file; of several frames of a segment at one image the largest value. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_planes(peft_dicom_seg *s, const char *const *sources, int64_t count, peft_tensor **out);
/* The label map, i64 [rows, columns], of a frame, from 0 on, of the source with this SOP Instance UID, without the
 * source file. The caller frees *out. PEFT_E_MISMATCH: the segmentation does not refer to it. PEFT_E_UNSUPPORTED:
 * segments of a BINARY file overlap, or a compression that is not decoded. PEFT_E_FORMAT: damaged pixels. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_seg_instance_labels(peft_dicom_seg *s, const char *instance, int64_t source_frame, peft_tensor **out);

PEFT_END_DECLS
#endif
