/* SPDX-License-Identifier: Apache-2.0
 * test_nifti.c -- reading slices of NIfTI-1 and NIfTI-2 files: byte orders, compression, types of voxels, axes,
 * volumes, scale; damaged files. */
#include "nifti_files.h"
#include "io/image/image.h"

enum { NX = 3, NY = 4, NZ = 5, NT = 2 };
/* The value of a voxel of the volume below. */
static int voxel_at(int x, int y, int z, int t) { return x + 10 * y + 100 * z - 1000 * t; }

static const nifti plain = { .version = 1, .dim = { 3, NX, NY, NZ }, .datatype = 4 };

/* A file of NX x NY x NZ x volumes voxels of i16. The caller frees it. */
static uint8_t *file_of(const nifti *n, int volumes, size_t *size)
{
    uint64_t v[NX * NY * NZ * NT];
    size_t count = 0;
    for (int t = 0; t < volumes; t++)
        for (int z = 0; z < NZ; z++)
            for (int y = 0; y < NY; y++)
                for (int x = 0; x < NX; x++) v[count++] = (uint64_t)(int64_t)voxel_at(x, y, z, t);
    return nifti_file(n, v, count, 2, size);
}

/* Every slice along every axis has the voxels that it should. */
static void slices_are_right(const uint8_t *file, size_t size, int volumes)
{
    static const int dim[3] = { NX, NY, NZ };
    for (int axis = 0; axis < 3; axis++)
        for (int slice = 0; slice < dim[axis]; slice++)
            for (int t = 0; t < volumes; t++) {
                char options[80];
                peft_image *im;
                const int across = axis == 0 ? 1 : 0, down = axis == 2 ? 1 : 2;        /* axes of the picture */
                snprintf(options, sizeof options, "axis=%d slice=%d volume=%d", axis, slice, t);
                ok(peft_image_load_memory(io_ctx, file, size, options, &im));
                ck_assert_int_eq(peft_image_width(im), dim[across]);
                ck_assert_int_eq(peft_image_height(im), dim[down]);
                ck_assert_int_eq(peft_image_depth(im), PEFT_SIGNED_16);
                for (int row = 0; row < dim[down]; row++)
                    for (int column = 0; column < dim[across]; column++) {
                        int at[3];
                        at[axis] = slice, at[across] = column, at[down] = row;
                        ck_assert_int_eq(((const int16_t *)peft_image_pixels(im))[row * dim[across] + column],
                                         voxel_at(at[0], at[1], at[2], t));
                    }
                peft_image_free(im);
            }
}

START_TEST(slices_along_each_axis)
{
    for (int kind = 0; kind < 8; kind++) {
        nifti n = plain;
        size_t size, packed;
        n.version = 1 + kind % 2;
        n.big_endian = kind & 2;
        n.dim[0] = kind & 4 ? 5 : 3;
        n.dim[4] = n.dim[5] = 1;
        if (kind & 4) n.dim[5] = NT;                          /* any axis behind the third counts volumes */
        uint8_t *file = file_of(&n, kind & 4 ? NT : 1, &size), *gz = gzipped(file, size, &packed);
        slices_are_right(file, size, kind & 4 ? NT : 1);
        slices_are_right(gz, packed, kind & 4 ? NT : 1);
        free(file);
        free(gz);
    }
}
END_TEST

/* A file with a name; the number of slices is that of the axis. */
START_TEST(slices_are_counted_along_the_axis)
{
    size_t size, packed;
    int64_t slices;
    peft_image *im;
    uint8_t *file = file_of(&plain, 1, &size), *gz = gzipped(file, size, &packed);
    write_bytes(in_folder("v.nii.gz"), gz, packed);
    ok(peft_image_slices(io_ctx, in_folder("v.nii.gz"), NULL, &slices));
    ck_assert_int_eq(slices, NZ);
    ok(peft_image_slices(io_ctx, in_folder("v.nii.gz"), "axis=0", &slices));
    ck_assert_int_eq(slices, NX);
    fails(PEFT_E_UNSUPPORTED, "holds 5 slices", peft_image_load(io_ctx, in_folder("v.nii.gz"), NULL, &im));
    fails(PEFT_E_OPTION, "slice=5", peft_image_load(io_ctx, in_folder("v.nii.gz"), "slice=5", &im));
    fails(PEFT_E_OPTION, "volume=1, the file holds 1",
          peft_image_load_memory(io_ctx, file, size, "slice=1 volume=1", &im));
    free(file);
    free(gz);
}
END_TEST

START_TEST(a_volume_of_several_is_chosen)
{
    nifti n = plain;
    size_t size;
    peft_image *im;
    n.dim[0] = 4, n.dim[4] = NT;
    uint8_t *file = file_of(&n, NT, &size);
    fails(PEFT_E_UNSUPPORTED, "holds 2 volumes", peft_image_load_memory(io_ctx, file, size, "slice=0", &im));
    ok(peft_image_load_memory(io_ctx, file, size, "slice=0 volume=1", &im));
    ck_assert_int_eq(*(const int16_t *)peft_image_pixels(im), voxel_at(0, 0, 0, 1));
    peft_image_free(im);
    free(file);
}
END_TEST

/* Types of voxels: the bits of one, and the sample that it becomes; or a word of the error. */
static const struct { int code, bytes; uint64_t bits; int depth; double value; const char *word; } types[] = {
    { 2, 1, 200, 8, 200, NULL }, { 256, 1, 0x80, PEFT_SIGNED_16, -128, NULL },
    { 4, 2, 0x8000, PEFT_SIGNED_16, -32768, NULL }, { 512, 2, 0xffff, 16, 65535, NULL },
    { 8, 4, 0xff000000, PEFT_FLOAT_32, -16777216, NULL }, { 8, 4, 16777217, 0, 0, "16777217 of type i32" },
    { 8, 4, 0xfeffffff, 0, 0, "-16777217 of type i32" }, { 8, 4, 0x80000000, PEFT_FLOAT_32, -2147483648.0, NULL },
    { 768, 4, 0x80000000, PEFT_FLOAT_32, 2147483648.0, NULL }, { 768, 4, 0xffffffff, 0, 0, "type u32" },
    { 1024, 8, ~(uint64_t)4, PEFT_FLOAT_32, -5, NULL }, { 1024, 8, 1ull << 63, PEFT_FLOAT_32, -0x1p63, NULL },
    { 1024, 8, (1ull << 40) + 1, 0, 0, "type i64" }, { 1280, 8, 1ull << 63, PEFT_FLOAT_32, 0x1p63, NULL },
    { 1280, 8, ~0ull, 0, 0, "type u64" }, { 16, 4, 0x3fc00000, PEFT_FLOAT_32, 1.5, NULL },
    { 64, 8, 0xc004000000000000, PEFT_FLOAT_32, -2.5, NULL }, { 64, 8, 0x7fe0000000000000, 0, 0, "type f64" },
    { 32, 8, 0, 0, 0, "complex64" }, { 1792, 16, 0, 0, 0, "complex128" }, { 2304, 4, 0, 0, 0, "RGBA32" },
    { 1536, 16, 0, 0, 0, "float128" }, { 1, 1, 0, 0, 0, "binary" } };

START_TEST(types_of_voxels)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int big = 0; big < 2; big++) {
            nifti n = { .version = 1, .big_endian = big, .dim = { 2, 1, 1 }, .datatype = types[i].code };
            size_t size;
            peft_image *im;
            uint8_t *file = nifti_file(&n, &types[i].bits, 1, types[i].bytes, &size);
            if (types[i].word) {
                fails(PEFT_E_UNSUPPORTED, types[i].word, peft_image_load_memory(io_ctx, file, size, NULL, &im));
            } else {
                ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
                ck_assert_int_eq(peft_image_depth(im), types[i].depth);
                ck_assert_double_eq(io_value(im, 0), types[i].value);
                ck_assert_int_eq(isnan(im->full[1]), types[i].depth != 8);
                peft_image_free(im);
            }
            free(file);
        }
}
END_TEST

START_TEST(rgb_voxels_and_an_unknown_type)
{
    const uint64_t bytes[6] = { 1, 2, 3, 253, 254, 255 };
    nifti n = { .version = 2, .dim = { 2, 2, 1 }, .datatype = 128, .slope = 3, .inter = 1 };
    size_t size;
    peft_image *im;
    uint8_t *file = nifti_file(&n, bytes, 6, 1, &size);
    ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
    ck_assert_int_eq(peft_image_channels(im), 3);
    ck_assert(!memcmp(peft_image_pixels(im), "\1\2\3\375\376\377", 6));
    ck_assert(!io_rescaled(im));                              /* colours have no scale */
    peft_image_free(im);
    put_int(file + 12, 5, 2, false);
    fails(PEFT_E_FORMAT, "datatype is 5", peft_image_load_memory(io_ctx, file, size, NULL, &im));
    free(file);
}
END_TEST

/* The scale is that of the image; a slope of 0 or NaN is none. */
START_TEST(slope_and_intercept)
{
    static const struct { double slope, inter, a, b; } rows[] = {
        { 2, -1024, 2, -1024 }, { 0, 5, 1, 0 }, { NAN, 5, 1, 0 }, { INFINITY, 0, 1, 0 }, { 1, 0, 1, 0 }, { -0.5, 3,
                                                                                                           -0.5, 3 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int version = 1; version <= 2; version++) {
            nifti n = { .version = version, .dim = { 2, 1, 1 }, .datatype = 2, .slope = rows[i].slope,
                        .inter = rows[i].inter };
            size_t size;
            peft_image *im;
            const uint64_t v = 7;
            uint8_t *file = nifti_file(&n, &v, 1, 1, &size);
            ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
            ck_assert_double_eq(io_value(im, 0), 7 * rows[i].a + rows[i].b);
            ck_assert_int_eq(isnan(im->full[0]), rows[i].a != 1);
            peft_image_free(im);
            free(file);
        }
    nifti n = { .version = 1, .dim = { 2, 1, 1 }, .datatype = 2, .slope = 1, .inter = NAN };
    size_t size;
    peft_image *im;
    const uint64_t v = 7;
    uint8_t *file = nifti_file(&n, &v, 1, 1, &size);
    fails(PEFT_E_FORMAT, "scl_inter", peft_image_load_memory(io_ctx, file, size, NULL, &im));
    free(file);
}
END_TEST

/* A header with one wrong field, and a word of the error. */
START_TEST(wrong_headers_are_refused)
{
    static const struct { int at, n; uint64_t value; const char *word; } rows[] = {
        { 40, 2, 0, "dim[0]" }, { 40, 2, 8, "dim[0]" }, { 42, 2, 0, "dim[1]" }, { 44, 2, 0xffff, "dim[2]" },
        { 46, 2, 30000, "voxels take" }, { 70, 2, 0, "datatype is 0" }, { 108, 4, 0x42000000, "vox_offset is 32" },
        { 108, 4, 0x7fc00000, "vox_offset" }, { 345, 1, 'i', "pair" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size;
        peft_image *im;
        uint8_t *file = file_of(&plain, 1, &size);
        put_int(file + rows[i].at, rows[i].value, rows[i].n, false);
        const peft_status s = peft_image_load_memory(io_ctx, file, size, "slice=0", &im);
        ck_assert_msg(s && strstr(peft_last_error(), rows[i].word), "field at %d: %s", rows[i].at,
                      s ? peft_last_error() : "accepted");
        free(file);
    }
    size_t size;
    peft_image *im;
    nifti huge = { .version = 2, .dim = { 7, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30 },
                   .datatype = 64 };
    uint8_t *file = nifti_file(&huge, NULL, 0, 1, &size);
    fails(PEFT_E_FORMAT, "dim", peft_image_load_memory(io_ctx, file, size, "slice=0", &im));
    free(file);
}
END_TEST

/* Cut at each length, or with a byte of the header changed: refused, or read without a fault. */
START_TEST(damaged_files_do_not_crash)
{
    size_t size, packed;
    peft_image *im;
    nifti n = plain;
    n.sform_code = 1;
    for (int r = 0; r < 3; r++) n.srow[r][r] = 2;
    uint8_t *file = file_of(&n, 1, &size), *gz = gzipped(file, size, &packed);
    for (size_t k = 0; k < size; k++) {
        uint8_t *part = malloc(k ? k : 1);                    /* exact size: sanitizers see reads beyond */
        memcpy(part, file, k);
        ck_assert(peft_image_load_memory(io_ctx, part, k, "slice=4", &im) == PEFT_E_FORMAT);
        free(part);
    }
    for (size_t k = 0; k + 8 < packed; k++) {                 /* the last 8 bytes are a checksum */
        uint8_t *part = malloc(k ? k : 1);
        memcpy(part, gz, k);
        if (!peft_image_load_memory(io_ctx, part, k, "slice=4", &im)) {
            ck_assert_msg(k + 16 > packed, "read though cut at %zu of %zu", k, packed);
            peft_image_free(im);
        }
        free(part);
    }
    for (size_t i = 0; i < NIFTI_1_VOXELS; i++)
        for (int bit = 0; bit < 8; bit++) {
            file[i] ^= (uint8_t)(1 << bit);
            if (!peft_image_load_memory(io_ctx, file, size, "slice=0 orient=ras", &im)) peft_image_free(im);
            file[i] ^= (uint8_t)(1 << bit);
        }
    free(file);
    free(gz);
}
END_TEST

START_TEST(gzip_files_of_other_content_and_of_two_members)
{
    size_t size, a, b;
    peft_image *im;
    uint8_t *file = file_of(&plain, 1, &size), *text = gzipped((const uint8_t *)"text", 4, &a);
    fails(PEFT_E_FORMAT, "end early", peft_image_load_memory(io_ctx, text, a, NULL, &im));
    free(text);
    uint8_t zeros[400] = { 0 };
    text = gzipped(zeros, sizeof zeros, &a);
    fails(PEFT_E_FORMAT, "holds no NIfTI volume", peft_image_load_memory(io_ctx, text, a, NULL, &im));
    free(text);
    uint8_t *first = gzipped(file, 400, &a), *second = gzipped(file + 400, size - 400, &b), *both = malloc(a + b + 1);
    memcpy(both, first, a);
    memcpy(both + a, second, b);
    both[a + b] = 'x';                                        /* behind the last member: ignored */
    slices_are_right(both, a + b + 1, 1);
    both[a + b / 2] ^= 0x55;
    ck_assert(peft_image_load_memory(io_ctx, both, a + b, "slice=4", &im) == PEFT_E_FORMAT);
    free(first), free(second), free(both), free(file);
}
END_TEST

/* A slice of a volume of 64 MiB takes memory for the slice. */
START_TEST(a_compressed_volume_is_not_unpacked_whole)
{
    enum { SIDE = 1024, SLICES = 64, PLANE = SIDE * SIDE };
    nifti n = { .version = 1, .dim = { 3, SIDE, SIDE, SLICES }, .datatype = 2 };
    const size_t size = NIFTI_1_VOXELS + (size_t)PLANE * SLICES;
    size_t packed;
    uint8_t *file = calloc(size, 1);
    nifti_header(&n, file);
    memset(file + NIFTI_1_VOXELS + 50 * (size_t)PLANE, 9, PLANE);
    uint8_t *gz = gzipped(file, size, &packed);
    peft_context *ctx;
    peft_image *im;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_image_load_memory(ctx, gz, packed, "slice=50", &im));
    ck_assert_int_eq(((const uint8_t *)peft_image_pixels(im))[PLANE - 1], 9);
    ck_assert_uint_lt(peft_context_memory_peak(ctx), 3 * PLANE);
    peft_image_free(im);
    peft_context_free(ctx);
    free(file);
    free(gz);
}
END_TEST

IO_SUITE_MAIN("nifti", slices_along_each_axis, slices_are_counted_along_the_axis, a_volume_of_several_is_chosen,
              types_of_voxels, rgb_voxels_and_an_unknown_type, slope_and_intercept, wrong_headers_are_refused,
              damaged_files_do_not_crash, gzip_files_of_other_content_and_of_two_members,
              a_compressed_volume_is_not_unpacked_whole)
