/* SPDX-License-Identifier: Apache-2.0
 * image.h -- pictures: width x height pixels of 1 (grey) or 3 (RGB) samples of 8 or 16 bits, signed 16 bits, or
 * float; reading, resizing, cropping. Part of libpeft-io; io.h says what holds for all of it. */
#ifndef PEFT_IMAGE_H
#define PEFT_IMAGE_H
#include <peft/context.h>
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_image peft_image;

/* Reads PNG (.png), JPEG (.jpg .jpeg .jpe .jfif), PNM (P5, P6: .pgm .ppm .pnm) or NumPy (.npy, see below), told apart
 * by content and not by name. 16-bit samples stay 16-bit; palettes become RGB; 1, 2 and 4-bit greys are scaled to 8; an
 * alpha channel is left out of the pixels (grey + alpha: grey) and kept for transforms with alpha=white. Gamma, ICC
 * profiles and EXIF orientation are ignored. JPEG is decoded with the accurate integer DCT. A file is refused where a
 * pixel cannot be decoded as it was written: a wrong checksum, data cut short or damaged. Damage that changes no pixel
 * is accepted: a PNG without its end chunk or with damage after the pixels, a JPEG with extra bytes among its headers,
 * with zeros before its end, or without its end marker.
 * NumPy: u8, u16, i16 or f32 of [h,w], [h,w,1], [h,w,3], or of several slices: [n,h,w], [n,h,w,1], [n,h,w,3]. An array
 * of three extents of which the last is 1 or 3 is one picture.
 * options: max_side (65536) pixels, max_bytes (1073741824) of the file and of the decoded picture, the coefficients of
 * a JPEG in several scans included; both are checked before anything of that size is allocated. slice: the index, from
 * 0, of a picture in a file that holds several; such a file is refused without it (PEFT_E_UNSUPPORTED, with the number
 * of slices), and an index past the last is PEFT_E_OPTION.
 * PEFT_E_IO: cannot be read. PEFT_E_FORMAT: broken, or none of the formats (the message names WebP, TIFF, DICOM and
 * others, and how to convert them). PEFT_E_UNSUPPORTED: too large; CMYK, lossless or 12-bit JPEG; Apple's CgBI;
 * another type or shape of NumPy array, or one in Fortran order. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_load(peft_context *ctx, const char *path, const char *options, peft_image **out);
PEFT_API const peft_option *peft_image_option(size_t i);     /* of options above (options.h); NULL: after the last */
PEFT_API PEFT_NODISCARD peft_status   /* of a file's bytes in memory */
peft_image_load_memory(peft_context *ctx, const void *data, size_t size, const char *options, peft_image **out);
/* Sets *slices to the number of pictures in the file: 1 in all formats but NumPy. options, and errors but those of
 * slice: as for peft_image_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_slices(peft_context *ctx, const char *path, const char *options, int64_t *slices);
/* Copies pixels: height rows of width * channels interleaved samples, row_bytes from one row to the next (0: rows
 * without gaps). depth: 8 (uint8_t), 16 (host-endian uint16_t), PEFT_SIGNED_16 (host-endian int16_t, such as
 * Hounsfield units) or PEFT_FLOAT_32 (float). A transform of a signed or float image needs a range (range=lo:hi).
 * PEFT_E_INVALID: a side below 1, channels not 1 or 3, another depth, or row_bytes shorter than a row. */
#define PEFT_SIGNED_16 (-16)
#define PEFT_FLOAT_32  (-32)
PEFT_API PEFT_NODISCARD peft_status
peft_image_from_buffer(peft_context *ctx, const void *pixels, int64_t width, int64_t height, int channels, int depth,
                       int64_t row_bytes, peft_image **out);
/* A copy of im in which a sample v has the value slope * v + intercept (DICOM's Rescale Slope and Intercept, NIfTI's
 * scl_slope and scl_inter); both replace an earlier rescale of im. The range of a transform is given in these values;
 * peft_image_pixels gives the samples v. A transform of such an image needs a range. PEFT_E_INVALID: |slope| outside
 * 1e-30..1e30, or |intercept| above 1e30. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_rescale(const peft_image *im, double slope, double intercept, peft_image **out);
PEFT_API void        peft_image_free(peft_image *im);                         /* NULL is fine */
PEFT_API int64_t     peft_image_width(const peft_image *im);                  /* of a NULL image here and below: 0 */
PEFT_API int64_t     peft_image_height(const peft_image *im);
PEFT_API int         peft_image_channels(const peft_image *im);               /* 1 or 3 */
PEFT_API int         peft_image_depth(const peft_image *im);                  /* as in peft_image_from_buffer */
PEFT_API const void *peft_image_pixels(const peft_image *im);                 /* [height, width, channels], no gaps */
/* PNG of the image's own depth (PEFT_E_UNSUPPORTED: signed, float or rescaled). Atomic: path holds the old file or the
 * whole new one. */
PEFT_API PEFT_NODISCARD peft_status peft_image_save_png(const peft_image *im, const char *path);

/* Antialiased two-pass resizing, filter "bicubic" (a = -0.5), "bilinear", "box", "hamming", "lanczos", or "nearest".
 * 8-bit results equal those of Pillow 13.0 to the bit (22-bit weights, 8 bits between the passes); 16-bit ones equal
 * its 32-bit integer mode, clipped to what 16 bits hold; float ones its float mode. ":pillow12" after the name
 * ("bicubic:pillow12"): the horizontal pass always comes first, as in Pillow before 12.2; 13.0 begins with the vertical
 * one where that is less work.
 * PEFT_E_INVALID, here and in the next two: an unknown filter, or a side outside 1..16777216. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter, peft_image **out);
/* The same in Pillow's float mode, not rounded or clipped, to the caller's out [height, width, channels]. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out);
/* The shorter side becomes size, the longer one floor(size * longer / shorter). */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out);
/* left and top may be negative and the box may reach beyond the image: samples outside are 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_crop(const peft_image *im, int64_t left, int64_t top, int64_t width, int64_t height, peft_image **out);
/* The offset is half the difference, rounded half to even. A side that is too short is first padded with 0 at both
 * ends; an odd number of pixels puts the extra one at the right or bottom. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_centre_crop(const peft_image *im, int64_t width, int64_t height, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status peft_image_flip(const peft_image *im, peft_image **out);  /* left to right */

PEFT_END_DECLS
#endif
