/* SPDX-License-Identifier: Apache-2.0
 * image.h -- images: width x height pixels of 1 channel (grey) or 3 (RGB), whose samples are unsigned of 8 or 16 bits,
 * signed of 16 bits, or float; reading, resizing, cropping. Part of libpeft-io; see io.h for what all of it shares:
 * ownership, threads, memory, options. */
#ifndef PEFT_IMAGE_H
#define PEFT_IMAGE_H
#include <peft/context.h>
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_image peft_image;

/* Reads a picture. The file's content tells its format: PNG, JPEG, PNM (P5, P6), NumPy (.npy), BMP, NIfTI (.nii,
 * .nii.gz), DICOM and, in builds with libwebp and libtiff 4.5 or newer, WebP and TIFF. docs/formats.md says what of
 * each is read and what becomes of its samples, docs/dicom.md the same of DICOM, whose plug-in libpeft-dicom is
 * loaded for the first such file. Pictures with an orientation (EXIF, TIFF) are turned as they are meant to be seen;
 * alpha is kept beside the pixels for transforms with alpha=white; gamma and ICC profiles are ignored. A file is
 * refused if a pixel cannot be decoded as it was written; damage that changes no pixel is accepted.
 * options, as text: max_side=65536, the largest width and height; max_bytes=1073741824, the most bytes of the file, and
 * of the decoded pixels, checked before memory of that size is allocated; slice, the index from 0 of an image in a file
 * of several (a page, a frame, a slice of a volume or of an array), which is needed there; region=x:y:width:height, a
 * part of the picture; orientation=exif|stored; for TIFF level=0, which size of a slide; for NIfTI axis=0|1|2 (default
 * 2), volume and orient=stored|ras; for DICOM window=first|none|NUMBER|NAME; for PNG samples=shown|stored, colours of a
 * palette or its indices, which has no effect on other files either. docs/formats.md describes them,
 * docs/dicom.md the window, which has no effect on other files, so that a folder of DICOM files and other pictures can
 * be read with it. PEFT_E_OPTION: a value that the file does not have, such as a slice past the last, or level, axis,
 * volume or orient with another value than the default for a file of another format. PEFT_E_IO: the file cannot be
 * read. PEFT_E_FORMAT: it is broken, or has none of the formats (the message names GIF and others, and how to convert
 * them). PEFT_E_UNSUPPORTED: an image above the limits; several images without slice; a variant that is not decoded, a
 * format whose library this build lacks, or DICOM while the plug-in is not installed. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_load(peft_context *ctx, const char *path, const char *options, peft_image **out);
PEFT_API const peft_option *peft_image_option(size_t i);     /* row i of these options (options.h); NULL: none */
/* The same for a file of `size` bytes in memory. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_load_memory(peft_context *ctx, const void *data, size_t size, const char *options, peft_image **out);
/* Sets *slices to the number of images in the file: 1 in all formats but NumPy, TIFF, NIfTI and DICOM. Options and
 * errors are those of peft_image_load; the option slice has no effect. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_slices(peft_context *ctx, const char *path, const char *options, int64_t *slices);
/* The name of the format of a picture whose file begins with these bytes, of which 4096 are enough: "PNG", "DICOM".
 * NULL: it is none that is read. */
PEFT_API const char *peft_image_format(const void *data, size_t size);
/* Makes an image of a copy of pixels [height, width, channels]; a row begins row_bytes after the one above it (0: rows
 * without gaps). depth: 8 (uint8_t), 16 (host-endian uint16_t), PEFT_SIGNED_16 (host-endian int16_t, such as
 * Hounsfield units) or PEFT_FLOAT_32 (float). A transform of a signed or float image needs a range (range=lo:hi).
 * PEFT_E_INVALID: a side below 1, channels not 1 or 3, another depth, or row_bytes shorter than a row. */
#define PEFT_SIGNED_16 (-16)
#define PEFT_FLOAT_32  (-32)
PEFT_API PEFT_NODISCARD peft_status
peft_image_from_buffer(peft_context *ctx, const void *pixels, int64_t width, int64_t height, int channels, int depth,
                       int64_t row_bytes, peft_image **out);
/* Copies im; in the copy a sample v has the value slope * v + intercept (DICOM's Rescale Slope and Rescale Intercept,
 * NIfTI's scl_slope and scl_inter), which replaces an earlier rescale of im. A transform of such an image needs a
 * range, which is given in these values. peft_image_pixels returns the samples v. PEFT_E_INVALID: |slope| outside
 * 1e-30..1e30, or |intercept| above 1e30. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_rescale(const peft_image *im, double slope, double intercept, peft_image **out);
PEFT_API void        peft_image_free(peft_image *im);                         /* NULL: does nothing */
PEFT_API int64_t     peft_image_width(const peft_image *im);                  /* 0 for NULL, as the next three */
PEFT_API int64_t     peft_image_height(const peft_image *im);
PEFT_API int         peft_image_channels(const peft_image *im);               /* 1 or 3 */
PEFT_API int         peft_image_depth(const peft_image *im);                  /* as in peft_image_from_buffer */
/* A sample v has the value slope * v + intercept: 1 and 0 unless the file (NIfTI) or peft_image_rescale gave others. */
PEFT_API double      peft_image_slope(const peft_image *im);                  /* 0 for NULL, as the next */
PEFT_API double      peft_image_intercept(const peft_image *im);
/* Writes the distances in millimetres between the centres of neighbouring pixels to spacing [3]: between slices of the
 * volume, between rows, between columns; 0: not known, as of NULL. Those that the file states (docs/formats.md), for
 * copies, crops and turned images too; peft_image_resize divides them as it multiplies pixels. Between slices they are
 * known where the slices of a file are a volume. spacing NULL: does nothing. */
PEFT_API void        peft_image_spacing(const peft_image *im, double *spacing);
/* Three letters: the directions in the body to which columns, rows and slices count up, each R or L (to the patient's
 * right or left), A or P (anterior, posterior), S or I (superior, inferior): the closest ones where the axes are
 * oblique. "LAS": column 1 lies to the left of column 0. Known of NIfTI files with an sform or a qform, as read by the
 * options axis and orient, and of copies, crops, mirrored and resized images; "": not known, as of NULL. Valid as long
 * as im. */
PEFT_API const char *peft_image_directions(const peft_image *im);
PEFT_API const void *peft_image_pixels(const peft_image *im);                 /* [height, width, channels], no gaps */
/* Writes a PNG with the image's depth. Atomic: path holds the old file or the whole new one. PEFT_E_UNSUPPORTED: a
 * signed, float or rescaled image, which PNG cannot hold. */
PEFT_API PEFT_NODISCARD peft_status peft_image_save_png(const peft_image *im, const char *path);
/* The same of an image of 8 bits with the opacity of each pixel, alpha [height, width]: 0 is transparent, 255 opaque.
 * PEFT_E_UNSUPPORTED: another depth. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_save_png_alpha(const peft_image *im, const uint8_t *alpha, const char *path);
/* Writes an image of 1 channel of 8 bits, such as a label map, as a PNG with a palette: a sample is the number of a
 * colour, palette [colours, 3] red, green and blue of each, 1 <= colours <= 256. peft_image_load gives the colours of
 * such a file (RGB), and with the option samples=stored the indices, which masks.h reads as classes.
 * PEFT_E_UNSUPPORTED: another image. PEFT_E_INVALID: a sample that is not below colours; the message says where. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_save_png_palette(const peft_image *im, const uint8_t *palette, int colours, const char *path);

/* Antialiased resizing in a horizontal and a vertical pass, with the filter "bicubic" (a = -0.5), "bilinear", "box",
 * "hamming", "lanczos" or "nearest". 8-bit results equal those of Pillow 13.0 to the bit (22-bit weights, rounded to 8
 * bits between the passes); 16-bit results those of its 32-bit integer mode, clipped to 16 bits; float results those of
 * its float mode. With ":pillow12" after the name ("bicubic:pillow12") the horizontal pass always comes first, as in
 * Pillow before 12.2; Pillow 13.0 begins with the vertical pass where that is less work.
 * PEFT_E_INVALID, here and in the next two: an unknown filter, or a side outside 1..16777216. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter, peft_image **out);
/* The same in Pillow's float mode for any image: results are floats, not clipped, in the caller's out [height, width,
 * channels]. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out);
/* peft_image_resize with `size` for the shorter side and floor(size * longer / shorter) for the longer one. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out);
/* Copies the box of width x height pixels whose upper left corner is (left, top). It may reach beyond the image, and
 * left and top may be negative: samples outside are 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_crop(const peft_image *im, int64_t left, int64_t top, int64_t width, int64_t height, peft_image **out);
/* Crops the centre: the offset is half the difference of the sides, rounded half to even. A side that is too short is
 * padded with 0 at both ends; of an odd number of pixels the extra one is at the right or bottom. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_centre_crop(const peft_image *im, int64_t width, int64_t height, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status peft_image_flip(const peft_image *im, peft_image **out);  /* left to right */

/* The header of a DICOM file, to group files by patient and slices by series; no pixels are read. */
typedef struct peft_dicom_header peft_dicom_header;
/* PEFT_E_IO: the file cannot be read. PEFT_E_FORMAT: it is no DICOM file, or damaged. PEFT_E_UNSUPPORTED: the plug-in
 * libpeft-dicom is not installed. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_header_read(peft_context *ctx, const char *path, peft_dicom_header **out);
/* A text of the header, "" where the file lacks it; NULL: an unknown field. Fields: "patient" (Patient ID), "study",
 * "series", "instance" (their UIDs), "number" (Instance Number), "position" and "orientation" (of the image in the
 * patient: 3 and 6 numbers separated by backslashes), "modality" ("CT"), "syntax" (transfer syntax), "photometric"
 * ("MONOCHROME2"), "bits" ("12 of 16, unsigned": stored and allocated), "rescale" ("2 * v + -1024": what becomes of a
 * stored value v), "windows" ("40/400 'BRAIN'\\300/1500": centre, width and name of each); the last two are "" where
 * they are given per frame, as a look-up table, or are broken. "windows" is cut after about 500 bytes, names in it
 * after 60. The bytes are those of the file, in its character
 * set. */
PEFT_API const char *peft_dicom_header_text(const peft_dicom_header *h, const char *field);
PEFT_API int64_t     peft_dicom_header_frames(const peft_dicom_header *h);    /* at least 1; 0 for NULL */
/* Sorts the files of one or several series by their headers [count]. Series follow each other in the order of their
 * first files, and the files of a series in the order of its slices. That is: where all files have Image Position
 * (Patient) and one Image Orientation (Patient), within 0.8 degrees, by the position along the normal of the slices
 * (the cross product of the directions of a row and of a column), rounded to micrometres; slices at one position,
 * and series whose files do not all have these, by Instance Number where all files have one; else, and for equal
 * numbers, in the given order. order [count]: the index of the file at each place; series [count]: the number, from
 * 0, of its series (files without a Series Instance UID are one), may be NULL. A header may be NULL, of a file that
 * could not be read: such files come last, in series -1. PEFT_E_INVALID: ctx, headers or order is NULL, or count is
 * below 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_dicom_header_sort(peft_context *ctx, const peft_dicom_header *const *headers, int64_t count, int64_t *order,
                       int64_t *series);
PEFT_API void        peft_dicom_header_free(peft_dicom_header *h);            /* NULL: does nothing */

PEFT_END_DECLS
#endif
