/* SPDX-License-Identifier: Apache-2.0
 * mask_files.h -- writes images and masks for the tests of masks, and compares the masks of data sets. */
#ifndef MASK_FILES_H
#define MASK_FILES_H
#include "io_files.h"

/* Writes a grey PNG of these samples [height, width]. */
static inline void write_grey(const char *name, int64_t width, int64_t height, const uint8_t *sample)
{
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, sample, width, height, 1, 8, 0, &im));
    ok(peft_image_save_png(im, in_folder(name)));
    peft_image_free(im);
}

/* Writes a mask of 4 x 3 pixels whose samples are the digits of text, times `factor`: "011 ..", rows without blanks. */
static inline void write_digits(const char *name, const char *text, int factor)
{
    uint8_t sample[12];
    for (int i = 0; i < 12; i++) sample[i] = (uint8_t)((text[i] - '0') * factor);
    write_grey(name, 4, 3, sample);
}

/* Writes an image of 4 x 3 pixels. */
static inline void write_image(const char *name) { save_picture(in_folder(name), 4, 3, 3, (unsigned)strlen(name)); }

/* The pictures of a folder, at any depth. */
static inline peft_dataset *pictures_of(const char *folder)
{
    peft_dataset *d;
    ok(peft_dataset_open_pictures(io_ctx, in_folder(folder), &d));
    return d;
}

/* The data set with masks; d is freed. */
static inline peft_dataset *masked(peft_dataset *d, const char *folder, const char *options)
{
    peft_dataset *out;
    ok(peft_dataset_with_masks(d, folder ? in_folder(folder) : NULL, options, &out));
    peft_dataset_free(d);
    return out;
}

/* Asserts that the mask of sample i has the labels of the digits of text, '-' for -1. */
static inline void has_labels(const peft_dataset *d, int64_t i, const char *text)
{
    peft_mask *m;
    peft_image *im;
    int64_t label[12];
    ok(peft_dataset_load(d, i, &im));
    ok(peft_dataset_load_mask(d, i, im, &m));
    ck_assert_int_eq(peft_mask_width(m) * peft_mask_height(m), 12);
    ok(peft_mask_labels(m, label));
    for (int k = 0; k < 12; k++)
        ck_assert_msg(label[k] == (text[k] == '-' ? -1 : text[k] - '0'), "sample %lld, pixel %d: %lld", (long long)i, k,
                      (long long)label[k]);
    peft_mask_free(m);
    peft_image_free(im);
}

/* Asserts that loading the mask of sample 0 fails with this status and word; d is freed. */
static inline void load_fails(peft_dataset *d, peft_status status, const char *word)
{
    peft_mask *m;
    peft_image *im;
    ok(peft_dataset_load(d, 0, &im));
    fails(status, word, peft_dataset_load_mask(d, 0, im, &m));
    peft_image_free(im);
    peft_dataset_free(d);
}

/* Asserts that the masks cannot be attached; d is kept. */
#define no_masks(d, folder, options, status, word) \
    do { \
        peft_dataset *out_; \
        fails(status, word, peft_dataset_with_masks(d, folder, options, &out_)); \
    } while (0)
#endif
