/* SPDX-License-Identifier: Apache-2.0
 * test_spacing.c -- the distances between pixels that a NIfTI file states: of slices along each axis, turned, in other
 * units; and of images that are made of others. tests/dicom has those of DICOM files. */
#include "nifti_files.h"
#include <peft/image.h>

enum { NX = 2, NY = 3, NZ = 4, VOXELS = NX * NY * NZ };

static void is(const peft_image *im, double slices, double rows, double columns)
{
    double mm[3] = { -1, -1, -1 };
    const double want[3] = { slices, rows, columns };
    peft_image_spacing(im, mm);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(fabs(mm[i] - want[i]) <= 1e-6 * want[i], "spacing[%d] is %g, expected %g", i, mm[i], want[i]);
}

/* A volume with the sizes of voxels 0.5, 0.75 and 2. */
static peft_image *slice_of(nifti n, const char *options)
{
    static const uint64_t voxel[VOXELS];
    static const double zooms[4] = { 1, 0.5, 0.75, 2 };
    const int dim[8] = { 3, NX, NY, NZ };
    size_t size;
    peft_image *im;
    memcpy(n.dim, dim, sizeof dim);
    if (!n.pixdim[1]) memcpy(n.pixdim, zooms, sizeof zooms);
    n.datatype = 2;
    uint8_t *file = nifti_file(&n, voxel, VOXELS, 1, &size);
    ok(peft_image_load_memory(io_ctx, file, size, options, &im));
    free(file);
    return im;
}

static void slice_is(nifti n, const char *options, double slices, double rows, double columns)
{
    peft_image *im = slice_of(n, options);
    is(im, slices, rows, columns);
    peft_image_free(im);
}

START_TEST(axes_units_and_headers)
{
    for (int version = 1; version <= 2; version++)
        for (int big = 0; big < 2; big++) {
            const nifti n = { .version = version, .big_endian = big };
            nifti other = n;
            slice_is(n, "slice=1 axis=2", 2, 0.75, 0.5);
            slice_is(n, "slice=1 axis=1", 0.75, 2, 0.5);
            slice_is(n, "slice=1 axis=0", 0.5, 2, 0.75);
            for (int unit = 1; unit <= 3; unit++) {
                other.units = unit | 8;                       /* 8: seconds, of the fourth axis */
                const double mm = unit == 1 ? 1000 : unit == 2 ? 1 : 0.001;
                slice_is(other, "slice=0", 2 * mm, 0.75 * mm, 0.5 * mm);
            }
        }
}
END_TEST

/* Floats of 32 bits stand for the decimal numbers that were written: areas are 34.56 mm2 and not 34.560001. */
START_TEST(decimal_numbers)
{
    const double written[] = { 0.8, 0.3662, 0.97656, 0.4882812, 1.1, 12.3, 1234.5, 1e-3, 2, 700 };
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        double mm[3];
        const nifti n = { .version = 1, .pixdim = { 1, written[i], 1.0 / 3, 1 } };
        peft_image *im = slice_of(n, "slice=0");
        peft_image_spacing(im, mm);
        ck_assert_msg(mm[2] == written[i], "%.17g, expected %.17g", mm[2], written[i]);
        ck_assert(mm[0] == 1 && (float)mm[1] == 1.0f / 3);
        peft_image_free(im);
    }
}
END_TEST

/* A file whose first axis lies along the second one of the body: rows and columns change places. */
START_TEST(turned_slices)
{
    const nifti n = { .version = 1, .sform_code = 1, .srow = { { 0, 0.75 }, { -0.5 }, { 0, 0, 2 } } };
    slice_is(n, "slice=0 orient=ras", 2, 0.5, 0.75);
    slice_is(n, "slice=0", 2, 0.75, 0.5);
}
END_TEST

START_TEST(sizes_that_are_none)
{
    const double bad[] = { 0, NAN, INFINITY, 1e9, 1e-9 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const nifti n = { .version = 1, .pixdim = { 1, 0.5, bad[i], -2 } };
        slice_is(n, "slice=0", 2, 0, 0.5);
    }
    is(NULL, 0, 0, 0);
    peft_image_spacing(NULL, NULL);
}
END_TEST

START_TEST(images_made_of_others)
{
    const nifti n = { .version = 1 };
    peft_image *im = slice_of(n, "slice=0 axis=0"), *to;      /* NY columns, NZ rows */
    ok(peft_image_crop(im, 1, 1, 2, 2, &to));
    is(to, 0.5, 2, 0.75);
    peft_image_free(to);
    ok(peft_image_rescale(im, 2, 1, &to));
    is(to, 0.5, 2, 0.75);
    peft_image_free(to);
    ok(peft_image_resize(im, 9, 2, "bilinear", &to));
    is(to, 0.5, 4, 0.25);
    peft_image_free(to);
    ok(peft_image_from_buffer(io_ctx, peft_image_pixels(im), NY, NZ, 1, 8, 0, &to));
    is(to, 0, 0, 0);
    peft_image_free(to);
    peft_image_free(im);
    slice_is(n, "slice=0 axis=0 region=1:1:1:2", 0.5, 2, 0.75);
}
END_TEST

IO_SUITE_MAIN("spacing", axes_units_and_headers, decimal_numbers, turned_slices, sizes_that_are_none,
              images_made_of_others)
