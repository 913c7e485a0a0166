/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_seg_masks.c -- a DICOM segmentation is the mask of the images of a data set. */
#include "seg_files.h"
#include <peft/io.h>

/* The data set of the series' folder with the masks of seg.dcm; NULL: these masks are refused. */
static peft_dataset *masked(const char *options)
{
    peft_dataset *d, *out;
    ok(peft_dataset_open_pictures(io_ctx, in_folder("scan"), &d));
    ok(peft_dataset_with_masks(d, in_folder("seg.dcm"), options, &out));
    peft_dataset_free(d);
    return out;
}

/* Series and segmentation with segments liver, mass 2, mass 3. */
static void save_scan(int64_t labels[SLICES * PIXELS])
{
    const char *paths[SLICES];
    char name[20], moved[SLICES][400];
    save_series(paths);
    for (int i = 0; i < SLICES; i++) {
        snprintf(name, sizeof name, "scan/%d.dcm", SLICES - i);
        snprintf(moved[i], sizeof moved[i], "%s", in_folder(name));
        ck_assert_int_eq(rename(paths[i], moved[i]), 0);
        paths[i] = moved[i];
    }
    make_labels(labels, 3);
    save_labels(paths, labels, in_folder("seg.dcm"));
}

/* Asserts that the masks have the classes to[label]. */
static void has_classes(const char *options, const int64_t to[4])
{
    int64_t labels[SLICES * PIXELS], got[PIXELS];
    save_scan(labels);
    peft_dataset *d = masked(options);
    ck_assert_int_eq(peft_dataset_count(d), SLICES);
    for (int64_t i = 0; i < SLICES; i++) {                    /* slices come in the order of their positions */
        peft_mask *m;
        peft_image *im;
        ok(peft_dataset_load(d, i, &im));
        ok(peft_dataset_load_mask(d, i, im, &m));
        ok(peft_mask_labels(m, got));
        for (int p = 0; p < PIXELS; p++) ck_assert_int_eq(got[p], to[labels[i * PIXELS + p]]);
        peft_mask_free(m);
        peft_image_free(im);
    }
    peft_dataset_free(d);
}

START_TEST(classes_by_number_by_name_and_together)
{
    has_classes("classes=4", (int64_t[]){ 0, 1, 2, 3 });
    has_classes("classes=none:Mass 2:mass 3:liver", (int64_t[]){ 0, 3, 1, 2 });
    has_classes("kind=binary", (int64_t[]){ 0, 1, 1, 1 });
}
END_TEST

START_TEST(segments_that_are_no_classes)
{
    static const struct { const char *options; peft_status status; const char *word; } rows[] = {
        { "classes=3", PEFT_E_FORMAT, "segment 3 'mass 3' is no class" },
        { "classes=none:liver:mass 2", PEFT_E_FORMAT, "segment 3 'mass 3' is no class; expected the name of a class" },
        { "colors=#000000:none:#ffffff:liver", PEFT_E_UNSUPPORTED, "kind=colors" } };
    int64_t labels[SLICES * PIXELS];
    save_scan(labels);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_dataset *d = masked(rows[i].options);
        peft_mask *m = NULL;
        fails(rows[i].status, rows[i].word, peft_dataset_load_mask(d, 0, NULL, &m));
        fails(rows[i].status, "seg.dcm", peft_dataset_load_mask(d, 0, NULL, &m));
        ck_assert_ptr_null(m);
        peft_dataset_free(d);
    }
}
END_TEST

/* A file that has the masks of several images is read once, not for each of them. */
START_TEST(a_file_of_several_masks_is_read_once)
{
    int64_t labels[SLICES * PIXELS], got[PIXELS];
    size_t size;
    save_scan(labels);
    peft_dataset *d = masked("classes=4");
    for (int64_t i = 0; i < SLICES; i++) {
        peft_mask *m;
        ok(peft_dataset_load_mask(d, i, NULL, &m));
        ok(peft_mask_labels(m, got));
        ck_assert_mem_eq(got, labels + i * PIXELS, sizeof got);
        peft_mask_free(m);
        if (i) continue;
        unsigned char *data = read_bytes(in_folder("seg.dcm"), &size);
        write_bytes(in_folder("seg.dcm"), data, size / 2);    /* cut short, so that reading it again would fail */
        free(data);
    }
    peft_dataset_free(d);
    d = masked("classes=4");
    peft_mask *m = NULL;
    fails(PEFT_E_FORMAT, "seg.dcm", peft_dataset_load_mask(d, 0, NULL, &m));
    ck_assert_ptr_null(m);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("dicom_seg_masks", classes_by_number_by_name_and_together, segments_that_are_no_classes,
              a_file_of_several_masks_is_read_once)
