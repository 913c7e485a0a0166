/* SPDX-License-Identifier: Apache-2.0
 * test_mask_geometry.c -- warnings where the file of a mask states other directions of axes or another spacing than
 * that of its image: once for a data set, and none where the two are equal or one states nothing. */
#include "mask_files.h"
#include "formats/nifti_files.h"
#include <peft/io.h>

enum { WIDTH = 4, HEIGHT = 3, VOXELS = WIDTH * HEIGHT, UINT8 = 2 };

static int warnings;
static char last_warning[1000];
static void count_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level == 1) snprintf(last_warning, sizeof last_warning, "%s", message), warnings++;
}

/* What a file states: sizes of voxels (0: none), and, if `right` is not 0, an sform by which columns count up to the
 * right, or to the left where it is negative. */
typedef struct stated { double rows, columns, slices, right; } stated;

static void write_volume(const char *name, stated s)
{
    static const uint64_t voxel[VOXELS];
    nifti n = { .version = 1, .dim = { 3, WIDTH, HEIGHT, 1 }, .datatype = UINT8,
                .pixdim = { 1, s.columns, s.rows, s.slices }, .sform_code = s.right != 0,
                .srow = { { s.right }, { 0, 1 }, { 0, 0, 1 } } };
    size_t size;
    uint8_t *file = nifti_file(&n, voxel, VOXELS, 1, &size);
    write_bytes(in_folder(name), file, size);
    free(file);
}

/* Loads all images and masks twice; the number of warnings. */
static int warnings_of(const char *options, const char *mask_options)
{
    peft_dataset *pictures = pictures_of("images"), *with;
    ok(peft_dataset_with_image_options(pictures, options, &with));
    peft_dataset_free(pictures);
    peft_dataset *d = masked(with, "masks", mask_options);
    warnings = 0;
    *last_warning = 0;
    ok(peft_context_set_log(io_ctx, count_warning, NULL, 1));
    for (int64_t i = 0; i < 2 * peft_dataset_count(d); i++)
        has_labels(d, i % peft_dataset_count(d), "000000000000");
    ok(peft_context_set_log(io_ctx, NULL, NULL, 0));
    peft_dataset_free(d);
    return warnings;
}

static void says(const char *words)
{
    ck_assert_msg(strstr(last_warning, words) != NULL, "no '%s' in '%s'", words, last_warning);
}

static const stated las = { 0.8, 0.8, 2, -0.8 }, ras = { 0.8, 0.8, 2, 0.8 };

static void write_pairs(stated image, stated mask)
{
    write_volume("images/a.nii", image);
    write_volume("masks/a.nii", mask);
    write_volume("images/b.nii", image);
    write_volume("masks/b.nii", mask);
}

START_TEST(other_directions)
{
    write_pairs(las, ras);
    ck_assert_int_eq(warnings_of("slice=0", "classes=2"), 1);
    says("masks/a.nii are RAS (to where columns, rows and slices count up), those of its image ");
    says("images/a.nii are LAS");
    says("orient=ras");
    says("identity affine");
    ck_assert_int_eq(warnings_of("slice=0 orient=ras", "classes=2"), 0);
    ck_assert_int_eq(warnings_of("slice=0", "classes=2,read=\"slice=0 orient=ras\""), 1);
    ck_assert_int_eq(warnings_of("slice=0 axis=2", "classes=2"), 1);
}
END_TEST

START_TEST(other_spacing)
{
    const stated other[] = { { 2, 0.8, 2, -0.8 }, { 0.8, 2, 2, -0.8 }, { 0.8, 0.8, 2.03, -0.8 } };
    const char *words[] = { "2x0.8x2 mm (rows x columns x slices)", "0.8x2x2 mm", "0.8x0.8x2.03 mm" };
    for (int i = 0; i < 3; i++) {
        write_pairs(las, other[i]);
        ck_assert_int_eq(warnings_of("slice=0", "classes=2"), 1);
        says(words[i]);
        says("images/a.nii states 0.8x0.8x2 mm");
        ck_assert_int_eq(warnings_of("slice=0 orient=ras", "classes=2"), 1);
        says("do not use orient=ras");
    }
    write_pairs(las, (stated){ 1, 1, 1, 1 });                 /* the identity */
    ck_assert_int_eq(warnings_of("slice=0", "classes=2"), 2);
}
END_TEST

START_TEST(no_difference)
{
    const stated none = { 0, 0, 0, 0 }, close = { 0.806, 0.8, 2, -0.8 }, no_slices = { 0.8, 0.8, 0, -0.8 };
    const stated masks[] = { las, none, close, no_slices };
    for (int i = 0; i < 4; i++) {
        write_pairs(las, masks[i]);
        ck_assert_int_eq(warnings_of("slice=0", "classes=2"), 0);
    }
    write_pairs(none, ras);
    ck_assert_int_eq(warnings_of("slice=0", "classes=2"), 0);
    write_pairs(las, las);
    remove(in_folder("masks/a.nii"));
    remove(in_folder("masks/b.nii"));
    write_digits("masks/a.png", "000000000000", 1);
    write_digits("masks/b.png", "000000000000", 1);
    ck_assert_int_eq(warnings_of("slice=0", "classes=2,read=\"orientation=stored\""), 0);
}
END_TEST

IO_SUITE_MAIN("mask geometry", other_directions, other_spacing, no_difference)
