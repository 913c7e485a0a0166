/* SPDX-License-Identifier: Apache-2.0
 * test_pictures.c -- peft_dataset_open_pictures: data sets without labels, of folders at any depth, zips, lists and
 * single pictures. */
#include "io_files.h"
#include <peft/io.h>
#include <unistd.h>
#include <zip.h>

/* The names of all samples below `folder`, with blanks between them, in memory that the next call uses again. */
static const char *names_below(const peft_dataset *d, const char *folder)
{
    static char text[1000];
    const size_t prefix = strlen(in_folder(folder)) + 1;
    text[0] = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        if (i) strcat(text, " ");
        strcat(text, peft_dataset_name(d, i) + prefix);
    }
    return text;
}

/* Every sample loads, and has the class "unlabelled". */
static void check_samples(const peft_dataset *d)
{
    ck_assert_int_eq(peft_dataset_classes(d), 1);
    ck_assert_str_eq(peft_dataset_class_name(d, 0), "unlabelled");
    ck_assert_int_eq(peft_dataset_multilabel(d), 0);
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        peft_image *im;
        ck_assert_int_eq(peft_dataset_label(d, i), 0);
        ok(peft_dataset_load(d, i, &im));
        peft_image_free(im);
    }
}

/* Pictures at any depth, also beside folders. DICOM files without an ending are recognised by their first bytes; other
 * files without an ending are then taken for broken ones of these. */
START_TEST(folders_are_searched_at_any_depth)
{
    peft_dataset *d;
    save_picture(in_folder("f/b.png"), 4, 3, 1, 1);
    save_picture(in_folder("f/a/x/y/z/w/v/1.png"), 4, 3, 1, 1);
    save_picture(in_folder("f/a/2.PNG"), 4, 3, 1, 1);
    save_picture(in_folder("f/.hidden/3.png"), 4, 3, 1, 1);
    write_bytes(in_folder("f/a/README"), "text", 4);
    write_bytes(in_folder("f/notes.txt"), "text", 4);
    write_bytes(in_folder("f/a/empty"), "", 0);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    ck_assert_str_eq(names_below(d, "f"), "a/2.PNG a/x/y/z/w/v/1.png b.png");
    ck_assert_str_eq(peft_dataset_skipped(d), "2 files without ending, 1 .txt");
    check_samples(d);
    peft_dataset_free(d);
    static const char preamble[132] = { [128] = 'D', 'I', 'C', 'M' };
    write_bytes(in_folder("f/a/IM0001"), preamble, sizeof preamble);
    write_bytes(in_folder("f/a/1.2.840.17"), preamble, sizeof preamble);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f"), &d));
    ck_assert_str_eq(names_below(d, "f"), "a/1.2.840.17 a/2.PNG a/IM0001 a/README a/empty a/x/y/z/w/v/1.png b.png");
    peft_dataset_free(d);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f/b.png"), &d));
    ck_assert_int_eq(peft_dataset_count(d), 1);
    check_samples(d);
    peft_dataset_free(d);
}
END_TEST

START_TEST(loops_of_links_are_refused)
{
    peft_dataset *d;
    save_picture(in_folder("g/a/1.png"), 4, 3, 1, 1);
    ck_assert_int_eq(symlink("..", in_folder("g/a/up")), 0);
    fails(PEFT_E_UNSUPPORTED, "a/up: is a symbolic link to a parent folder",
          peft_dataset_open_pictures(io_ctx, in_folder("g"),
                                                                                                 &d));
    ck_assert_int_eq(remove(in_folder("g/a/up")), 0);
    ck_assert_int_eq(symlink(".", in_folder("g/a/here")), 0);
    fails(PEFT_E_UNSUPPORTED, "a/here: is a symbolic link", peft_dataset_open_pictures(io_ctx, in_folder("g"), &d));
}
END_TEST

static void add_file(zip_t *z, const char *name, const char *path)
{
    ck_assert(zip_file_add(z, name, zip_source_file(z, path, 0, -1), ZIP_FL_ENC_UTF_8) >= 0);
}

START_TEST(zips_are_searched_at_any_depth)
{
    peft_dataset *d;
    save_picture(in_folder("z.png"), 4, 3, 1, 1);
    write_bytes(in_folder("z.txt"), "text", 4);
    zip_t *z = zip_open(in_folder("z.zip"), ZIP_CREATE, NULL);
    ck_assert_ptr_nonnull(z);
    add_file(z, "c/d/e/f/g/h/2.png", in_folder("z.png"));
    add_file(z, "1.png", in_folder("z.png"));
    add_file(z, "__MACOSX/1.png", in_folder("z.png"));
    add_file(z, "c/.x/3.png", in_folder("z.png"));
    add_file(z, "c/notes.txt", in_folder("z.txt"));
    ck_assert_int_eq(zip_close(z), 0);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("z.zip"), &d));
    ck_assert_str_eq(names_below(d, "z.zip"), "1.png c/d/e/f/g/h/2.png");
    ck_assert_str_eq(peft_dataset_skipped(d), "1 .txt");
    check_samples(d);
    peft_dataset_free(d);
}
END_TEST

/* The order of a list is kept, numbers after names are ignored, and names are relative to the list. */
START_TEST(lists_need_no_labels)
{
    peft_dataset *d;
    save_picture(in_folder("l/a b.png"), 4, 3, 1, 1);
    save_picture(in_folder("l/s/7"), 4, 3, 1, 1);
    static const char text[] = "\xef\xbb\xbf# pictures\r\ns\\7\r\n\na b.png\n\"a b.png\"\na b.png, 0,1,0\na b.png 3\n";
    write_bytes(in_folder("l/list.txt"), text, sizeof text - 1);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("l/list.txt"), &d));
    ck_assert_str_eq(names_below(d, "l"), "s/7 a b.png a b.png a b.png a b.png");
    check_samples(d);
    peft_dataset_free(d);
}
END_TEST

START_TEST(what_has_no_pictures_is_refused)
{
    static const char zeros[] = { 'a', 0, 'b' };
    peft_dataset *d;
    fails(PEFT_E_IO, "nothing", peft_dataset_open_pictures(io_ctx, in_folder("nothing"), &d));
    fails(PEFT_E_INVALID, "path is NULL", peft_dataset_open_pictures(io_ctx, NULL, &d));
    write_bytes(in_folder("n/notes.doc"), "text", 4);
    fails(PEFT_E_FORMAT, "no pictures, but 1 .doc", peft_dataset_open_pictures(io_ctx, in_folder("n"), &d));
    write_bytes(in_folder("empty.txt"), "\n", 1);
    fails(PEFT_E_FORMAT, "no pictures", peft_dataset_open_pictures(io_ctx, in_folder("empty.txt"), &d));
    write_bytes(in_folder("binary"), zeros, sizeof zeros);
    fails(PEFT_E_FORMAT, "binary: image: neither PNG", peft_dataset_open_pictures(io_ctx, in_folder("binary"), &d));
    write_bytes(in_folder("letter.txt"), "Dear colleague,\n", 16);
    fails(PEFT_E_FORMAT, "letter.txt: neither a picture nor a list of pictures: there is no file",
          peft_dataset_open_pictures(io_ctx, in_folder("letter.txt"), &d));
}
END_TEST

IO_SUITE_MAIN("pictures", folders_are_searched_at_any_depth, loops_of_links_are_refused,
              zips_are_searched_at_any_depth, lists_need_no_labels, what_has_no_pictures_is_refused)
