/* SPDX-License-Identifier: Apache-2.0
 * test_overlap.c -- peft_dataset_overlap finds images that are in two data sets, or twice in one with different labels:
 * by path, link or content, in files, zips and .npz arrays. */
#include "io_files.h"
#include <peft/io.h>

/* The pairs of equal images, "0=1 2=0": sample 0 of a is sample 1 of b, sample 2 of a is sample 0 of b. */
static const char *overlapping_pairs(const peft_dataset *a, const peft_dataset *b)
{
    static char text[200];
    int64_t x[20], y[20], n;
    ok(peft_dataset_overlap(a, b, 20, x, y, &n));
    ck_assert_int_le(n, 20);
    *text = 0;
    for (int64_t i = 0; i < n; i++) sprintf(text + strlen(text), "%s%d=%d", i ? " " : "", (int)x[i], (int)y[i]);
    return text;
}

/* A list file `name` of this text, with two classes; paths are relative to the test's folder. */
static peft_dataset *list_of(const char *name, const char *text)
{
    peft_dataset *d;
    write_bytes(in_folder(name), text, strlen(text));
    ok(peft_dataset_open_list(io_ctx, in_folder(name), io_folder, 2, &d));
    return d;
}

/* Copies a file of the test's folder. */
static void copy_file(const char *from, const char *to)
{
    size_t size;
    unsigned char *data = read_bytes(in_folder(from), &size);
    write_bytes(in_folder(to), data, size);
    free(data);
}

START_TEST(paths_links_and_copies_are_found)
{
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%u.png", i);
        save_picture(in_folder(name), 30, 20, 1, i);
    }
    copy_file("p1.png", "copy.png");
    ck_assert_int_eq(link(in_folder("p2.png"), in_folder("hard.png")), 0);
    ck_assert_int_eq(symlink("p3.png", in_folder("soft.png")), 0);
    peft_dataset *a = list_of("a", "p0.png 0\np1.png 0\np2.png 1\np3.png 1\ngone.png 0\n"), *b, *part;
    ck_assert_str_eq(overlapping_pairs(a, a), "");
    b = list_of("b", "soft.png 1\ngone.png 0\ncopy.png 1\nhard.png 1\n");
    ck_assert_str_eq(overlapping_pairs(a, b), "1=2 2=3 3=0");
    ck_assert_str_eq(overlapping_pairs(b, a), "0=3 2=1 3=2");
    ok(peft_dataset_subset(a, (const int64_t[]){ 3, 0 }, 2, &part));
    ck_assert_str_eq(overlapping_pairs(part, b), "0=0");
    int64_t n = -1;
    ok(peft_dataset_overlap(a, b, 0, NULL, NULL, &n));
    ck_assert_int_eq(n, 3);
    int64_t x[1] = { -7 }, y[1] = { -7 };
    ok(peft_dataset_overlap(a, b, 1, x, y, &n));
    ck_assert(n == 3 && x[0] == 1 && y[0] == 2);
    fails(PEFT_E_INVALID, "in_a or in_b", peft_dataset_overlap(a, b, 1, NULL, y, &n));
    fails(PEFT_E_INVALID, "data set", peft_dataset_overlap(a, NULL, 1, x, y, &n));
    peft_dataset_free(part);
    peft_dataset_free(a);
    peft_dataset_free(b);
}
END_TEST

/* In one data set, copies count only if their labels differ; between two data sets, a copy with the other label is
 * preferred. */
START_TEST(copies_with_different_labels_are_found)
{
    save_picture(in_folder("p.png"), 30, 20, 1, 1);
    save_picture(in_folder("q.png"), 30, 20, 1, 2);
    copy_file("p.png", "p2.png");
    copy_file("p.png", "p3.png");
    copy_file("q.png", "q2.png");
    peft_dataset *d = list_of("d", "p.png 0\nq.png 0\np2.png 0\np3.png 1\nq2.png 0\n");
    ck_assert_str_eq(overlapping_pairs(d, d), "0=3 1=4 2=3 3=0 4=1");
    peft_dataset *e = list_of("e", "p2.png 1\np.png 0\n");
    ck_assert_str_eq(overlapping_pairs(d, e), "0=0 2=0 3=1");
    peft_dataset_free(d);
    peft_dataset_free(e);
}
END_TEST

/* Files of one size whose first 64 KiB are equal. */
START_TEST(large_files_are_compared_to_their_end)
{
    static unsigned char file[200000];
    const char *const names[] = { "x/a/1.pgm", "x/a/2.pgm", "x/a/3.pgm", "y/a/1.pgm" };
    peft_dataset *x, *y;
    memcpy(file, "P5 400 400 255\n", 15);
    for (size_t i = 0; i < 4; i++) {
        file[150000] = (unsigned char)(i % 3);
        write_bytes(in_folder(names[i]), file, 160015);
    }
    ok(peft_dataset_open_folder(io_ctx, in_folder("x"), NULL, &x));
    ok(peft_dataset_open_folder(io_ctx, in_folder("y"), NULL, &y));
    ck_assert_str_eq(overlapping_pairs(x, x), "");
    ck_assert_str_eq(overlapping_pairs(y, x), "0=0");
    peft_dataset_free(x);
    peft_dataset_free(y);
}
END_TEST

START_TEST(copies_in_zips_and_arrays_are_found)
{
    size_t size[2];
    unsigned char *png[2], images[400], labels[200];
    const unsigned char pixels[] = { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4 };
    peft_dataset *folder, *zip, *npz;
    save_picture(in_folder("f/a/1.png"), 30, 20, 1, 1);
    save_picture(in_folder("f/b/2.png"), 30, 20, 1, 2);
    png[0] = read_bytes(in_folder("f/a/1.png"), &size[0]);
    png[1] = read_bytes(in_folder("f/b/2.png"), &size[1]);
    zip_make(in_folder("z.zip"), (const entry[]){ { "a/x.png", png[1], size[1] }, { "a/y.png", "-", 1 },
                                                  { "b/z.png", png[1], size[1] } }, 3);
    ok(peft_dataset_open_folder(io_ctx, in_folder("f"), NULL, &folder));
    ok(peft_dataset_open_zip(io_ctx, in_folder("z.zip"), NULL, &zip));
    ck_assert_str_eq(overlapping_pairs(folder, zip), "1=0");         /* sample 0 of the zip, not 2: its class differs */
    ck_assert_str_eq(overlapping_pairs(zip, zip), "0=2 2=0");
    const char *shape = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,2,2), }";
    const entry arrays[] = {
        { "test_images.npy", images, npy_file(images, shape, pixels, 12) },
        { "test_labels.npy", labels,
          npy_file(labels, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\0\1\1", 3) } };
    zip_make(in_folder("n.npz"), arrays, 2);
    ok(peft_dataset_open_npz(io_ctx, in_folder("n.npz"), "test", &npz));
    ck_assert_str_eq(overlapping_pairs(npz, npz), "0=2 2=0");
    ck_assert_str_eq(overlapping_pairs(npz, folder), "");
    free(png[0]);
    free(png[1]);
    peft_dataset_free(folder);
    peft_dataset_free(zip);
    peft_dataset_free(npz);
}
END_TEST

/* The same pixels in another format, or in a file with other bytes behind them, are found by pixels alone. */
START_TEST(equal_pixels_in_other_files_are_found)
{
    static const unsigned char pixels[] = { 1, 2, 3, 4, 5, 6 };
    char pnm[40];
    peft_image *grey, *wide;
    peft_dataset *d;
    size_t size;
    int64_t in_a[5], in_b[5], count;
    ok(peft_image_from_buffer(io_ctx, pixels, 3, 2, 1, 8, 0, &grey));
    ok(peft_image_from_buffer(io_ctx, pixels, 2, 3, 1, 8, 0, &wide));
    ok(peft_image_save_png(grey, in_folder("p/a/1.png")));
    ok(peft_image_save_png(wide, in_folder("p/a/2.png")));
    memcpy(pnm, "P5 3 2 255\n", 11);
    memcpy(pnm + 11, pixels, 6);
    write_bytes(in_folder("p/b/3.pgm"), pnm, 17);
    unsigned char *png = read_bytes(in_folder("p/a/2.png"), &size);
    png[size++] = 'x';
    write_bytes(in_folder("p/b/4.png"), png, size);
    free(png);
    save_picture(in_folder("p/b/5.png"), 3, 2, 1, 4);
    ok(peft_dataset_open(io_ctx, in_folder("p"), NULL, &d));
    ok(peft_dataset_overlap(d, d, 0, NULL, NULL, &count));
    ck_assert_int_eq(count, 0);
    ok(peft_dataset_overlap_pixels(d, d, 5, in_a, in_b, &count));
    ck_assert(count == 4 && in_a[0] == 0 && in_b[0] == 2 && in_a[1] == 1 && in_b[1] == 3 && in_b[2] == 0 &&
              in_b[3] == 1);
    write_bytes(in_folder("p/b/5.png"), "no picture", 10);
    fails(PEFT_E_FORMAT, "5.png", peft_dataset_overlap_pixels(d, d, 5, in_a, in_b, &count));
    peft_image_free(grey);
    peft_image_free(wide);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("overlap", paths_links_and_copies_are_found, copies_with_different_labels_are_found,
              large_files_are_compared_to_their_end, copies_in_zips_and_arrays_are_found,
              equal_pixels_in_other_files_are_found)
