/* SPDX-License-Identifier: Apache-2.0
 * test_zip_folder.c -- a zip of a folder gives the same data set as the folder; zips that are corrupt, encrypted,
 * oversized or name paths outside the archive are refused. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>

enum { FILES = 10 };
static const char *const names[FILES] = { "test/b/9.PNG", "train/b/2.png", "train/a/x.png", "train/a/notes.txt",
    "train/.hidden/x.png", "train/b/10.png", "test/c/.y.png", "extra/a/x.png", "train/a/deep/x.png",
    "test/c/1.png" };

typedef enum { DEFLATED, STORED } compression;

/* Writes the files to folder f and, with the prefix top, to f.zip. */
static void make_both(const char *top, compression how)
{
    int code;
    zip_t *z = zip_open(in_folder("f.zip"), ZIP_CREATE | ZIP_TRUNCATE, &code);
    for (unsigned i = 0; i < FILES; i++) {
        char name[100], file[100];
        snprintf(name, sizeof name, "%s%s", top, names[i]);
        snprintf(file, sizeof file, "f/%s", names[i]);
        save_picture(in_folder(file), 5 + i, 4, i % 2 ? 1 : 3, i);
        zip_int64_t index = zip_file_add(z, name, zip_source_file(z, in_folder(file), 0, -1), 0);
        ck_assert_int_ge(index, 0);
        ck_assert_int_eq(zip_set_file_compression(z, (zip_uint64_t)index,
                                                  how == STORED ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0), 0);
    }
    char folder[100];
    snprintf(folder, sizeof folder, "%strain/c", top);        /* empty in train; split test has pictures of class c */
    ck_assert_int_ge(zip_dir_add(z, folder, 0), 0);
    ck_assert_int_eq(mkdir(in_folder("f/train/c"), 0777), 0);
    ck_assert_int_ge(zip_file_add(z, "__MACOSX/train/d/x.png", zip_source_buffer(z, "", 0, 0), 0), 0);
    ck_assert_int_eq(zip_close(z), 0);
}

/* a: of folder f; b: of f.zip. */
static void check_same_data_set(const peft_dataset *a, const peft_dataset *b)
{
    ck_assert_int_eq(peft_dataset_count(a), peft_dataset_count(b));
    ck_assert_int_eq(peft_dataset_classes(a), peft_dataset_classes(b));
    for (int64_t c = 0; c < peft_dataset_classes(a); c++)
        ck_assert_str_eq(peft_dataset_class_name(a, c), peft_dataset_class_name(b, c));
    for (int64_t i = 0; i < peft_dataset_count(a); i++) {
        peft_image *x, *y;
        const char *name = peft_dataset_name(b, i);
        ck_assert_int_eq(peft_dataset_label(a, i), peft_dataset_label(b, i));
        /* equal from the slash behind "/f" and "/f.zip" on */
        ck_assert_str_eq(strstr(peft_dataset_name(a, i), "/f/") + 2, strstr(name, "/f.zip/") + 6);
        ok(peft_dataset_load(a, i, &x));
        ok(peft_dataset_load(b, i, &y));
        same_image(x, y);
        peft_image_free(x);
        peft_image_free(y);
    }
}

START_TEST(zip_and_folder_give_the_same_data_set)
{
    static const char *const tops[] = { "", "photos/" }, *const splits[] = { "train", "test" };
    for (int row = 0; row < 8; row++) {                       /* bits: top folder, stored, split test */
        peft_dataset *a, *b;
        const bool test = row & 4;
        const char *split = splits[test];
        make_both(tops[row & 1], row & 2 ? STORED : DEFLATED);
        ok(peft_dataset_open_folder(io_ctx, in_folder("f"), split, &a));
        ok(peft_dataset_open_zip(io_ctx, in_folder("f.zip"), split, &b));
        ck_assert_int_eq(peft_dataset_classes(a), 3);
        ck_assert_int_eq(peft_dataset_count(a), test ? 2 : 3);
        ck_assert_str_eq(peft_dataset_skipped(a), test ? "1 folder" : "2 folders, 1 .txt");
        ck_assert_str_eq(peft_dataset_skipped(b), peft_dataset_skipped(a));
        check_same_data_set(a, b);
        peft_dataset_free(a);
        peft_dataset_free(b);
        folder_remove();
        folder_make();
    }
}
END_TEST

START_TEST(a_zip_of_class_folders_needs_no_split)
{
    static unsigned char png[4000];
    size_t size;
    peft_dataset *d, *part;
    peft_image *im;
    save_picture(in_folder("p.png"), 3, 2, 1, 1);
    unsigned char *data = read_bytes(in_folder("p.png"), &size);
    memcpy(png, data, size);
    free(data);
    const entry both[] = { { "b/1.png", png, size }, { "a/1.png", png, size }, { "r.txt", "-", 1 } };
    zip_make(in_folder("c.zip"), both, 3);
    ok(peft_dataset_open_zip(io_ctx, in_folder("c.zip"), NULL, &d));
    ck_assert_int_eq(peft_dataset_classes(d), 2);
    ck_assert_int_eq(peft_dataset_count(d), 2);
    ok(peft_dataset_subset(d, (const int64_t[]){ 1 }, 1, &part));
    peft_dataset_free(d);                                     /* the subset keeps the archive open */
    ok(peft_dataset_load(part, 0, &im));
    ck_assert_int_eq(peft_image_width(im), 3);
    peft_image_free(im);
    peft_dataset_free(part);
    d = NULL;
    fails(PEFT_E_NOTFOUND, "no folder 'test'", peft_dataset_open_zip(io_ctx, in_folder("c.zip"), "test", &d));
    fails(PEFT_E_INVALID, "holdout", peft_dataset_open_zip(io_ctx, in_folder("c.zip"), "holdout", &d));
    fails(PEFT_E_INVALID, "path", peft_dataset_open_zip(io_ctx, NULL, NULL, &d));
    fails(PEFT_E_IO, "nothing.zip", peft_dataset_open_zip(io_ctx, in_folder("nothing.zip"), NULL, &d));
    fails(PEFT_E_FORMAT, "p.png", peft_dataset_open_zip(io_ctx, in_folder("p.png"), NULL, &d));
    zip_make(in_folder("s.zip"), (entry[]){ { "train/b/1.png", png, size } }, 1);
    fails(PEFT_E_INVALID, "name the split to open", peft_dataset_open_zip(io_ctx, in_folder("s.zip"), NULL, &d));
    zip_make(in_folder("t.zip"), (entry[]){ { "a/1.txt", "-", 1 } }, 1);
    fails(PEFT_E_FORMAT, "class 'a' has no pictures: its folder holds 1 .txt",
          peft_dataset_open_zip(io_ctx, in_folder("t.zip"), NULL, &d));
    zip_make(in_folder("u.zip"), (entry[]){ { "1.png", png, size } }, 1);
    fails(PEFT_E_FORMAT, "no class", peft_dataset_open_zip(io_ctx, in_folder("u.zip"), NULL, &d));
    ck_assert_ptr_null(d);
}
END_TEST

START_TEST(paths_out_of_the_archive_are_refused)
{
    static const char *const bad[] = { "../a/1.png", "a/../../1.png", "a/..", "..", "/a/1.png", "a\\..\\1.png" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_dataset *d = NULL;
        zip_make(in_folder("e.zip"), (entry[]){ { "a/0.png", "-", 1 }, { bad[i], "-", 1 } }, 2);
        fails(PEFT_E_FORMAT, "leads out of the archive", peft_dataset_open_zip(io_ctx, in_folder("e.zip"), NULL, &d));
        ck_assert_ptr_null(d);
    }
    peft_dataset *d;
    zip_make(in_folder("e.zip"), (entry[]){ { "a/..0.png", "-", 1 }, { "a../0.png", "-", 1 },
                                              { "a/0.png", "-", 1 } }, 3);
    ok(peft_dataset_open_zip(io_ctx, in_folder("e.zip"), NULL, &d));
    ck_assert_int_eq(peft_dataset_count(d), 2);               /* a/..0.png is a hidden file */
    peft_dataset_free(d);
}
END_TEST

START_TEST(encrypted_zips_are_refused)
{
    peft_dataset *d = NULL;
    int code;
    zip_t *z = zip_open(in_folder("s.zip"), ZIP_CREATE, &code);
    ck_assert_int_eq(zip_file_add(z, "a/1.png", zip_source_buffer(z, "secret", 6, 0), 0), 0);
    ck_assert_int_eq(zip_file_set_encryption(z, 0, ZIP_EM_TRAD_PKWARE, "password"), 0);
    ck_assert_int_eq(zip_close(z), 0);
    fails(PEFT_E_UNSUPPORTED, "encrypted", peft_dataset_open_zip(io_ctx, in_folder("s.zip"), NULL, &d));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "a/1.png"));
    ck_assert_ptr_null(d);
}
END_TEST

/* The first entry of the central directory. */
static unsigned char *first_directory_entry(unsigned char *zip, size_t size)
{
    unsigned char *first = memmem(zip, size, "PK\1\2", 4);
    ck_assert_ptr_nonnull(first);
    return first;
}

/* A black picture, which compresses well, is read; sizes above the limits or a ratio above 1032, Deflate's largest, are
 * refused. */
START_TEST(false_sizes_are_refused)
{
    enum { SIDE = 1200 };
    char *black = calloc(1, SIDE * SIDE + 100);
    const int head = sprintf(black, "P5 %d %d 255\n", SIDE, SIDE);
    peft_dataset *d = NULL;
    peft_image *im;
    size_t bytes;
    black[head] = 0;
    zip_make(in_folder("big.zip"), (entry[]){ { "a/1.pgm", black, (size_t)head + SIDE * SIDE } }, 1);
    ok(peft_dataset_open_zip(io_ctx, in_folder("big.zip"), NULL, &d));
    ok(peft_dataset_load(d, 0, &im));
    ck_assert_int_eq(peft_image_width(im), SIDE);
    peft_image_free(im);
    peft_dataset_free(d);
    d = NULL;
    /* size, packed: highest bytes of the plain and of the compressed size, bytes 27 and 23 of the directory's entry */
    static const struct { unsigned char size, packed; const char *word; } lies[] = {
        { 0x7f, 0, "a/1.png" }, { 0x7f, 0x7f, "the limits" }, { 0x20, 0, "a factor of 1032" } };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) { /* the directory claims gigabytes */
        zip_make(in_folder("big.zip"), (entry[]){ { "a/1.png", "-", 1 } }, 1);
        unsigned char *zip = read_bytes(in_folder("big.zip"), &bytes), *entry = first_directory_entry(zip, bytes);
        entry[27] = lies[i].size;
        entry[23] = lies[i].packed;
        write_bytes(in_folder("big.zip"), zip, bytes);
        fails(PEFT_E_UNSUPPORTED, lies[i].word, peft_dataset_open_zip(io_ctx, in_folder("big.zip"), NULL, &d));
        ck_assert_ptr_null(d);
        free(zip);
    }
    free(black);
}
END_TEST

/* A truncated zip is refused. With one changed byte the zip is refused, or each image is loaded or refused. */
START_TEST(truncated_and_corrupt_zips_are_refused)
{
    size_t size, bytes;
    peft_dataset *d;
    save_picture(in_folder("p.png"), 3, 2, 1, 1);
    unsigned char *png = read_bytes(in_folder("p.png"), &size);
    zip_make(in_folder("g.zip"), (entry[]){ { "a/1.png", png, size }, { "a/2.png", png, size } }, 2);
    unsigned char *zip = read_bytes(in_folder("g.zip"), &bytes);
    const char *path = in_folder("h.zip");
    for (size_t n = 0; n < bytes; n += n < bytes - 200 ? 17 : 1) {
        d = NULL;
        write_bytes(path, zip, n);
        fails(PEFT_E_FORMAT, "h.zip", peft_dataset_open_zip(io_ctx, path, NULL, &d));
        ck_assert_ptr_null(d);
    }
    int refused = 0;
    for (size_t i = 0; i < bytes; i++) {
        peft_image *im;
        zip[i] ^= 0x41;
        write_bytes(path, zip, bytes);
        zip[i] ^= 0x41;
        if (peft_dataset_open_zip(io_ctx, path, NULL, &d)) {
            refused++;
            continue;
        }
        for (int64_t k = 0; k < peft_dataset_count(d); k++)
            if (!peft_dataset_load(d, k, &im)) {
                ck_assert_int_eq(peft_image_width(im), 3);
                peft_image_free(im);
            } else {
                ck_assert_ptr_nonnull(strstr(peft_last_error(), "h.zip/"));
                refused++;
            }
        peft_dataset_free(d);
    }
    ck_assert_int_gt(refused, (int)(bytes / 4));
    for (unsigned char *p = zip; (p = memmem(p, bytes - (size_t)(p - zip), "a/2.png", 7)); p += 7) p[2] = '1';
    write_bytes(path, zip, bytes);
    fails(PEFT_E_FORMAT, "two entries of this name", peft_dataset_open_zip(io_ctx, path, NULL, &d));
    fails(PEFT_E_FORMAT, "two entries of this name", peft_dataset_open_pictures(io_ctx, path, &d));
    free(png);
    free(zip);
}
END_TEST

START_TEST(threads_of_a_loader_read_one_archive)
{
    peft_dataset *set[2];
    peft_transform *t;
    peft_context *ctx;
    peft_tensor *images[2];
    int64_t n;
    const char *no_top_folder = "";
    make_both(no_top_folder, STORED);
    ok(peft_dataset_open_folder(io_ctx, in_folder("f"), "train", &set[0]));
    ok(peft_dataset_open_zip(io_ctx, in_folder("f.zip"), "train", &set[1]));
    ok(peft_transform_parse(io_ctx, "size=8,flip=0.5,pad=2", &t));
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    for (int k = 0; k < 2; k++) {
        peft_loader *l;
        ok(peft_loader_create(set[k], t, k ? "batch=3,shuffle=true,train=true,threads=3,cache=0"
                                           : "batch=3,shuffle=true,train=true", &l));
        ok(peft_tensor_create(ctx, PEFT_F32, 4, (const int64_t[]){ 3, 3, 8, 8 }, &images[k]));
        for (int64_t epoch = 0; epoch < 20; epoch++) ok(peft_loader_read(l, epoch, 0, images[k], NULL, NULL, &n));
        peft_loader_free(l);
        peft_dataset_free(set[k]);
    }
    ck_assert_mem_eq(peft_tensor_cdata(images[0]), peft_tensor_cdata(images[1]), 3 * 3 * 64 * sizeof(float));
    peft_tensor_free(images[0]);
    peft_tensor_free(images[1]);
    peft_transform_free(t);
    peft_context_free(ctx);
}
END_TEST

IO_SUITE_MAIN("zip_folder", zip_and_folder_give_the_same_data_set, a_zip_of_class_folders_needs_no_split,
              paths_out_of_the_archive_are_refused, encrypted_zips_are_refused, false_sizes_are_refused,
              truncated_and_corrupt_zips_are_refused, threads_of_a_loader_read_one_archive)
