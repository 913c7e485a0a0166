/* SPDX-License-Identifier: Apache-2.0
 * test_mask_files.c -- which files are the masks of a data set's images, by folders, suffixes and classes; samples
 * without a mask; parts, digests and what is refused. */
#include "mask_files.h"
#include <peft/io.h>

START_TEST(test_folder_of_the_same_names)
{
    write_image("set/benign/a.png");
    write_image("set/malignant/a.png");
    write_image("set/malignant/b.c.png");
    write_digits("masks/benign/a.png", "000011112222", 1);
    write_digits("masks/malignant/a.png", "010101010101", 1);
    write_digits("masks/b.c.png", "222222222222", 1);
    peft_dataset *d, *plain;
    ok(peft_dataset_open(io_ctx, in_folder("set"), NULL, &plain));
    ck_assert_int_eq(peft_dataset_has_masks(plain), 0);
    ck_assert_int_eq(peft_dataset_mask_classes(plain), 0);
    peft_mask *m;
    fails(PEFT_E_INVALID, "peft_dataset_with_masks", peft_dataset_load_mask(plain, 0, NULL, &m));
    ok(peft_dataset_with_masks(plain, in_folder("masks"), "classes=background:cyst:tumour", &d));
    peft_dataset_free(plain);
    ck_assert_int_eq(peft_dataset_has_masks(d), 1);
    ck_assert_int_eq(peft_dataset_count(d), 3);
    ck_assert_int_eq(peft_dataset_classes(d), 2);                             /* of the images, as before */
    ck_assert_int_eq(peft_dataset_mask_classes(d), 3);
    ck_assert_int_eq(peft_dataset_mask_multilabel(d), 0);
    ck_assert_str_eq(peft_dataset_mask_class_name(d, 2), "tumour");
    ck_assert_ptr_null(peft_dataset_mask_class_name(d, 3));
    ck_assert_str_eq(peft_dataset_mask_file(d, 0, 0), in_folder("masks/benign/a.png"));
    ck_assert_ptr_null(peft_dataset_mask_file(d, 0, 1));
    has_labels(d, 0, "000011112222");
    has_labels(d, 1, "010101010101");
    has_labels(d, 2, "222222222222");
    fails(PEFT_E_INVALID, "sample 3, expected 0 to 2", peft_dataset_load_mask(d, 3, NULL, &m));
    peft_dataset_free(d);
}
END_TEST

/* As the data set BUSI: masks beside the images, some of several files; masks are no samples. */
START_TEST(test_masks_beside_the_images)
{
    write_image("busi/benign/benign (1).png");
    write_image("busi/benign/benign (2).png");
    write_image("busi/normal/normal (1).png");
    write_digits("busi/benign/benign (1)_mask.png", "110000000000", 255);
    write_digits("busi/benign/benign (1)_mask_1.png", "000011000000", 255);
    write_digits("busi/benign/benign (1)_mask_12.png", "000000000001", 255);
    write_digits("busi/benign/benign (2)_mask.png", "000000001111", 255);
    write_digits("busi/normal/normal (1)_mask.png", "000000000000", 255);
    for (int explicit = 0; explicit < 2; explicit++) {
        peft_dataset *d;
        ok(peft_dataset_open(io_ctx, in_folder("busi"), NULL, &d));
        ck_assert_int_eq(peft_dataset_count(d), 8);
        d = masked(d, explicit ? "busi" : NULL, "suffix=_mask,kind=binary");
        ck_assert_int_eq(peft_dataset_count(d), 3);
        ck_assert_int_eq(peft_dataset_mask_classes(d), 2);
        ck_assert_str_eq(peft_dataset_mask_class_name(d, 1), "foreground");
        ck_assert_str_eq(peft_dataset_mask_file(d, 0, 1), in_folder("busi/benign/benign (1)_mask_1.png"));
        ck_assert_str_eq(peft_dataset_mask_file(d, 0, 2), in_folder("busi/benign/benign (1)_mask_12.png"));
        has_labels(d, 0, "110011000001");
        has_labels(d, 1, "000000001111");
        has_labels(d, 2, "000000000000");
        peft_dataset_free(d);
    }
}
END_TEST

START_TEST(test_a_file_for_each_class)
{
    float target[12 * 2];
    peft_mask *m;
    write_image("images/a.png");
    write_image("images/b.png");
    write_digits("folders/liver/a.png", "110000000000", 255);
    write_digits("folders/spleen/a.png", "001100000000", 255);
    write_digits("folders/spleen/b.png", "000000000011", 255);
    write_digits("suffixes/a_liver.png", "110000000000", 255);
    write_digits("suffixes/a_spleen.png", "001100000000", 255);
    write_digits("suffixes/b_spleen.png", "000000000010", 255);
    write_digits("suffixes/b_spleen_1.png", "000000000001", 255);
    for (int k = 0; k < 2; k++) {
        peft_dataset *d = masked(pictures_of("images"), k ? "suffixes" : "folders",
                                 k ? "per_class=suffix,classes=none:liver:spleen"
                                   : "per_class=folder,classes=none:liver:spleen");
        has_labels(d, 0, "112200000000");
        has_labels(d, 1, "000000000022");
        peft_dataset_free(d);
    }
    peft_dataset *d = pictures_of("images");
    no_masks(d, in_folder("folders"), "per_class=folder,classes=liver:spleen", PEFT_E_OPTION,
             "which is the background");
    no_masks(d, in_folder("suffixes"), "per_class=suffix,classes=liver:spleen", PEFT_E_OPTION,
             "give a background first, classes=background:liver:..");
    peft_dataset_free(d);
    write_digits("folders/spleen/a.png", "011100000000", 255);                /* overlaps with the liver */
    load_fails(masked(pictures_of("images"), "folders", "per_class=folder,classes=none:liver:spleen"), PEFT_E_FORMAT,
               "class 'spleen' at column 1, row 0, where another file of the mask has class 'liver'");
    d = masked(pictures_of("images"), "folders", "per_class=folder,classes=liver:spleen,multilabel=true");
    ck_assert_int_eq(peft_dataset_mask_multilabel(d), 1);
    ok(peft_dataset_load_mask(d, 0, NULL, &m));
    ok(peft_mask_targets(m, target));
    const float expected[12 * 2] = { 1, 0, 1, 1, 0, 1, 0, 1 };                /* [3, 4, 2] */
    ck_assert_mem_eq(target, expected, sizeof target);
    peft_mask_free(m);
    peft_dataset_free(d);
}
END_TEST

START_TEST(test_samples_without_a_mask)
{
    write_image("images/x/a.png");
    write_image("images/x/b.png");
    write_image("images/x/c.png");
    write_digits("masks/x/b_m.png", "111111111111", 1);
    write_digits("masks/readme.txt", "000000000000", 1);
    peft_dataset *d = pictures_of("images"), *out;
    no_masks(d, in_folder("masks"), "classes=2,suffix=_m", PEFT_E_NOTFOUND, "x/a.png has no mask (and 1 other sample)");
    no_masks(d, in_folder("masks"), "classes=2,suffix=_m", PEFT_E_NOTFOUND, "for a.png with '_m' before any ending");
    no_masks(d, in_folder("masks"), "classes=2,missing=skip", PEFT_E_NOTFOUND, "has no mask (and 2 other samples)");
    no_masks(d, NULL, "classes=2,suffix=_m", PEFT_E_NOTFOUND, "looked in its folder");
    no_masks(d, in_folder("images"), "classes=2", PEFT_E_FORMAT, "of another one or of itself");
    ok(peft_dataset_with_masks(d, in_folder("masks"), "classes=2,suffix=_m,missing=skip", &out));
    ck_assert_int_eq(peft_dataset_count(out), 1);
    ck_assert_int_eq(peft_dataset_id(out, 0), 1);
    has_labels(out, 0, "111111111111");
    peft_dataset_free(out);
    out = masked(d, "masks", "classes=2,suffix=_m,missing=empty");
    ck_assert_int_eq(peft_dataset_count(out), 3);
    has_labels(out, 0, "000000000000");
    has_labels(out, 1, "111111111111");
    peft_mask *m;
    ok(peft_dataset_load_mask(out, 2, NULL, &m));                             /* the size is that of the image */
    ck_assert_int_eq(peft_mask_width(m), 4);
    ck_assert_int_eq(peft_mask_height(m), 3);
    peft_mask_free(m);
    peft_dataset_free(out);
}
END_TEST

START_TEST(test_ambiguous_files)
{
    write_image("images/x/a.png");
    write_image("images/y/a.png");
    write_digits("masks/a.png", "000000000000", 1);
    peft_dataset *d = pictures_of("images");
    no_masks(d, in_folder("masks"), "classes=2", PEFT_E_FORMAT, "would be the mask of");
    no_masks(d, in_folder("masks/a.png"), "classes=2", PEFT_E_INVALID, "is one file, and the samples are several");
    peft_dataset_free(d);
    write_bytes(in_folder("masks/a.pgm"), "P5 1 1 255 x", 12);
    d = pictures_of("images/x");
    no_masks(d, in_folder("masks"), "classes=2", PEFT_E_FORMAT, "a.png may both be the mask of");
    no_masks(d, in_folder("nowhere"), "classes=2", PEFT_E_IO, "No such file");
    mkdir(in_folder("empty"), 0777);
    no_masks(d, in_folder("empty"), "classes=2", PEFT_E_FORMAT, "no files of masks");
    peft_dataset *one = masked(d, "masks/a.png", "classes=2");
    has_labels(one, 0, "000000000000");
    peft_dataset_free(one);
}
END_TEST

START_TEST(test_parts_and_digests)
{
    char name[40], digest[4][65];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "set/%c/i%d.png", i % 2 ? 'p' : 'q', i);
        write_image(name);
        snprintf(name, sizeof name, "masks/i%d.png", i);
        const char labels[] = { "0123"[i % 4], '1', '1', '0', '0', '0', '0', '0', '0', '0', '0', '0', 0 };
        write_digits(name, labels, 1);
        snprintf(name, sizeof name, "moved/i%d.png", i);
        write_digits(name, labels, 1);
    }
    peft_dataset *plain, *d, *few, *rest, *more;
    ok(peft_dataset_open(io_ctx, in_folder("set"), NULL, &plain));
    ok(peft_dataset_digest(plain, digest[0]));
    ok(peft_dataset_with_masks(plain, in_folder("masks"), "classes=4", &d));
    ok(peft_dataset_digest(d, digest[1]));
    ok(peft_dataset_with_masks(plain, in_folder("moved"), "classes=4", &more));
    ok(peft_dataset_digest(more, digest[2]));
    ck_assert_str_ne(digest[0], digest[1]);
    ck_assert_str_eq(digest[1], digest[2]);                                   /* the folder may be another one */
    peft_dataset_free(more);
    ok(peft_dataset_with_masks(plain, in_folder("masks"), "classes=4,ignore=255", &more));
    ok(peft_dataset_digest(more, digest[3]));
    ck_assert_str_ne(digest[1], digest[3]);
    peft_dataset_free(more);
    peft_dataset_free(plain);
    ok(peft_dataset_few_shot(d, 0, 2, 3, &few, &rest));                       /* of each class of the images */
    ck_assert_int_eq(peft_dataset_count(few), 4);
    ck_assert_int_eq(peft_dataset_count(rest), 4);
    peft_dataset *parts[] = { few, rest };
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < 4; i++) {
            const char *sample = strrchr(peft_dataset_name(parts[p], i), 'i');
            char labels[13] = "0110" "0000" "0000";
            labels[0] = "0123"[(sample[1] - '0') % 4];
            has_labels(parts[p], i, labels);
        }
    peft_dataset_free(few);
    peft_dataset_free(rest);
    peft_dataset_free(d);
    d = masked(pictures_of("set"), "masks", "classes=4");                     /* no classes: so many images */
    ok(peft_dataset_few_shot(d, 0, 3, 1, &few, NULL));
    ck_assert_int_eq(peft_dataset_count(few), 3);
    ck_assert_int_eq(peft_dataset_has_masks(few), 1);
    peft_dataset_free(few);
    ok(peft_dataset_fold(d, 4, 1, 1, &rest, &few));
    ck_assert_int_eq(peft_dataset_has_masks(few) + peft_dataset_has_masks(rest), 2);
    peft_dataset_free(few);
    peft_dataset_free(rest);
    peft_dataset_free(d);
}
END_TEST

START_TEST(test_column_of_masks)
{
    write_image("t/a.png");
    write_image("t/b.png");
    write_image("t/c.png");
    write_digits("t/m/first.png", "010000000000", 1);
    write_digits("t/m/second.png", "001000000000", 1);
    const char *table = "path,label,seg\na.png,x,m/second.png\nb.png,y,\nc.png,y,m/first.png\n";
    write_bytes(in_folder("t/table.csv"), table, strlen(table));
    peft_dataset *d, *out;
    ok(peft_dataset_open_table(io_ctx, in_folder("t/table.csv"), NULL, "mask=seg", &d));
    ck_assert_int_eq(peft_dataset_classes(d), 2);
    no_masks(d, NULL, "classes=2", PEFT_E_NOTFOUND, "b.png has no mask; its cell in the table");
    no_masks(d, NULL, "classes=2,suffix=_m", PEFT_E_OPTION, "leave suffix and per_class out");
    ok(peft_dataset_with_masks(d, NULL, "classes=2,missing=skip", &out));
    peft_dataset_free(d);
    ck_assert_int_eq(peft_dataset_count(out), 2);
    has_labels(out, 0, "001000000000");
    has_labels(out, 1, "010000000000");
    peft_dataset_free(out);
    remove(in_folder("t/m/first.png"));
    ok(peft_dataset_open_table(io_ctx, in_folder("t/table.csv"), NULL, "mask=seg", &d));
    no_masks(d, NULL, "classes=2", PEFT_E_IO, "which the table names as the mask of");
    peft_dataset_free(d);
    fails(PEFT_E_FORMAT, "option mask=label2 names no column",
          peft_dataset_open_table(io_ctx, in_folder("t/table.csv"), NULL, "mask=label2", &d));
}
END_TEST

START_TEST(test_refused_options)
{
    static const struct { const char *options, *word; } bad[] = {
        { NULL, "the classes are not known" },
        { "kind=index", "give classes=background:tumour" },
        { "classes=1", "classes=1; expected 2" },
        { "classes=a", "expected the background and at least one other" },
        { "classes=a:b:a", "'a' twice" },
        { "classes=a::b", "'' is no name of a class" },
        { "classes=a:ignore", "'ignore' is no name" },
        { "kind=binary,classes=a:b:c", "classes has 3" },
        { "kind=colors", "needs the option colors" },
        { "colors=#000000:a,classes=a", "leave classes out" },
        { "colors=#000000:a:#00ff0:b", "'#00ff0'; expected #rrggbb" },
        { "colors=#000000:a:#000000:b", "#000000 twice" },
        { "colors=#000000:a:#ff0000", "'' is no name" },
        { "colors=#000000:a:#ff0000:b,kind=index", "goes with kind=colors" },
        { "colors=#000000:a:#ff0000:b,ignore=3", "#ffffff:ignore" },
        { "per_class=folder", "the classes are not known" },
        { "per_class=folder,classes=a:b,kind=index", "hold one class each" },
        { "multilabel=true,classes=a:b", "needs a file for each class" },
        { "threshold=3,classes=2", "goes with kind=binary" },
        { "outside=c,classes=a:b", "expected ignore or the name of a class" },
        { "outside=a,per_class=folder,multilabel=true,classes=a:b", "expected ignore or none" },
        { "classes=2,read=\"slic=1\"", "did you mean 'slice'" },
        { "colour=1", "unknown option" } };
    write_image("images/a.png");
    write_digits("masks/a.png", "000000000000", 1);
    peft_dataset *d = pictures_of("images"), *out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        no_masks(d, in_folder("masks"), bad[i].options, PEFT_E_OPTION, bad[i].word);
    no_masks(d, NULL, "classes=2", PEFT_E_OPTION, "suffix=_mask");
    no_masks(d, NULL, "classes=2,per_class=folder", PEFT_E_OPTION, "needs the folder");
    no_masks(d, in_folder("masks/a.png"), "classes=2,per_class=suffix", PEFT_E_OPTION, "expected their folder");
    no_masks(d, "", "classes=2", PEFT_E_INVALID, "the path is empty");
    fails(PEFT_E_INVALID, "data set is NULL", peft_dataset_with_masks(NULL, "masks", "classes=2", &out));
    ck_assert_str_eq(peft_option_name(peft_dataset_mask_option(0)), "classes");
    ck_assert_ptr_null(peft_dataset_mask_option(11));
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("masks of data sets", test_folder_of_the_same_names, test_masks_beside_the_images,
              test_a_file_for_each_class, test_samples_without_a_mask, test_ambiguous_files, test_parts_and_digests,
              test_column_of_masks, test_refused_options)
