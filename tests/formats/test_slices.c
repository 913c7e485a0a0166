/* SPDX-License-Identifier: Apache-2.0
 * test_slices.c -- peft_dataset_with_slices: all slices of volumes and arrays among other pictures, in folders and
 * zips. */
#include "nifti_files.h"
#include <peft/io.h>
#include <sys/wait.h>

enum { NX = 2, NY = 3, NZ = 4, DEEP = 8 };
static int voxel_at(int x, int y, int z) { return x + 10 * y + 100 * z; }

/* Writes a volume of NX x NY x depth voxels; depth: at most DEEP. */
static void write_volume(const char *path, int depth)
{
    const nifti n = { .version = 1, .dim = { 3, NX, NY, depth }, .datatype = 4 };
    uint64_t v[NX * NY * DEEP];
    size_t size;
    for (int i = 0; i < NX * NY * depth; i++) v[i] = (uint64_t)voxel_at(i % NX, i / NX % NY, i / (NX * NY));
    uint8_t *file = nifti_file(&n, v, (size_t)(NX * NY * depth), 2, &size);
    write_bytes(path, file, size);
    free(file);
}

/* "name=pixel(case)" of all samples, without the name of the folder; "!" for a pixel: the sample cannot be loaded. */
static const char *samples(const peft_dataset *d, const char *folder)
{
    static char text[2000];
    const size_t prefix = strlen(in_folder(folder)) + 1;
    text[0] = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        peft_image *im = NULL;
        char pixel[20] = "!";
        const char *of = peft_dataset_case(d, i);
        const peft_status s = peft_dataset_load(d, i, &im);
        if (!s && peft_image_depth(im) == 8)
            snprintf(pixel, sizeof pixel, "%d", *(const uint8_t *)peft_image_pixels(im));
        else if (!s) snprintf(pixel, sizeof pixel, "%d", *(const int16_t *)peft_image_pixels(im));
        peft_image_free(im);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%s(%s)", i ? " " : "",
                 peft_dataset_name(d, i) + prefix, pixel, of ? of + prefix : "");
    }
    return text;
}

/* The slices of all pictures of a path; options: of peft_image_load. */
static peft_dataset *open_slices(const char *path, const char *options)
{
    peft_dataset *found, *read, *out;
    ok(peft_dataset_open_pictures(io_ctx, path, &found));
    ok(peft_dataset_with_image_options(found, options, &read));
    ok(peft_dataset_with_slices(read, &out));
    peft_dataset_free(found);
    peft_dataset_free(read);
    return out;
}

/* An array of three pictures of one pixel. */
static size_t make_array(unsigned char file[200])
{
    static const uint8_t pixels[3] = { 5, 6, 7 };
    return npy_file(file, "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1, 1, 1), }", pixels, 3);
}

START_TEST(every_slice_is_a_sample)
{
    unsigned char array[200];
    const size_t size = make_array(array);
    peft_image *im;
    peft_dataset *d;
    write_volume(in_folder("f/v.nii"), NZ);
    write_bytes(in_folder("f/a.npy"), array, size);
    write_bytes(in_folder("f/b.nii"), "broken", 6);
    save_picture(in_folder("f/p.png"), 4, 3, 1, 1);
    ok(peft_image_load(io_ctx, in_folder("f/p.png"), NULL, &im));
    const int png = *(const uint8_t *)peft_image_pixels(im);
    peft_image_free(im);
    char want[500];
    static const char array_samples[] = "a.npy#slice=0=5(a.npy) a.npy#slice=1=6(a.npy) a.npy#slice=2=7(a.npy) "
                                        "b.nii=!()";
    d = open_slices(in_folder("f"), NULL);
    snprintf(want, sizeof want, "%s p.png=%d() v.nii#slice=0=0(v.nii) v.nii#slice=1=100(v.nii) "
             "v.nii#slice=2=200(v.nii) v.nii#slice=3=300(v.nii)", array_samples, png);
    ck_assert_str_eq(samples(d, "f"), want);
    ck_assert_int_eq(peft_dataset_has_cases(d), 1);
    ck_assert_str_eq(peft_dataset_class_name(d, 0), "unlabelled");
    peft_dataset_free(d);
    /* The axis decides how many slices there are. */
    ok(peft_dataset_open_pictures(io_ctx, in_folder("f/v.nii"), &d));
    peft_dataset *along, *slices, *one;
    ok(peft_dataset_with_image_options(d, "axis=1", &along));
    ok(peft_dataset_with_slices(along, &slices));
    ck_assert_str_eq(samples(slices, "f"), "v.nii#slice=0=0(v.nii) v.nii#slice=1=10(v.nii) v.nii#slice=2=20(v.nii)");
    ok(peft_dataset_subset(slices, (const int64_t[]){ 2 }, 1, &one));      /* a part keeps options and cases */
    ck_assert_str_eq(samples(one, "f"), "v.nii#slice=2=20(v.nii)");
    peft_dataset_free(one);
    peft_dataset_free(slices);
    peft_dataset_free(along);
    ok(peft_dataset_with_image_options(d, "slice=1", &along));
    fails(PEFT_E_OPTION, "they choose slice 1", peft_dataset_with_slices(along, &slices));
    fails(PEFT_E_INVALID, "data set is NULL", peft_dataset_with_slices(NULL, &slices));
    peft_dataset_free(along);
    ok(peft_dataset_with_image_options(d, "slice=none,volume=none,region=none", &along));      /* none: not given */
    ok(peft_dataset_with_slices(along, &slices));
    ck_assert_int_eq(peft_dataset_count(slices), 4);
    peft_dataset_free(slices);
    peft_dataset_free(along);
    ok(peft_image_load(io_ctx, in_folder("f/p.png"), "slice=none", &im));
    peft_image_free(im);
    fails(PEFT_E_OPTION, "axis", peft_dataset_with_image_options(d, "axis=none", &along));     /* has a default */
    peft_dataset_free(d);
}
END_TEST

START_TEST(slices_in_a_zip)
{
    unsigned char array[200];
    const size_t size = make_array(array);
    zip_make(in_folder("z.zip"), (const entry[]){ { "x/a.npy", array, size }, { "x/b.npy", "broken", 6 } }, 2);
    peft_dataset *d = open_slices(in_folder("z.zip"), NULL);
    ck_assert_str_eq(samples(d, "z.zip"), "x/a.npy#slice=0=5(x/a.npy) x/a.npy#slice=1=6(x/a.npy) "
                                          "x/a.npy#slice=2=7(x/a.npy) x/b.npy=!()");
    peft_dataset_free(d);
}
END_TEST

/* A .nii.gz is unpacked once for all its slices. One that is cut short has those that lie before the cut, as without
 * that. A forked process reads slices too. */
START_TEST(slices_of_a_packed_file)
{
    enum { SIDE = 128, DEPTH = 9 };                           /* more than a window of 64 KiB */
    const nifti n = { .version = 1, .dim = { 3, SIDE, SIDE, DEPTH }, .datatype = 4 };
    uint64_t *v = malloc(SIDE * SIDE * DEPTH * sizeof *v);
    size_t size, packed;
    uint32_t random = 1;
    for (int i = 0; i < SIDE * SIDE * DEPTH; i++) v[i] = (random = random * 1664525 + 1013904223) >> 20;
    uint8_t *file = nifti_file(&n, v, SIDE * SIDE * DEPTH, 2, &size), *gz = gzipped(file, size, &packed);
    for (int cut = 0; cut < 2; cut++) {
        int64_t good = 0;
        write_bytes(in_folder("f/v.nii.gz"), gz, cut ? packed / 2 : packed);
        peft_dataset *d = open_slices(in_folder("f/v.nii.gz"), NULL);
        ck_assert_int_eq(peft_dataset_count(d), DEPTH);
        for (int64_t i = 0; i < DEPTH; i++) {
            char options[20];
            peft_image *im, *alone;
            snprintf(options, sizeof options, "slice=%d", (int)i);
            const peft_status s = peft_dataset_load(d, i, &im);
            ck_assert_int_eq(s, peft_image_load(io_ctx, in_folder("f/v.nii.gz"), options, &alone));
            if (s) continue;
            same_image(im, alone);
            peft_image_free(im);
            peft_image_free(alone);
            good++;
        }
        ck_assert(cut ? good > 0 && good < DEPTH : good == DEPTH);
        const pid_t child = fork();
        if (!child) {
            peft_image *im;
            _exit(peft_dataset_load(d, 1, &im) || *(const int16_t *)peft_image_pixels(im) != (int16_t)v[SIDE * SIDE]);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        peft_dataset_free(d);
    }
    free(v);
    free(file);
    free(gz);
}
END_TEST

/* Labels, targets, groups and cases of a table go to the slices of its files. */
START_TEST(slices_keep_what_a_table_says)
{
    unsigned char array[200];
    const size_t size = make_array(array);
    static const char table[] = "image,label,patient,study\na.npy,x,P1,S1\nb.npy,y,P2,\n";
    static const char columns[] = "image,u,v\na.npy,1,0\nb.npy,1,-1\n";
    peft_dataset *d, *slices;
    float targets[2];
    write_bytes(in_folder("f/a.npy"), array, size);
    write_bytes(in_folder("f/b.npy"), array, size);
    write_bytes(in_folder("f/t.csv"), table, sizeof table - 1);
    ok(peft_dataset_open_table(io_ctx, in_folder("f/t.csv"), NULL, NULL, &d));
    ok(peft_dataset_with_slices(d, &slices));
    ck_assert_int_eq(peft_dataset_count(slices), 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(peft_dataset_label(slices, i), i / 3);
        ck_assert_str_eq(peft_dataset_group(slices, i), i < 3 ? "P1" : "P2");
        ck_assert_str_eq(peft_dataset_case(slices, i), i < 3 ? "S1" : in_folder("f/b.npy"));
    }
    peft_dataset_free(slices);
    peft_dataset_free(d);
    write_bytes(in_folder("f/t.csv"), columns, sizeof columns - 1);
    ok(peft_dataset_open_table(io_ctx, in_folder("f/t.csv"), NULL, NULL, &d));
    ok(peft_dataset_with_slices(d, &slices));
    ok(peft_dataset_targets(slices, 5, targets));
    ck_assert(targets[0] == 1 && targets[1] == -1);
    peft_dataset_free(slices);
    peft_dataset_free(d);
}
END_TEST

/* Slices of one file are different pictures, and the same slice of two copies is one. */
START_TEST(slices_are_compared_as_pictures)
{
    unsigned char array[200];
    const size_t size = make_array(array);
    int64_t in_a[9], in_b[9], count;
    write_bytes(in_folder("f/a.npy"), array, size);
    write_bytes(in_folder("g/b.npy"), array, size);
    peft_dataset *a = open_slices(in_folder("f"), NULL), *b = open_slices(in_folder("g"), NULL);
    ok(peft_dataset_overlap(a, a, 9, in_a, in_b, &count));
    ck_assert_int_eq(count, 0);
    ok(peft_dataset_overlap(a, b, 9, in_a, in_b, &count));
    ck_assert_int_eq(count, 3);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(in_a[i], in_b[i]);
    peft_dataset_free(a);
    peft_dataset_free(b);
}
END_TEST

/* Files of equal size and beginning, which are compared as a whole: slices of different files differ. */
START_TEST(slices_of_like_files)
{
    enum { SIDE = 256, DEPTH = 3 };                           /* more than the first 64 KiB, which are hashed alone */
    const nifti n = { .version = 1, .dim = { 3, SIDE, SIDE, DEPTH }, .datatype = 2 };
    uint64_t *v = calloc(SIDE * SIDE * DEPTH, sizeof *v);
    int64_t in_a[9], in_b[9], count;
    size_t size;
    for (int k = 0; k < 3; k++) {                             /* f/0.nii, f/1.nii, g/1.nii */
        v[SIDE * SIDE * DEPTH - 1] = k > 0;
        uint8_t *file = nifti_file(&n, v, SIDE * SIDE * DEPTH, 1, &size);
        write_bytes(in_folder(k == 2 ? "g/1.nii" : k ? "f/1.nii" : "f/0.nii"), file, size);
        free(file);
    }
    peft_dataset *a = open_slices(in_folder("f"), NULL), *b = open_slices(in_folder("g"), NULL);
    ok(peft_dataset_overlap(a, b, 9, in_a, in_b, &count));
    ck_assert_int_eq(count, DEPTH);
    for (int i = 0; i < DEPTH; i++) ck_assert(in_a[i] == DEPTH + i && in_b[i] == i);
    peft_dataset_free(a);
    peft_dataset_free(b);
    free(v);
}
END_TEST

/* A loader that reads in random order opens each volume once, as far as its cache has room: when a slice of both has
 * been read the files are no longer needed. */
START_TEST(volumes_are_read_once)
{
    enum { VOLUMES = 2, AHEAD = 4 };                         /* AHEAD: the batches that 2 threads have begun */
    for (int threads = 0; threads < 3; threads += 2) {
        const char *const file[VOLUMES] = { "f/0.nii", "f/1.nii" };
        int64_t count, id, batch = 0;
        bool seen[VOLUMES] = { false };
        char options[80];
        peft_transform *t;
        peft_loader *l;
        peft_tensor *images;
        for (int k = 0; k < VOLUMES; k++) write_volume(in_folder(file[k]), DEEP);
        peft_dataset *d = open_slices(in_folder("f"), NULL);
        ck_assert_int_eq(peft_dataset_count(d), VOLUMES * DEEP);
        snprintf(options, sizeof options, "batch=1,shuffle=true,seed=3,threads=%d", threads);
        ok(peft_transform_parse(io_ctx, "size=2,range=0:400", &t));
        ok(peft_loader_create(d, t, options, &l));
        ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (const int64_t[]){ 1, 3, 2, 2 }, &images));
        for (; !seen[0] || !seen[1]; batch++) {
            ok(peft_loader_read(l, 0, batch, images, NULL, &id, &count));
            seen[id / DEEP] = true;
        }
        for (int k = 0; threads && k < AHEAD; k++, batch++)   /* one of these may be reading the last file */
            ok(peft_loader_read(l, 0, batch, images, NULL, &id, &count));
        ck_assert_int_lt(batch, peft_loader_batches(l) - 1);
        for (int k = 0; k < VOLUMES; k++) ck_assert_int_eq(remove(in_folder(file[k])), 0);
        for (int64_t epoch = 0; epoch < 2; epoch++, batch = 0)
            for (; batch < peft_loader_batches(l); batch++)
                ok(peft_loader_read(l, epoch, batch, images, NULL, &id, &count));
        peft_tensor_free(images);
        peft_loader_free(l);
        peft_transform_free(t);
        peft_dataset_free(d);
    }
}
END_TEST

IO_SUITE_MAIN("slices", every_slice_is_a_sample, slices_in_a_zip, slices_of_a_packed_file,
              slices_keep_what_a_table_says, slices_are_compared_as_pictures, slices_of_like_files,
              volumes_are_read_once)
