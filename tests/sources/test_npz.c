/* SPDX-License-Identifier: Apache-2.0
 * test_npz.c -- data sets from MedMNIST's .npz files: array types and shapes, image options, corrupt and oversized
 * files. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>
#include <sys/resource.h>

#ifdef __SANITIZE_ADDRESS__
enum { RUNS_UNDER_ASAN = 1 };                                 /* AddressSanitizer reserves terabytes of address space */
#else
enum { RUNS_UNDER_ASAN = 0 };
#endif

/* The header of an .npy file. */
#define DICT(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"

/* Writes an .npz with the split val. images, labels: headers of the two arrays (see DICT). */
static const char *npz_of(const char *images, const void *pixels, size_t pixel_size, const char *labels,
                          const void *label, size_t label_size)
{
    static unsigned char image_array[4096], label_array[4096];
    const char *path = in_folder("m.npz");
    const entry arrays[] = {
        { "val_images.npy", image_array, npy_file(image_array, images, pixels, pixel_size) },
        { "val_labels.npy", label_array, npy_file(label_array, labels, label, label_size) } };
    zip_make(path, arrays, 2);
    return path;
}

/* The images are arrays in memory, so options of peft_image_load, which would have no effect, are refused. */
START_TEST(image_options_are_refused)
{
    peft_dataset *d, *part, *slices, *same = NULL;
    ok(peft_dataset_open_npz(io_ctx, npz_of(DICT("|u1", "(2,1,2)"), "\1\2\3\4", 4, DICT("|u1", "(2,)"), "\0\1", 2),
                             "val", &d));
    ok(peft_dataset_subset(d, (const int64_t[]){ 1 }, 1, &part));
    fails(PEFT_E_UNSUPPORTED, "'slice=1': the images of an .npz are arrays in memory",
          peft_dataset_with_image_options(d, "slice=1", &same));
    fails(PEFT_E_UNSUPPORTED, "'max_side=9'", peft_dataset_with_image_options(part, "max_side=9", &same));
    ok(peft_dataset_with_slices(part, &slices));
    fails(PEFT_E_UNSUPPORTED, "'max_side=9'", peft_dataset_with_image_options(slices, "max_side=9", &same));
    peft_dataset_free(slices);
    fails(PEFT_E_OPTION, "max_sides", peft_dataset_with_image_options(d, "max_sides=1", &same));
    ck_assert_ptr_null(same);
    ok(peft_dataset_with_image_options(part, "", &same));
    ck_assert_int_eq(peft_dataset_count(same), 1);
    peft_dataset_free(same);
    peft_dataset_free(part);
    peft_dataset_free(d);
}
END_TEST

START_TEST(image_and_label_arrays_are_read)
{
    peft_dataset *d;
    peft_image *im;
    float t[3];
    unsigned char pixels[2 * 2 * 3 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 7);
    const int64_t label[] = { 4, 1 };
    ok(peft_dataset_open_npz(io_ctx, npz_of(DICT("|u1", "(2, 2, 3)"), pixels, 12, DICT("<i8", "(2, 1)"), label, 16),
                             "val", &d));
    ck_assert_int_eq(peft_dataset_count(d), 2);
    ck_assert_int_eq(peft_dataset_classes(d), 5);
    ck_assert_str_eq(peft_dataset_name(d, 1), "val/1");
    ck_assert_int_eq(peft_dataset_label(d, 1), 1);
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_width(im), 3);
    ck_assert_int_eq(peft_image_height(im), 2);
    ck_assert_mem_eq(peft_image_pixels(im), pixels + 6, 6);
    peft_image_free(im);
    peft_dataset_free(d);
    ok(peft_dataset_open_npz(io_ctx,
                             npz_of(DICT("|u1", "(2,2,3,3)"), pixels, 36, DICT("|u1", "(2, 3)"), "\1\0\1\0\0\0", 6),
                             "val", &d));
    ck_assert_int_eq(peft_dataset_multilabel(d), 1);
    ok(peft_dataset_targets(d, 0, t));
    ck_assert(t[0] == 1 && t[1] == 0 && t[2] == 1);
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_channels(im), 3);
    peft_image_free(im);
    peft_dataset_free(d);
    ok(peft_dataset_open_npz(io_ctx, npz_of(DICT("<u2", "(2,2,3)"), pixels, 24, DICT("|b1", "(2,)"), "\1\0", 2),
                             "val", &d));
    ok(peft_dataset_load(d, 0, &im));
    ck_assert_int_eq(peft_image_depth(im), 16);
    peft_image_free(im);
    peft_dataset_free(d);
    ok(peft_dataset_open_npz(io_ctx, npz_of(DICT("|u1", "(2,2,3,1)"), pixels, 12, DICT("|u1", "(2,1)"), "\1\0", 2),
                             "valid", &d));                   /* "valid" means "val" */
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_channels(im), 1);
    ck_assert_int_eq(peft_image_width(im), 3);
    ck_assert_mem_eq(peft_image_pixels(im), pixels + 6, 6);
    peft_image_free(im);
    peft_dataset_free(d);
    fails(PEFT_E_NOTFOUND, "train_images", peft_dataset_open_npz(io_ctx, in_folder("m.npz"), "train", &d));
    fails(PEFT_E_INVALID, "'all'", peft_dataset_open_npz(io_ctx, in_folder("m.npz"), "all", &d));
    fails(PEFT_E_IO, "gone.npz", peft_dataset_open_npz(io_ctx, in_folder("gone.npz"), "val", &d));
}
END_TEST

START_TEST(other_arrays_are_refused)
{
    peft_dataset *d = NULL;
    unsigned char z[64] = { 0 };
    static const struct {
        const char *images, *labels;
        size_t image_bytes, label_bytes;
        peft_status s;
        const char *word;                                     /* the error message contains it */
    } bad[] = {
        { DICT("|O", "(2,2,2)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_UNSUPPORTED, "val_" },
        { DICT("<f8", "(2,2,2)"), DICT("|u1", "(2,)"), 64, 2, PEFT_E_UNSUPPORTED, "astype('float32')" },
        { DICT(">u2", "(2,2,2)"), DICT("|u1", "(2,)"), 16, 2, PEFT_E_UNSUPPORTED, "val_" },
        { DICT("|i1", "(2,2,2)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_UNSUPPORTED, "val_" },
        { DICT("|u1", "(2,2,2,2)"), DICT("|u1", "(2,)"), 16, 2, PEFT_E_UNSUPPORTED, "u8 of [2,2,2,2]" },
        { DICT("|u1", "(2,4)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_UNSUPPORTED, "val_" },
        { DICT("|u1", "(0,2,2)"), DICT("|u1", "(0,)"), 0, 0, PEFT_E_UNSUPPORTED, "n > 0" },
        { DICT("|u1", "(2,2,2)"), DICT("|u1", "(2,)"), 7, 2, PEFT_E_FORMAT, "val_" },
        { DICT("|u1", "(2,2,2)"), DICT("|u1", "(2,)"), 9, 2, PEFT_E_FORMAT, "val_" },
        { DICT("|u1", "(2,2,2)"), DICT("|u1", "(3,)"), 8, 3, PEFT_E_SHAPE, "3 labels" },
        { DICT("|u1", "(2,2,2)"), DICT("<f8", "(2,)"), 8, 16, PEFT_E_UNSUPPORTED, "val_" },
        { DICT("|u1", "(4611686018427387904,2,2)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT, "val_" },
        { DICT("|u1", "(-2,2,-2)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT, "val_" },
        { DICT("|u1", "()"), DICT("|u1", "(2,)"), 1, 2, PEFT_E_UNSUPPORTED, "array of 0 extents" },
        { DICT("|u1", "(8)"), DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT, "val_" },
        { "{'descr': '|u1', 'fortran_order': True, 'shape': (2,2,2), }", DICT("|u1", "(2,)"), 8, 2,
          PEFT_E_UNSUPPORTED, "Fortran order" },
        { "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (8,)}", DICT("|u1", "(2,)"), 8, 2,
          PEFT_E_UNSUPPORTED, "val_" },
        { "{'descr': '|u1', 'shape': (2,2,2), }", DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT, "val_" },
        { "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,2,2), }", DICT("|u1", "(2,)"), 8, 2,
          PEFT_E_FORMAT, "val_" },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (2,2,2), } x", DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT,
          "val_" },
        { "nonsense", DICT("|u1", "(2,)"), 8, 2, PEFT_E_FORMAT, "val_" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = npz_of(bad[i].images, z, bad[i].image_bytes, bad[i].labels, z, bad[i].label_bytes);
        peft_status s = peft_dataset_open_npz(io_ctx, path, "val", &d);
        ck_assert_msg(s == bad[i].s, "header %s: %s: %s", bad[i].images, peft_status_name(s), peft_last_error());
        ck_assert_msg(strstr(peft_last_error(), bad[i].word), "header %s: %s", bad[i].images,
                      peft_last_error());
    }
    ck_assert_ptr_null(d);
}
END_TEST

/* Black images, which compress well, are read. Arrays of gigabytes in a small file are refused before memory of that
 * size is allocated (the address space is limited to 3 GiB); so are more than 64 entries. */
START_TEST(decompression_bombs_are_refused)
{
    peft_dataset *d;
    size_t n = 2 << 20, bytes;
    unsigned char *big = calloc(1, n + 200), labels[200];
    size_t size = npy_file(big, DICT("|u1", "(2,1024,1024)"), NULL, 0) + n;
    const entry black[] = { { "val_images.npy", big, size },
                            { "val_labels.npy", labels, npy_file(labels, DICT("|u1", "(2,)"), "\0\1", 2) } };
    zip_make(in_folder("z.npz"), black, 2);
    ok(peft_dataset_open_npz(io_ctx, in_folder("z.npz"), "val", &d));
    peft_dataset_free(d);
    zip_make(in_folder("z.npz"), (const entry[]){ { "val_images.npy", "-", 1 } }, 1);
    unsigned char *zip = read_bytes(in_folder("z.npz"), &bytes), *directory_entry = memmem(zip, bytes, "PK\1\2", 4);
    struct rlimit unlimited, limited;
    getrlimit(RLIMIT_AS, &unlimited);
    limited = unlimited;
    limited.rlim_cur = 3ull << 30;
    /* highest bytes of the plain and of the compressed size: 3.5 GiB in a file of some 140 bytes */
    directory_entry[27] = directory_entry[23] = 0xe0;
    write_bytes(in_folder("z.npz"), zip, bytes);
    if (!RUNS_UNDER_ASAN) setrlimit(RLIMIT_AS, &limited);
    fails(PEFT_E_FORMAT, "val_images", peft_dataset_open_npz(io_ctx, in_folder("z.npz"), "val", &d));
    setrlimit(RLIMIT_AS, &unlimited);
    free(zip);
    entry entries[65];
    char name[65][16];
    for (int i = 0; i < 65; i++) {
        snprintf(name[i], sizeof name[i], "%d", i);
        entries[i] = (entry){ name[i], big, 1 };
    }
    zip_make(in_folder("y.npz"), entries, 65);
    fails(PEFT_E_UNSUPPORTED, "65 entries", peft_dataset_open_npz(io_ctx, in_folder("y.npz"), "val", &d));
    free(big);
}
END_TEST

/* A truncated file is refused; a file with one changed byte is opened or refused, without a crash. */
START_TEST(truncated_and_corrupt_files_are_refused)
{
    peft_dataset *d;
    size_t size;
    unsigned char pixels[300];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * i);
    const char *path = npz_of(DICT("|u1", "(3,10,10)"), pixels, 300, DICT("|u1", "(3, 1)"), "\0\1\2", 3);
    unsigned char *file = read_bytes(path, &size);
    for (size_t n = 0; n < size; n += 3) {
        write_bytes(in_folder("cut.npz"), file, n);
        ck_assert_msg(peft_dataset_open_npz(io_ctx, in_folder("cut.npz"), "val", &d) != PEFT_OK,
                      "a file cut to %zu of %zu bytes was opened", n, size);
    }
    for (size_t offset = 0; offset < size; offset++) {
        file[offset] ^= 0x21;
        write_bytes(in_folder("bad.npz"), file, size);
        if (!peft_dataset_open_npz(io_ctx, in_folder("bad.npz"), "val", &d)) peft_dataset_free(d);
        file[offset] ^= 0x21;
    }
    free(file);
}
END_TEST

IO_SUITE_MAIN("npz", image_options_are_refused, image_and_label_arrays_are_read, other_arrays_are_refused,
              decompression_bombs_are_refused, truncated_and_corrupt_files_are_refused)
