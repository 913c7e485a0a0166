/* SPDX-License-Identifier: Apache-2.0
 * phantom.c -- generates synthetic pictures that resemble breast ultrasound, in three classes, to try out the other
 * programs without real images. docs/phantoms.md describes the model and its limits. */
#include "phantom.h"
#include "common/files/atomic_file.h"
#include "common/files/output.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <peft/io.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FLAGS(X) \
    X(out, "DIR", NULL, "required: folder for the pictures, new or empty") \
    X(images, "N", "60", "pictures per class, 1 to 9999") \
    X(side, "N", "96", "width and height in pixels, 16 to 1024") \
    X(seed, "N", "1", "seed of the random numbers; equal seeds give equal pictures") \
    X(difficulty, "X", "1", "how much the classes overlap, 0 (hardly) to 4; docs/phantoms.md describes 1") \
    X(shift, "X", "0", "how much the scanner differs from the reference, 0 (not at all) to 3: contrast, uneven gain, " \
      "noise, blur") \
    X(dicom, NULL, NULL, "write DICOM files IM00001, .. of two pictures for each patient, and DIR/labels.csv, a " \
      "table of their classes and patients, in place of a folder for each class") \
    X(masks, NULL, NULL, "write a label mask of each picture: pictures lie in DIR/images, and masks, PNG files with " \
      "a palette, in DIR/masks under the same names; 1: benign-like lesion, 2: malignant-like lesion, 0: elsewhere")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--out DIR [options]",
    "Generates synthetic pictures of three classes that resemble ultrasound, to try out the other programs without\n"
    "real images. They are not medical images. docs/phantoms.md describes the model behind them.",
    "  phantom --out phantoms --images 70\n"
    "  finetune --backbone vit.safetensors --data phantoms --shots 10 --method lora" };

static void make_folder(const char *path)
{
    if (mkdir(path, 0777)) fail("%s: %s", path, strerror(errno));
}

/* Makes the folder, or fails unless it is empty: no file is ever overwritten. */
static void make_output_folder(const char *path)
{
    DIR *d = opendir(path);
    if (!d && errno == ENOENT) {
        check_output_folder("out", path);
        make_folder(path);
        return;
    }
    if (!d) fail("--out %s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(d)); )
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            fail("--out %s: the folder is not empty; give a new or empty folder", path);
    closedir(d);
}

/* The text "folder/name", to be freed. */
static char *path_in(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) fail("out of memory");
    return path;
}

/* The text does not contain the folder's name, so commands that differ only in --out write equal files. */
static void write_readme(const char *folder)
{
    char *path = path_in(folder, "README.txt");
    FILE *f = fopen(path, "w");
    if (!f) fail("%s: %s", path, strerror(errno));
    fprintf(f, "These pictures are synthetic. A formula made them; nobody was examined, and they show no disease.\n"
               "They are not medical images and must not be used as such: not for diagnosis or teaching, nor to train\n"
               "or judge anything meant for patients. They serve to try out software.\n\n"
               "Made by\n    phantom --out DIR");
    for (int i = out + 1; i < flags; i++)
        if (given[i].argument && (i != shift || given[i].source != FROM_DEFAULT))
            fprintf(f, " --%s %s", given[i].name, given[i].value);
    for (int i = out + 1; i < flags; i++)
        if (!given[i].argument && given[i].value) fprintf(f, " --%s", given[i].name);
    fprintf(f, "\nof libpeft %s; its docs/phantoms.md describes the model.\n", peft_version_string());
    const bool bad = ferror(f);
    if (fclose(f) || bad) fail("%s: cannot be written; the disk may be full", path);
    free(path);
}

/* Where a phantom and its mask are written. With --masks pictures lie in OUT/images and masks in OUT/masks, under the
 * same names; a DICOM file IM00001 has the mask IM00001.png. */
typedef struct output {
    peft_context *ctx;
    char *images, *masks;                                     /* folders; masks NULL: none are written */
    bool dicom;
    atomic_file table;                                        /* with dicom: labels.csv */
} output;

static void make_class_folders(const char *folder)
{
    for (int c = 0; c < PHANTOM_CLASSES; c++) {
        char *path = path_in(folder, phantom_class[c]);
        make_folder(path);
        free(path);
    }
}

/* o stays at its address: the table writes to it. */
static void open_output(output *o, const char *folder, bool with_masks, bool with_dicom)
{
    *o = (output){ .images = with_masks ? path_in(folder, "images") : check_alloc(strdup(folder)),
                   .masks = with_masks ? path_in(folder, "masks") : NULL, .dicom = with_dicom };
    must(peft_context_create(NULL, NULL, NULL, &o->ctx));
    make_output_folder(folder);
    if (with_masks) make_folder(o->images), make_folder(o->masks);
    if (with_dicom) {
        char *path = path_in(folder, "labels.csv");
        open_atomic(&o->table, path);
        fputs("path,diagnosis,patient\n", o->table.file);
        free(path);
    } else {
        make_class_folders(o->images);
        if (with_masks) make_class_folders(o->masks);
    }
}

static void write_phantom(output *o, const phantom_place *p, const uint8_t *grey, const tissue *t)
{
    char *path;
    if (o->dicom) save_dicom(o->images, p, grey, t->side, o->table.file, o->masks ? "images/" : "");
    else save_png(o->ctx, o->images, p, grey, t->side);
    if (!o->masks) return;
    if ((o->dicom ? asprintf(&path, "%s/IM%05lld.png", o->masks, file_number(p))
                  : asprintf(&path, "%s/%s/%04lld.png", o->masks, phantom_class[p->class], (long long)p->index)) < 0)
        fail("out of memory");
    save_mask(o->ctx, path, t->mask, t->side);
    free(path);
}

static void close_output(output *o)
{
    if (o->dicom) close_atomic(&o->table);
    peft_context_free(o->ctx);
    free(o->images);
    free(o->masks);
}

int main(int argc, char **argv)
{
    program_name = "phantom";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[out].value) fail("--out is required; see --help");
    const int64_t n = flag_whole(&given[images], 1, 9999), pixels = flag_whole(&given[side], 16, 1024);
    const int64_t area = pixels * pixels;
    uint64_t first_seed = (uint64_t)flag_integer(&given[seed]);
    double overlap = flag_number(&given[difficulty], 0, 4), scanner_shift = flag_number(&given[shift], 0, 3);
    double *work = check_alloc(malloc((size_t)area * 6 * sizeof *work));     /* 4 for scan_tissue, 2 for the tissue */
    uint8_t *grey = check_alloc(malloc((size_t)area * 2));                   /* the picture, then its mask */
    tissue t = { .side = pixels, .level = work + 4 * area, .loss = work + 5 * area, .mask = grey + area };

    output to;
    open_output(&to, given[out].value, given[masks].value != NULL, given[dicom].value != NULL);
    write_readme(given[out].value);
    for (int64_t c = 0; c < PHANTOM_CLASSES; c++)
        for (int64_t i = 0; i < n; i++) {
            stream speckle = make_stream(STREAM_SPECKLE, first_seed, c, i);
            const scanner device = make_scanner(scanner_shift, first_seed, c, i);
            make_tissue(&t, first_seed, c, i, overlap);
            scan_tissue(&t, &device, &speckle, work, grey);
            write_phantom(&to, &(phantom_place){ first_seed, c, i, n }, grey, &t);
        }
    close_output(&to);
    printf("%-22s %lld of %d classes in %s\n", "written", (long long)n * PHANTOM_CLASSES, PHANTOM_CLASSES,
           given[out].value);
    free(work);
    free(grey);
    return 0;
}
