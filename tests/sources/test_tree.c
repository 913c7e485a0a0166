/* SPDX-License-Identifier: Apache-2.0
 * test_tree.c -- classes and samples found in a folder tree, which is tried as a folder and as a zip; files that are
 * left out are reported by peft_dataset_skipped. */
#include "io_files.h"
#include <locale.h>
#include <peft/io.h>
#include <stdbool.h>

enum { MAX_FILES = 12 };
static unsigned char png[400];
static size_t png_size;

/* Fills `png` with the bytes of a small picture, the content of every file of the trees. */
static void make_picture(void)
{
    save_picture(in_folder("p.png"), 3, 2, 1, 1);
    unsigned char *data = read_bytes(in_folder("p.png"), &png_size);
    ck_assert_uint_le(png_size, sizeof png);
    memcpy(png, data, png_size);
    free(data);
}

/* How a tree is stored: kinds, and the set of both as bits. */
typedef enum { FOLDER = 1, ZIP = 2, BOTH = FOLDER | ZIP } tree_kind;

/* Makes a folder or a zip with the files of these names (separated by spaces; a name that ends in a slash is an empty
 * folder) and opens it. */
static peft_status open_names(const char *names, const char *split, tree_kind kind, peft_dataset **out)
{
    static int serial;
    char folder[16], path[100], word[MAX_FILES][60];
    entry entries[MAX_FILES];
    size_t n = 0;
    snprintf(folder, sizeof folder, "t%d", serial++ % 1000);
    for (int position = 0, length; sscanf(names + position, "%59s%n", word[n], &length) == 1; position += length, n++) {
        entries[n] = (entry){ word[n], png, png_size };
        snprintf(path, sizeof path, "%s/%.60s", folder, word[n]);
        const char *file = in_folder(path);                   /* creates the folders of the path */
        if (kind == FOLDER && word[n][strlen(word[n]) - 1] != '/') write_bytes(file, png, png_size);
    }
    if (kind == FOLDER) return peft_dataset_open_folder(io_ctx, in_folder(folder), split, out);
    snprintf(path, sizeof path, "%s.zip", folder);
    zip_make(in_folder(path), entries, n);
    return peft_dataset_open_zip(io_ctx, in_folder(path), split, out);
}

/* A folder and a zip with these names are refused with this status and a message that contains word. */
static void is_refused(peft_status status, const char *word, const char *names, const char *split)
{
    for (tree_kind kind = FOLDER; kind <= ZIP; kind++) {
        peft_dataset *d = NULL;
        fails(status, word, open_names(names, split, kind, &d));
        ck_assert_ptr_null(d);
    }
}

/* want: "a:2 b:1 | 1 .txt": class a with 2 samples, b with 1, then peft_dataset_skipped. kinds: FOLDER, ZIP or BOTH. */
static void opens_as(const char *want, const char *names, const char *split, tree_kind kinds)
{
    for (tree_kind kind = FOLDER; kind <= ZIP; kind++) {
        char got[300] = "";
        peft_dataset *d;
        if (!(kinds & kind)) continue;
        ok(open_names(names, split, kind, &d));
        for (int64_t c = 0; c < peft_dataset_classes(d); c++) {
            int n = 0;
            for (int64_t i = 0; i < peft_dataset_count(d); i++) n += peft_dataset_label(d, i) == c;
            sprintf(got + strlen(got), "%s:%d ", peft_dataset_class_name(d, c), n);
        }
        sprintf(got + strlen(got), "| %s", peft_dataset_skipped(d));
        ck_assert_msg(!strcmp(got, want), "names '%s' (%s): %s, expected %s", names,
                      kind == ZIP ? "zip" : "folder", got, want);
        peft_dataset_free(d);
    }
}

START_TEST(a_class_without_pictures_is_refused)
{
    make_picture();
    is_refused(PEFT_E_FORMAT, "class 'b' has no pictures: its folder holds 2 .gif;", "a/1.png b/1.gif b/2.GIF", NULL);
    is_refused(PEFT_E_FORMAT, "class 'b' has no pictures: its folder holds 2 folders;", "a/1.png b/p/1.png b/q/1.png",
            NULL);
    is_refused(PEFT_E_FORMAT, "expected .png, .jpg, .jpeg, .jpe, .jfif, .pgm, .ppm, .pnm, .npy, .dcm, .dicom, .ima,",
            "a/1.png b/1.gif", NULL);
    is_refused(PEFT_E_FORMAT, "class 'b' has no pictures: its folder holds nothing;", "a/1.png b/ c/1.png", NULL);
    is_refused(PEFT_E_FORMAT, "class 'b'", "train/a/1.png train/b/1.gif test/b/1.png", "train");
    is_refused(PEFT_E_FORMAT, "class 'b'", "train/a/1.png train/b/.x test/b/.y", "train");
    opens_as("a:1 b:0 | ", "train/a/1.png test/b/1.png", "train", BOTH);
    opens_as("a:1 b:0 | ", "train/a/1.png train/b/ test/b/1.png test/b/2.gif", "train", BOTH);
}
END_TEST

START_TEST(files_that_are_left_out_are_reported)
{
    make_picture();
    opens_as("a:2 b:1 | 2 .gif, 1 file without ending, 1 .mha, 1 .tar.gz, 1 folder",
             "a/1.png a/2.jfif a/3.gif a/4.gif a/LICENSE a/p/1.png a/p/2.png b/1.jpe b/x.MHA b/x.tar.gz", NULL, BOTH);
    opens_as("a:1 | 1 .csv, 1 .md, 1 .png", "a/1.png labels.csv README.md overview.png", NULL, BOTH);
    opens_as("a:1 | 1 .txt, 1 folder", "train/a/1.png train/x.txt test/a/1.png test/y.txt masks/1.png", "train", BOTH);
    opens_as("a:1 | 1 .h, 1 .i, 1 .j, 1 .k, 1 .l, 1 .m, 1 .n, 1 .o, 2 others",
             "a/1.png a/1.h a/1.i a/1.j a/1.k a/1.l a/1.m a/1.n a/1.o a/1.p a/1.q", NULL, BOTH);
}
END_TEST

START_TEST(splits_have_several_names)
{
    make_picture();
    opens_as("a:1 b:1 | ", "Training/a/1.png Training/b/1.png Testing/a/1.png", "train", BOTH);
    opens_as("a:1 b:0 | ", "Training/a/1.png Training/b/1.png Testing/a/1.png", "test", BOTH);
    opens_as("a:1 | ", "TRAIN/a/1.png valid/a/1.png", "val", BOTH);
    opens_as("a:1 | ", "train/a/1.png Validation/a/1.png", "valid", BOTH);
    /* val has precedence, valid is left out */
    opens_as("a:1 | 1 folder", "val/a/1.png valid/a/1.png valid/a/2.png", "val", BOTH);
    opens_as("a:1 b:1 | 2 folders", "train/a/1.png Train/a/1.png Training/b/1.png train/b/2.png test/a/1.png", "train",
             BOTH);
    is_refused(PEFT_E_FORMAT, "both mean the split", "val/a/1.png valid/a/1.png", "validation");
    is_refused(PEFT_E_NOTFOUND, "no folder 'test'", "Training/a/1.png val/a/1.png", "test");
    is_refused(PEFT_E_INVALID, "name the split to open", "Training/a/1.png Testing/a/1.png", NULL);
    is_refused(PEFT_E_INVALID, "name the split to open", "train/a/1.png test/a/1.png masks/1.png", NULL);
    opens_as("car:1 train:1 | ", "car/1.png train/1.png", NULL, BOTH);
    is_refused(PEFT_E_INVALID, "'holdout'", "train/a/1.png", "holdout");
}
END_TEST

/* A top folder in a zip is skipped if all pictures lie in it; other files do not count. */
START_TEST(a_top_folder_in_a_zip_is_skipped)
{
    make_picture();
    opens_as("a:1 b:1 | ", "set/a/1.png set/b/1.png", NULL, ZIP);
    opens_as("a:1 b:1 | 1 .md", "set/a/1.png set/b/1.png README.md", NULL, ZIP);
    opens_as("a:1 b:1 | 1 file without ending", "set/a/1.png set/b/1.png set/LICENSE", NULL, ZIP);
    opens_as("a:1 b:1 | 1 folder", "set/a/1.png set/b/1.png docs/x/readme.txt docs/y.txt", NULL, ZIP);
    opens_as("a:1 b:1 | ", "set/a/1.png set/b/1.png __MACOSX/set/._a set/.DS_Store", NULL, ZIP);
    opens_as("a:2 | 1 .md, 1 .png, 1 folder",
             "set/train/a/1.png set/train/a/2.png set/test/a/1.png set/x.png set/meta/l.csv README.md", "train", ZIP);
    opens_as("a:1 b:1 | 1 .png", "set/a/1.png set/b/1.png overview.png", NULL, ZIP);
    opens_as("a:1 b:1 | ", "./set/a/1.png ./set//b/1.png", NULL, ZIP);
    opens_as("a:1 b:1 | ", "a\\1.png b\\1.png", NULL, ZIP);
    peft_dataset *d = NULL;
    fails(PEFT_E_FORMAT, "pictures lie in 'set' (overview.png) and in its folders (b/1.png)",
          open_names("set/a/1.png set/b/1.png set/overview.png", NULL, ZIP, &d));
    fails(PEFT_E_NOTFOUND, "no folder 'train'", open_names("x/x/train/a/1.png", "train", ZIP, &d));
    ck_assert_ptr_null(d);
}
END_TEST

/* In a Turkish locale the lower case of I is a dotless i, so that strcasecmp(".JFIF", ".jfif") is not 0. */
START_TEST(names_do_not_depend_on_the_locale)
{
    make_picture();
    for (int turkish = 0; turkish < 2; turkish++) {
        if (turkish && !setlocale(LC_ALL, "tr_TR.UTF-8")) {
            printf("SKIP: the locale tr_TR.UTF-8 is not installed\n");
            return;
        }
        opens_as("a:1 b:2 | 1 .psd", "TRAINING/a/1.JFIF TRAINING/b/1.PNG TRAINING/b/2.jfif TRAINING/a/x.PSD",
                 "train", BOTH);
    }
}
END_TEST

START_TEST(class_names_must_be_printable_utf8)
{
    make_picture();
    static const char *const bad[] = { "a\nb", "a\rb", "\x01", "\xc4pfel", "\xed\xa0\x80", "x\x7f" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[40];
        peft_dataset *d = NULL;
        snprintf(name, sizeof name, "n%zu/c/1.png", i);
        write_bytes(in_folder(name), png, png_size);
        snprintf(name, sizeof name, "n%zu/%s/1.png", i, bad[i]);
        write_bytes(in_folder(name), png, png_size);
        snprintf(name, sizeof name, "n%zu", i);
        fails(PEFT_E_FORMAT, "rename it", peft_dataset_open_folder(io_ctx, in_folder(name), NULL, &d));
        ck_assert_ptr_null(d);
    }
    peft_dataset *d = NULL;
    zip_make(in_folder("u.zip"), (entry[]){ { "c/1.png", png, png_size }, { "\xc3\x84pfel/1.png", png, png_size } }, 2);
    ok(peft_dataset_open_zip(io_ctx, in_folder("u.zip"), NULL, &d));
    ck_assert_str_eq(peft_dataset_class_name(d, 1), "\xc3\x84pfel");
    peft_dataset_free(d);
    d = NULL;
    size_t size;                                          /* a name that is not UTF-8, without an encoding in the zip */
    zip_make(in_folder("l.zip"), (entry[]){ { "_pfel/1.png", png, png_size }, { "b/1.png", png, png_size } }, 2);
    unsigned char *zip = read_bytes(in_folder("l.zip"), &size);
    for (unsigned char *p = zip; (p = memmem(p, size - (size_t)(p - zip), "_pfel", 5)); p++) *p = 0xc4;
    write_bytes(in_folder("l.zip"), zip, size);
    free(zip);
    fails(PEFT_E_FORMAT, "encoding", peft_dataset_open_zip(io_ctx, in_folder("l.zip"), NULL, &d));
    ck_assert_ptr_null(d);
}
END_TEST

IO_SUITE_MAIN("tree", a_class_without_pictures_is_refused, files_that_are_left_out_are_reported,
              splits_have_several_names, a_top_folder_in_a_zip_is_skipped, class_names_must_be_printable_utf8,
              names_do_not_depend_on_the_locale)
