/* SPDX-License-Identifier: Apache-2.0
 * test_mask_kinds.c -- how the pixels of mask files become labels: class numbers of grey pictures, palettes and volumes,
 * thresholds, colours; pixels that are not judged; what is refused, with value and place; sizes and orientation. */
#include "../formats/nifti_files.h"
#include "mask_files.h"
#include "png_files.h"
#include <peft/io.h>

/* Pictures of one image of 4 x 3 pixels, images/a.png. */
static peft_dataset *one_image(void)
{
    write_image("images/a.png");
    return pictures_of("images");
}

/* Writes masks/a.png in this form of PNG; data: its rows as stored. */
static void write_png(int type, int bits, const void *data, size_t bytes)
{
    size_t size;
    void *png = png_of(type, bits, 4, 3, NULL, data, bytes, &size);
    write_bytes(in_folder("masks/a.png"), png, size);
    free(png);
}

START_TEST(test_class_numbers)
{
    const uint8_t packed[3] = { 0x1b, 0x00, 0xff }, bits[3] = { 0x50, 0xf0, 0x00 };       /* 0123 0000 3333 */
    const uint8_t indices[12] = { 0, 1, 2, 3, 3, 2, 1, 0, 0, 0, 0, 1 };
    const uint16_t wide[12] = { 0, 1, 2, 3, 300, 0, 0, 0, 0, 0, 0, 0 };
    uint8_t rgb[36];
    peft_dataset *d = masked(one_image(), NULL, "suffix=_none,missing=empty,classes=4"), *w;
    has_labels(d, 0, "000000000000");                         /* no sample has a mask: a warning */
    peft_dataset_free(d);
    write_png(SPNG_COLOR_TYPE_INDEXED, 8, indices, 12);
    d = masked(one_image(), "masks", "classes=4");
    has_labels(d, 0, "012332100001");
    write_png(SPNG_COLOR_TYPE_INDEXED, 2, packed, 3);
    has_labels(d, 0, "012300003333");
    write_png(SPNG_COLOR_TYPE_GRAYSCALE, 2, packed, 3);
    has_labels(d, 0, "012300003333");
    write_png(SPNG_COLOR_TYPE_GRAYSCALE, 1, bits, 3);
    has_labels(d, 0, "010111110000");
    for (int i = 0; i < 36; i++) rgb[i] = indices[i / 3];                     /* grey, stored as RGB */
    write_png(SPNG_COLOR_TYPE_TRUECOLOR, 8, rgb, 36);
    has_labels(d, 0, "012332100001");
    peft_dataset_free(d);
    write_png(SPNG_COLOR_TYPE_GRAYSCALE, 16, wide, 24);
    w = masked(one_image(), "masks", "classes=301");
    peft_mask *m;
    int64_t label[12];
    ok(peft_dataset_load_mask(w, 0, NULL, &m));
    ok(peft_mask_labels(m, label));
    ck_assert_int_eq(label[4], 300);
    peft_mask_free(m);
    peft_dataset_free(w);
    load_fails(masked(one_image(), "masks", "classes=4"), PEFT_E_FORMAT,
               "a.png: value 300 at column 0, row 1 is no class; expected 0 to 3");
    rgb[7] = 9;
    write_png(SPNG_COLOR_TYPE_TRUECOLOR, 8, rgb, 36);
    load_fails(masked(one_image(), "masks", "classes=4"), PEFT_E_FORMAT, "a colour at column 2, row 0");
}
END_TEST

START_TEST(test_thresholds_and_ignored_samples)
{
    const uint8_t sample[12] = { 0, 127, 128, 255, 7, 0, 0, 0, 0, 0, 0, 0 }, faint[12] = { 0, 1, 1 };
    const uint8_t of_index[12] = { 0, 1, 255, 1 }, limits[12] = { 0, 0, 255 };
    write_grey("masks/a.png", 4, 3, sample);
    peft_dataset *d = masked(one_image(), "masks", "kind=binary");
    has_labels(d, 0, "001100000000");
    peft_dataset_free(d);
    d = masked(one_image(), "masks", "kind=binary,threshold=5,ignore=127");
    has_labels(d, 0, "0-1110000000");
    peft_dataset_free(d);
    write_grey("masks/a.png", 4, 3, faint);
    load_fails(masked(one_image(), "masks", "kind=binary"), PEFT_E_FORMAT, "the largest sample is 1");
    write_grey("masks/a.png", 4, 3, of_index);
    d = masked(one_image(), "masks", "classes=2,ignore=255");
    has_labels(d, 0, "01-100000000");
    peft_dataset_free(d);
    write_grey("masks/a.png", 4, 3, limits);
    load_fails(masked(one_image(), "masks", "classes=2"), PEFT_E_FORMAT, "for a mask of 0 and 255 give kind=binary");
}
END_TEST

START_TEST(test_colours)
{
    const char *options = "colors=#000000:background:#ff0000:tumour:#fe0000:tumour:#00ff00:cyst:#808080:ignore";
    uint8_t rgb[36] = { 0, 0, 0, 255, 0, 0, 254, 0, 0, 0, 255, 0, 128, 128, 128 };
    write_png(SPNG_COLOR_TYPE_TRUECOLOR, 8, rgb, 36);
    peft_dataset *d = masked(one_image(), "masks", options);
    ck_assert_int_eq(peft_dataset_mask_classes(d), 3);
    ck_assert_str_eq(peft_dataset_mask_class_name(d, 2), "cyst");
    has_labels(d, 0, "0112-0000000");
    peft_dataset_free(d);
    const uint8_t grey[12] = { 0, 0, 0, 128 };
    write_grey("masks/a.png", 4, 3, grey);
    d = masked(one_image(), "masks", options);
    has_labels(d, 0, "000-00000000");
    peft_dataset_free(d);
    rgb[21] = 1;
    write_png(SPNG_COLOR_TYPE_TRUECOLOR, 8, rgb, 36);
    load_fails(masked(one_image(), "masks", options), PEFT_E_FORMAT,
               "a.png: colour #010000 at column 3, row 1 is no class; add it to colors");
}
END_TEST

START_TEST(test_sizes_and_orientation)
{
    const uint8_t sample[20] = { 1 };
    write_grey("masks/a.png", 5, 4, sample);
    load_fails(masked(one_image(), "masks", "classes=2"), PEFT_E_MISMATCH,
               "a.png: the mask has 5 x 4 pixels, its image 4 x 3; expected equal sizes");
    write_digits("masks/a_m.png", "000000000000", 1);
    write_grey("masks/a_m_1.png", 5, 4, sample);
    peft_dataset *d = masked(one_image(), "masks", "classes=2,suffix=_m");
    peft_mask *m;
    fails(PEFT_E_MISMATCH, "another file of it 4 x 3", peft_dataset_load_mask(d, 0, NULL, &m));
    peft_dataset_free(d);
}
END_TEST

/* Volumes of 4 x 3 x 2 voxels: image and labels. */
static void write_volume(const char *name, int datatype, const void *voxel, size_t bytes)
{
    uint8_t file[NIFTI_1_VOXELS + 24 * 4];
    const nifti n = { .version = 1, .dim = { 3, 4, 3, 2, 1, 1, 1, 1 }, .datatype = datatype };
    const size_t begin = nifti_header(&n, file);
    put_int(file + 72, bytes / 24 * 8, 2, false);             /* bits of a voxel */
    memcpy(file + begin, voxel, bytes);
    write_bytes(in_folder(name), file, begin + bytes);
}

START_TEST(test_volumes_by_slice)
{
    enum { UINT8 = 2, FLOAT32 = 16 };
    uint8_t image[24];
    float label[24];
    for (int i = 0; i < 24; i++) image[i] = (uint8_t)(i * 9), label[i] = (float)(i % 3);
    write_volume("images/scan.nii", UINT8, image, sizeof image);
    write_volume("masks/scan.nii", FLOAT32, label, sizeof label);
    for (int order = 0; order < 3; order++) {                 /* slices before masks, after, and masks by one file */
        peft_dataset *d, *slices, *volumes = pictures_of("images");
        if (order == 1) volumes = masked(volumes, "masks", "classes=3");
        ok(peft_dataset_with_slices(volumes, &slices));
        peft_dataset_free(volumes);
        d = order == 1 ? slices : masked(slices, order ? "masks/scan.nii" : "masks", "classes=3");
        ck_assert_int_eq(peft_dataset_count(d), 2);
        has_labels(d, 0, "012012012012");
        has_labels(d, 1, "012012012012");
        ok(peft_dataset_with_image_options(d, "axis=1", &slices));
        peft_dataset_free(slices);
        peft_dataset_free(d);
    }
    label[14] = 2.5f;
    write_volume("masks/scan.nii", FLOAT32, label, sizeof label);
    peft_dataset *slices, *volumes = pictures_of("images");
    ok(peft_dataset_with_slices(volumes, &slices));
    peft_dataset_free(volumes);
    peft_dataset *d = masked(slices, "masks", "classes=3");
    peft_mask *m;
    has_labels(d, 0, "012012012012");
    fails(PEFT_E_FORMAT, "value 2.5 at column 2, row 0", peft_dataset_load_mask(d, 1, NULL, &m));
    peft_dataset_free(d);
    d = masked(pictures_of("images"), "masks", "kind=binary");
    fails(PEFT_E_UNSUPPORTED, "choose one of them", peft_dataset_load_mask(d, 0, NULL, &m));
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("pixels of masks", test_class_numbers, test_thresholds_and_ignored_samples, test_colours,
              test_sizes_and_orientation, test_volumes_by_slice)
