/* SPDX-License-Identifier: Apache-2.0
 * test_mask_kinds.c -- how the pixels of mask files become labels: class numbers of grey pictures, palettes and
 * volumes, thresholds, colours; pixels that are not judged; what is refused, with value, row and column; sizes. */
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
    load_fails(masked(one_image(), "masks", "kind=binary,threshold=255"), PEFT_E_OPTION,
               "threshold=255: samples are unsigned of 8 bits, and none is above it; expected less than 255");
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

START_TEST(test_sizes_of_image_and_mask)
{
    const uint8_t sample[20] = { 1 };
    write_grey("masks/a.png", 5, 4, sample);
    load_fails(masked(one_image(), "masks", "classes=2"), PEFT_E_MISMATCH,
               "a.png: the mask has 4x5 pixels (height x width), its image 3x4; expected equal sizes");
    write_digits("masks/a_m.png", "000000000000", 1);
    write_grey("masks/a_m_1.png", 5, 4, sample);
    peft_dataset *d = masked(one_image(), "masks", "classes=2,suffix=_m");
    peft_mask *m;
    fails(PEFT_E_MISMATCH, "another file of it 3x4", peft_dataset_load_mask(d, 0, NULL, &m));
    peft_dataset_free(d);
}
END_TEST

/* Writes a grey PNG with this EXIF orientation (0: without EXIF data). */
static void write_turned(const char *name, int64_t width, int64_t height, const uint8_t *sample, int orientation)
{
    enum { HEADER = 33, EXIF = 26, CHUNK = EXIF + 12 };       /* signature and IHDR; EXIF data; its chunk */
    uint8_t chunk[CHUNK] = { 0, 0, 0, EXIF, 'e', 'X', 'I', 'f', 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0,
                             0, 1, 0, (uint8_t)orientation };
    size_t size;
    put_int(chunk + 8 + EXIF, crc32(0, chunk + 4, 4 + EXIF), 4, true);
    write_grey(name, width, height, sample);
    if (!orientation) return;
    uint8_t *png = read_bytes(in_folder(name), &size), *with = malloc(size + CHUNK);
    memcpy(with, png, HEADER);
    memcpy(with + HEADER, chunk, CHUNK);
    memcpy(with + HEADER + CHUNK, png + HEADER, size - HEADER);
    write_bytes(in_folder(name), with, size + CHUNK);
    free(png);
    free(with);
}

static int warnings;
static char last_warning[1000];
static void count_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level == 1) snprintf(last_warning, sizeof last_warning, "%s", message), warnings++;
}

START_TEST(test_orientation_of_image_and_mask)
{
    const uint8_t stored[12] = { 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0 };       /* 3 x 4 */
    const char *seen = "001000000111", *as_stored = "001101001000";          /* 4 x 3: turned to the right */
    ok(peft_context_set_log(io_ctx, count_warning, NULL, 1));
    write_turned("images/a.png", 3, 4, stored, 6);
    write_turned("masks/a.png", 3, 4, stored, 6);
    peft_dataset *d = masked(pictures_of("images"), "masks", "classes=2"), *kept;
    has_labels(d, 0, seen);
    ck_assert_int_eq(warnings, 0);
    write_turned("masks/a.png", 3, 4, stored, 0);
    peft_image *im;
    peft_mask *m;
    ok(peft_dataset_load(d, 0, &im));
    fails(PEFT_E_MISMATCH, "the mask has 4x3 pixels (height x width), its image 3x4; expected equal sizes. "
          "One of them is turned",
          peft_dataset_load_mask(d, 0, im, &m));
    peft_image_free(im);
    ok(peft_dataset_with_image_options(d, "orientation=stored", &kept));
    has_labels(kept, 0, as_stored);
    peft_dataset_free(kept);
    write_turned("images/a.png", 3, 4, stored, 3);            /* turned by half: sizes do not tell */
    for (int i = 0; i < 2; i++) has_labels(d, 0, as_stored);
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_warning, "images/a.png is turned by its EXIF orientation, but"));
    peft_dataset_free(d);
}
END_TEST

/* Adds a chunk to a PNG. */
static size_t put_chunk(uint8_t *png, size_t at, const char *type, const void *data, size_t size)
{
    put_int(png + at, size, 4, true);
    memcpy(png + at + 4, type, 4);
    memcpy(png + at + 8, data, size);
    put_int(png + at + 8 + size, crc32(0, png + at + 4, (uInt)size + 4), 4, true);
    return at + 12 + size;
}

/* Interlaced samples of 2 bits: the rows of the passes 1, 4, 5, 6 (two rows) and 7, each behind its filter 0. */
START_TEST(test_interlaced_indices)
{
    static const uint8_t rows[12] = { 0, 0x00, 0, 0x80, 0, 0xc0, 0, 0x70, 0, 0x00, 0, 0x06 };    /* 0123 0012 3000 */
    static const uint8_t palette[12] = { 9, 9, 9, 0, 0, 1, 0, 1, 0, 1, 0, 0 };
    for (int colour_type = 0; colour_type <= 3; colour_type += 3) {           /* grey; palette */
        const uint8_t header[13] = { 0, 0, 0, 4, 0, 0, 0, 3, 2, (uint8_t)colour_type, 0, 0, 1 };
        uint8_t png[300] = "\x89PNG\r\n\x1a\n", packed[100];
        uLongf size = sizeof packed;
        ck_assert_int_eq(compress(packed, &size, rows, sizeof rows), Z_OK);
        size_t n = put_chunk(png, 8, "IHDR", header, sizeof header);
        if (colour_type) n = put_chunk(png, n, "PLTE", palette, sizeof palette);
        n = put_chunk(png, n, "IDAT", packed, size);
        n = put_chunk(png, n, "IEND", "", 0);
        write_bytes(in_folder("masks/a.png"), png, n);
        peft_dataset *d = masked(one_image(), "masks", "classes=4");
        has_labels(d, 0, "012300123000");
        peft_dataset_free(d);
    }
}
END_TEST

/* A volume of 4 x 3 voxels in each slice, of 1 to 3. */
static void write_deep(const char *name, int datatype, int slices, const void *voxel, size_t bytes)
{
    uint8_t file[NIFTI_1_VOXELS + 36 * 4];
    const nifti n = { .version = 1, .dim = { 3, 4, 3, slices, 1, 1, 1, 1 }, .datatype = datatype };
    const size_t begin = nifti_header(&n, file);
    put_int(file + 72, bytes / (12 * (size_t)slices) * 8, 2, false);          /* bits of a voxel */
    memcpy(file + begin, voxel, bytes);
    write_bytes(in_folder(name), file, begin + bytes);
}

/* Volumes of 4 x 3 x 2 voxels: image and labels. */
static void write_volume(const char *name, int datatype, const void *voxel, size_t bytes)
{
    write_deep(name, datatype, 2, voxel, bytes);
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
    /* a mask with a slice less than its image, or one more */
    static float longer[36];
    peft_mask *m;
    for (int slices = 1; slices <= 3; slices += 2) {
        char words[120];
        peft_dataset *of, *volume = pictures_of("images");
        write_deep("masks/scan.nii", FLOAT32, slices, longer, sizeof *longer * 12 * (size_t)slices);
        ok(peft_dataset_with_slices(volume, &of));
        peft_dataset_free(volume);
        of = masked(of, "masks", "classes=3");
        snprintf(words, sizeof words, "scan.nii: the file holds %d slice%s, and ", slices, slices == 1 ? "" : "s");
        fails(PEFT_E_MISMATCH, words, peft_dataset_load_mask(of, 0, NULL, &m));
        peft_dataset_free(of);
    }
    label[14] = 2.5f;
    write_volume("masks/scan.nii", FLOAT32, label, sizeof label);
    peft_dataset *slices, *volumes = pictures_of("images");
    ok(peft_dataset_with_slices(volumes, &slices));
    peft_dataset_free(volumes);
    peft_dataset *d = masked(slices, "masks", "classes=3");
    has_labels(d, 0, "012012012012");
    fails(PEFT_E_FORMAT, "value 2.5 at column 2, row 0", peft_dataset_load_mask(d, 1, NULL, &m));
    peft_dataset_free(d);
    d = masked(pictures_of("images"), "masks", "kind=binary");
    fails(PEFT_E_UNSUPPORTED, "choose one of them", peft_dataset_load_mask(d, 0, NULL, &m));
    peft_dataset_free(d);
}
END_TEST

/* A real volume whose labels are the voxels above 50, by slice. */
START_TEST(test_a_real_volume)
{
    const char *shared = getenv("PEFT_SHARED");
    char path[400];
    size_t size;
    snprintf(path, sizeof path, "%s/data/nifti/anatomical.nii", shared ? shared : "");
    if (access(path, R_OK)) {
        printf("test_a_real_volume: skipped, as there is no $PEFT_SHARED/data/nifti/anatomical.nii\n");
        return;
    }
    unsigned char *file = read_bytes(path, &size);
    write_bytes(in_folder("masks/anatomical.nii"), file, size);
    free(file);
    peft_dataset *volume, *slices;
    ok(peft_dataset_open_pictures(io_ctx, path, &volume));
    ok(peft_dataset_with_slices(volume, &slices));
    peft_dataset_free(volume);
    peft_dataset *d = masked(slices, "masks", "kind=binary,threshold=50");
    int64_t above = 0, pixels = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        peft_image *im;
        peft_mask *m;
        ok(peft_dataset_load(d, i, &im));
        ok(peft_dataset_load_mask(d, i, im, &m));
        const int64_t n = peft_mask_width(m) * peft_mask_height(m);
        int64_t *label = malloc((size_t)n * sizeof *label);
        ok(peft_mask_labels(m, label));
        for (int64_t k = 0; k < n; k++) {
            const double v = peft_image_depth(im) == 8 ? ((const uint8_t *)peft_image_pixels(im))[k]
                             : peft_image_depth(im) == PEFT_SIGNED_16 ? ((const int16_t *)peft_image_pixels(im))[k]
                             : (double)((const float *)peft_image_pixels(im))[k];
            ck_assert_int_eq(label[k], peft_image_slope(im) * v + peft_image_intercept(im) > 50);
            above += label[k];
        }
        pixels += n;
        free(label);
        peft_mask_free(m);
        peft_image_free(im);
    }
    ck_assert(above > 0 && above < pixels);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("pixels of masks", test_class_numbers, test_thresholds_and_ignored_samples, test_colours,
              test_sizes_of_image_and_mask, test_orientation_of_image_and_mask, test_interlaced_indices,
              test_volumes_by_slice, test_a_real_volume)
