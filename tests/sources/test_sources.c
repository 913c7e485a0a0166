/* SPDX-License-Identifier: Apache-2.0
 * test_sources.c -- peft_dataset_open recognises a folder, a zip, an .npz or a list at the path. */
#include "io_files.h"
#include <peft/io.h>

/* Opens two samples, one of each of two classes; name: part of the first sample's name. */
static void opens(const char *path, const char *split, const char *name)
{
    peft_dataset *d;
    peft_image *im;
    ok(peft_dataset_open(io_ctx, path, split, &d));
    ck_assert_int_eq(peft_dataset_count(d), 2);
    ck_assert_int_eq(peft_dataset_classes(d), 2);
    ck_assert_int_eq(peft_dataset_label(d, 1), 1);
    ck_assert_msg(strstr(peft_dataset_name(d, 0), name) != NULL, "%s", peft_dataset_name(d, 0));
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_width(im), 2);
    peft_image_free(im);
    peft_dataset_free(d);
}

#define DICT(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"

START_TEST(each_kind_of_data_set_is_recognised)
{
    unsigned char images[256], labels[256];
    peft_dataset *d = NULL;
    size_t n, m;
    save_picture(in_folder("set/train/a/1.png"), 2, 2, 1, 1);
    save_picture(in_folder("set/train/b/2.png"), 2, 2, 1, 2);
    opens(in_folder("set"), "train", "train/a/1.png");
    opens(in_folder("set/train"), NULL, "a/1.png");
    fails(PEFT_E_NOTFOUND, "test", peft_dataset_open(io_ctx, in_folder("set"), "test", &d));

    unsigned char *one = read_bytes(in_folder("set/train/a/1.png"), &n);
    unsigned char *two = read_bytes(in_folder("set/train/b/2.png"), &m);
    zip_make(in_folder("set.ZIP"), (const entry[]){ { "a/1.png", one, n }, { "b/2.png", two, m } }, 2);
    free(one);
    free(two);
    opens(in_folder("set.ZIP"), NULL, "a/1.png");

    n = npy_file(images, DICT("|u1", "(2, 1, 2)"), "\1\2\3\4", 4);
    m = npy_file(labels, DICT("|u1", "(2,)"), "\0\1", 2);
    zip_make(in_folder("m.npz"),
             (const entry[]){ { "val_images.npy", images, n }, { "val_labels.npy", labels, m } }, 2);
    opens(in_folder("m.npz"), "val", "val/0");
    fails(PEFT_E_INVALID, "train, val or test", peft_dataset_open(io_ctx, in_folder("m.npz"), NULL, &d));
    fails(PEFT_E_NOTFOUND, "test_images", peft_dataset_open(io_ctx, in_folder("m.npz"), "test", &d));

    write_bytes(in_folder("list.csv"), "set/train/a/1.png,0\nset/train/b/2.png,1\n", 40);
    opens(in_folder("list.csv"), NULL, "a/1.png");
    fails(PEFT_E_NOTFOUND, "no split 'train'", peft_dataset_open(io_ctx, in_folder("list.csv"), "train", &d));
    ck_assert_ptr_null(d);
}
END_TEST

START_TEST(other_paths_are_refused)
{
    peft_dataset *d = NULL;
    fails(PEFT_E_IO, "expected a folder of class folders, MedMNIST's .npz, a .zip of such a folder, the DICOMDIR of a "
          "medium, a table with column names or a list",
          peft_dataset_open(io_ctx, in_folder("gone"), NULL, &d));
    fails(PEFT_E_IO, "gone", peft_dataset_open(io_ctx, in_folder("gone"), "train", &d));
    fails(PEFT_E_INVALID, "path is NULL", peft_dataset_open(io_ctx, NULL, NULL, &d));
    fails(PEFT_E_INVALID, "out is NULL", peft_dataset_open(io_ctx, in_folder("gone"), NULL, NULL));
    write_bytes(in_folder("no.zip"), "PK", 2);
    fails(PEFT_E_FORMAT, "no.zip", peft_dataset_open(io_ctx, in_folder("no.zip"), NULL, &d));
    ck_assert_ptr_null(d);
}
END_TEST

IO_SUITE_MAIN("sources", each_kind_of_data_set_is_recognised, other_paths_are_refused)
