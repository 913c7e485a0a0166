/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_medium.c -- the DICOMDIR of a medium, and DICOM files without an ending in zips. */
#include "dicom_files.h"
#include <peft/dataset.h>

/* Writes a picture of 1 x 1 pixel; its bytes stay valid until the next call. */
static const dicom *write_image(const char *name)
{
    static dicom d;
    static const uint8_t pixels[2] = { 7 };
    make_dicom(&d, &(scan){ .rows = 1, .columns = 1, .allocated = 8, .stored = 8, .pixels = pixels, .size = 1 });
    if (name) write_bytes(in_folder(name), d.data, d.size);
    return &d;
}

static void write_directory(const char *name, const record *r, int count)
{
    dicom d;
    make_directory(&d, r, count);
    write_bytes(in_folder(name), d.data, d.size);
}

/* The names of the samples below the folder, with an exclamation mark if they cannot be loaded. */
static const char *names_below(const peft_dataset *d, const char *folder)
{
    static char text[1000];
    const size_t prefix = strlen(in_folder(folder)) + 1;
    text[0] = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        peft_image *im = NULL;
        const peft_status s = peft_dataset_load(d, i, &im);
        if (s) ck_assert_ptr_nonnull(strstr(peft_last_error(), peft_dataset_name(d, i)));
        peft_image_free(im);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", i ? " " : "",
                 peft_dataset_name(d, i) + prefix, s ? "!" : "");
    }
    return text;
}

static const record records[] = { { "PATIENT", NULL, 0 }, { "IMAGE", "DICOM\\IM2", 0 }, { "IMAGE", "DICOM\\IM1", 0 },
                                  { "IMAGE", "DICOM\\IM9", 1 }, { "IMAGE", "DICOM\\IM7", 0 },
                                  { "SR DOCUMENT", "DICOM\\SR1", 0 }, { "IMAGE", "DICOM\\SUB\\IM3", 0 } };
enum { RECORDS = sizeof records / sizeof *records };

/* Both the file and its folder; letters in the case of the records and in the other. A record that is not in use is
 * left out, and a missing image is a sample that cannot be loaded. */
START_TEST(images_come_in_the_order_of_the_records)
{
    static const char *const written[2][4] = { { "m/DICOM/IM1", "m/DICOM/IM2", "m/DICOM/IM9", "m/DICOM/SUB/IM3" },
                                               { "m/dicom/im1", "m/dicom/im2", "m/dicom/im9", "m/dicom/sub/im3" } };
    static const char *const want[2] = { "DICOM/IM2 DICOM/IM1 DICOM/IM7! DICOM/SUB/IM3",
                                         "dicom/im2 dicom/im1 dicom/IM7! dicom/sub/im3" };
    for (int lower = 0; lower < 2; lower++) {
        const char *const name = lower ? "m/dicomdir" : "m/DICOMDIR";
        peft_dataset *d;
        for (int i = 0; i < 4; i++) write_image(written[lower][i]);
        write_directory(name, records, RECORDS);
        ok(peft_dataset_open_pictures(io_ctx, in_folder(name), &d));
        ck_assert_str_eq(names_below(d, "m"), want[lower]);
        ck_assert_str_eq(peft_dataset_skipped(d), "1 SR DOCUMENT");
        ck_assert_str_eq(peft_dataset_case(d, 0), lower ? in_folder("m/dicom") : in_folder("m/DICOM"));
        peft_dataset_free(d);
        write_bytes(in_folder("m/README"), "text", 4);
        save_picture(in_folder("m/logo.png"), 4, 3, 1, 1);
        ok(peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
        ck_assert_str_eq(names_below(d, "m"), want[lower]);
        ck_assert_str_eq(peft_dataset_skipped(d), "2 not listed in DICOMDIR, 1 file without ending, 1 SR DOCUMENT");
        peft_dataset_free(d);
        for (int i = 0; i < 4; i++) ck_assert_int_eq(remove(in_folder(written[lower][i])), 0);
        ck_assert_int_eq(remove(in_folder(lower ? "m/dicom/sub" : "m/DICOM/SUB")), 0);
        ck_assert_int_eq(remove(in_folder(lower ? "m/dicom" : "m/DICOM")), 0);
        ck_assert_int_eq(remove(in_folder(name)), 0);
        ck_assert_int_eq(remove(in_folder("m/README")), 0);
        ck_assert_int_eq(remove(in_folder("m/logo.png")), 0);
    }
}
END_TEST

/* Each is one sample that cannot be loaded; a file at the place where the path leads is not read. */
START_TEST(paths_that_leave_the_folder_are_refused)
{
    static const char *const paths[] = { "..\\IM1", "A\\..\\..\\IM1", "/etc/passwd", "A\\B/C", "\\etc\\passwd",
                                         "A\\\\B", ".\\IM1" };
    static const char *const shown[] = { "..\\IM1", "A\\..\\..\\IM1", "\\etc\\passwd", "A\\B\\C", "\\etc\\passwd",
                                         "A\\\\B", ".\\IM1" };
    peft_dataset *d = NULL;
    char want[200];
    write_image("IM1");
    write_image("m/IM1");
    write_image("m/A/B/C");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const record r[] = { { "IMAGE", paths[i], 0 }, { "IMAGE", "IM1", 0 } };
        write_directory("m/DICOMDIR", r, 2);
        ok(peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
        snprintf(want, sizeof want, "DICOMDIR/file 1: %s! IM1", shown[i]);
        ck_assert_str_eq(names_below(d, "m"), want);
        peft_dataset_free(d);
        write_directory("m/DICOMDIR", r, 1);
        fails(PEFT_E_IO, "none of the 1 images", peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    }
}
END_TEST

/* Repetitions in other letters too, also of an image that is not there; records of images without a file. */
START_TEST(an_image_counts_once)
{
    static const record again[] = { { "IMAGE", "IM2", 0 },  { "IMAGE", "IM9", 0 }, { "IMAGE", "IM1", 0 },
                                    { "IMAGE", "im2", 0 },  { "IMAGE", "", 0 },    { "IMAGE", "IM2 ", 0 },
                                    { "IMAGE", NULL, 0 },   { "IMAGE", "IM9", 0 }, { "IMAGE", " ", 0 },
                                    { "IMAGE", NULL, 1 } };
    peft_dataset *d;
    write_image("m/IM1");
    write_image("m/IM2");
    write_directory("m/DICOMDIR", again, sizeof again / sizeof *again);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    ck_assert_str_eq(names_below(d, "m"), "IM2 IM9! IM1");
    ck_assert_str_eq(peft_dataset_skipped(d), "3 IMAGE without a file, 3 listed again in DICOMDIR");
    peft_dataset_free(d);
}
END_TEST

#define CURE "DICOM, or remove the DICOMDIR"
START_TEST(directories_of_nothing_are_refused)
{
    peft_dataset *d = NULL;
    write_image("m/DICOMDIR");
    fails(PEFT_E_FORMAT, "no Directory Record Sequence", peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "such as FOLDER/IMAGES, or remove the DICOMDIR"));
    write_image("m/DICOM/IM8");
    dicom cut;
    make_directory(&cut, records, RECORDS);
    write_bytes(in_folder("m/DICOMDIR"), cut.data, cut.size - 20);
    fails(PEFT_E_FORMAT, CURE, peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), in_folder("m/DICOM, or remove")));
    write_bytes(in_folder("m/DICOMDIR"), "", 0);
    fails(PEFT_E_FORMAT, CURE, peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    write_bytes(in_folder("m/DICOMDIR"), "text", 4);
    fails(PEFT_E_FORMAT, "DICOMDIR: not a DICOM file", peft_dataset_open_pictures(io_ctx, in_folder("m/DICOMDIR"), &d));
    write_directory("m/DICOMDIR", records, 1);
    fails(PEFT_E_FORMAT, "no pictures", peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    fails(PEFT_E_FORMAT, CURE, peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    write_directory("m/DICOMDIR", records, RECORDS);
    fails(PEFT_E_IO, "none of the 4 images that it names is there",
          peft_dataset_open_pictures(io_ctx, in_folder("m"), &d));
    ck_assert_ptr_null(d);
}
END_TEST

/* In a zip as in a folder; the classes of a zip are folders. */
START_TEST(zips_have_files_without_ending)
{
    peft_dataset *d;
    const dicom *image = write_image(NULL);
    const size_t n = image->size;
    const entry entries[] = { { "z/a/IM0001", image->data, n }, { "z/a/1.2.840.17", image->data, n },
                              { "z/a/DICOMDIR", image->data, n }, { "z/b/x.dcm", image->data, n },
                              { "z/b/LIES", "text", 4 },          { "z/b/x.raw", image->data, n } };
    zip_make(in_folder("z.zip"), entries, sizeof entries / sizeof *entries);
    ok(peft_dataset_open_zip(io_ctx, in_folder("z.zip"), NULL, &d));
    ck_assert_str_eq(names_below(d, "z.zip"), "a/1.2.840.17 a/IM0001 b/x.dcm");
    ck_assert_str_eq(peft_dataset_skipped(d), "2 files without ending, 1 .raw");
    peft_dataset_free(d);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("z.zip"), &d));
    ck_assert_str_eq(names_below(d, "z.zip"), "z/a/1.2.840.17 z/a/IM0001 z/b/LIES! z/b/x.dcm");
    ck_assert_str_eq(peft_dataset_skipped(d), "1 file without ending, 1 .raw");
    peft_dataset_free(d);
    zip_make(in_folder("y.zip"), entries + 3, 2);
    ok(peft_dataset_open_pictures(io_ctx, in_folder("y.zip"), &d));
    ck_assert_str_eq(names_below(d, "y.zip"), "z/b/x.dcm");
    ck_assert_str_eq(peft_dataset_skipped(d), "1 file without ending");
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("DICOM media", images_come_in_the_order_of_the_records, paths_that_leave_the_folder_are_refused,
              an_image_counts_once, directories_of_nothing_are_refused, zips_have_files_without_ending)
