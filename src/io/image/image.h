/* SPDX-License-Identifier: Apache-2.0
 * image.h -- the struct behind peft_image, and the types of its samples. An image is reference-counted and does not
 * change once its maker has returned it. */
#ifndef IO_IMAGE_H
#define IO_IMAGE_H
#include "io/io.h"

/* The type of a sample (one channel of one pixel); io_types has a row for each. */
typedef enum io_type { IO_U8, IO_U16, IO_I16, IO_F32, IO_TYPES } io_type;
typedef struct io_type_row {
    const char *name;                                         /* "unsigned of 8 bits", for messages */
    int depth;                                                /* the value of peft_image_depth */
    size_t bytes;                                             /* of one sample */
    double lowest, highest;                                   /* finite values that a sample can have */
} io_type_row;
extern const io_type_row io_types[IO_TYPES];

struct peft_image {
    peft_context *ctx;
    atomic_int refs;
    int channels;
    io_type type;
    int64_t width, height;
    double slope, intercept;                                  /* sample v has the value slope * v + intercept */
    double full[2];                                           /* values that range=full maps to 0 and 1; NaN: unknown */
    bool windowed;                                            /* a DICOM window was applied: values have no unit */
    bool turned;                                              /* as read: by its EXIF orientation */
    double spacing[3];                                        /* mm between slices, rows, columns; 0: not known */
    char directions[4];                                       /* of peft_image_directions */
    void *alpha;                                              /* [height, width], 0: transparent; NULL: opaque */
    uint64_t pixels[];                                        /* [height, width, channels]; aligned for any type */
};

/* A spacing in millimetres that a file states, or 0, not known, where peft_segmentation_add would refuse it: it takes
 * 1e-6 to 1e6. */
static inline double io_known_spacing(double mm) { return mm >= 1e-6 && mm <= 1e6 ? mm : 0; }

/* row_bytes of peft_image_from_buffer for a buffer whose rows follow each other without gaps. */
enum { IO_NO_GAPS = 0 };

/* Makes an image whose samples are all 0. PEFT_E_INVALID: a side below 1, channels not 1 or 3, or more than 2^46
 * bytes. */
peft_status io_image_new(peft_context *ctx, int64_t width, int64_t height, int channels, io_type type,
                         peft_image **out);
/* Makes such an image of another size with the context, sample type, slope, intercept and spacing of im; pixels and
 * alpha of im are not copied. */
peft_status io_image_like(const peft_image *im, int64_t width, int64_t height, int channels, peft_image **out);
/* Sets slope and intercept of a new image; with others than 1 and 0 its full range is not known any more. */
void io_image_scale(peft_image *im, double slope, double intercept);
/* Marks the full range of a new image as not known: a transform then needs a range. */
void io_image_range_unknown(peft_image *im);
/* Frees the alpha of a new image of u8 or u16 samples if every pixel is opaque. */
void io_image_drop_opaque(peft_image *im);
/* Returns im, with one more reference. */
peft_image *io_image_retain(const peft_image *im);
/* Copies im with its alpha, slope and intercept, into memory of ctx. */
peft_status io_image_copy(peft_context *ctx, const peft_image *im, peft_image **out);

/* How a stored picture is turned to the one that is seen: pixel (x, y) of the result is that of column x and row y, or
 * with swap of column y and row x, counted from the last one where that axis of the stored picture is reversed. */
typedef struct io_turn { bool swap, reverse_x, reverse_y; } io_turn;
typedef struct io_box { int64_t x, y, width, height; } io_box;
static inline bool io_turns(io_turn t) { return t.swap || t.reverse_x || t.reverse_y; }
/* The opposite of a letter of peft_image_directions: L of R, ..; 0 of 0. */
char io_opposite_letter(char letter);
/* Turns im with its alpha; the caller frees *out. The directions of its axes are not known. */
peft_status io_image_turn(const peft_image *im, io_turn turn, peft_image **out);
/* Copies a box inside im, with its alpha. */
peft_status io_image_part(const peft_image *im, const io_box *box, peft_image **out);
/* The turn that an EXIF orientation of 2..8 asks for; none for other numbers. */
io_turn io_turn_of_exif(int orientation);
/* The box of a stored picture of w x h pixels that gives this box of the turned one. */
io_box io_turn_box(io_box box, io_turn turn, int64_t w, int64_t h);

static inline size_t io_image_pixel_bytes(const peft_image *im)     /* bytes of one pixel */
{
    return (size_t)im->channels * io_types[im->type].bytes;
}
static inline size_t io_image_row_bytes(const peft_image *im)       /* bytes of one row */
{
    return (size_t)im->width * io_image_pixel_bytes(im);
}
static inline size_t io_image_bytes(const peft_image *im) { return io_image_row_bytes(im) * (size_t)im->height; }
static inline size_t io_image_memory(const peft_image *im)    /* bytes of the struct, pixels and alpha */
{
    size_t alpha = im->alpha ? io_image_bytes(im) / (size_t)im->channels : 0;
    return sizeof *im + io_image_bytes(im) + alpha;
}

/* Read and write sample i of an image of an integer type. The caller clips v to the range of the type. A signed sample
 * is written by its 16 bits, which (uint16_t)v keeps. */
static inline int64_t io_sample(const peft_image *im, int64_t i)
{
    if (im->type == IO_U8) return ((const uint8_t *)im->pixels)[i];
    return im->type == IO_I16 ? ((const int16_t *)im->pixels)[i] : ((const uint16_t *)im->pixels)[i];
}
static inline void io_set_sample(peft_image *im, int64_t i, int64_t v)
{
    if (im->type == IO_U8) ((uint8_t *)im->pixels)[i] = (uint8_t)v;
    else ((uint16_t *)im->pixels)[i] = (uint16_t)v;
}
/* The value of sample i, of any type: slope * sample + intercept. */
static inline double io_value(const peft_image *im, int64_t i)
{
    const double v = im->type == IO_F32 ? (double)((const float *)im->pixels)[i] : (double)io_sample(im, i);
    return im->slope * v + im->intercept;
}
/* Whether slope or intercept makes values differ from samples. */
static inline bool io_rescaled(const peft_image *im) { return im->slope != 1 || im->intercept != 0; }
#endif
