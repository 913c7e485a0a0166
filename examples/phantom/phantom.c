/* SPDX-License-Identifier: Apache-2.0
 * phantom.c -- generates synthetic pictures that resemble breast ultrasound, in three classes, to try out the other
 * programs without real images. docs/phantoms.md describes the model and its limits. */
#include "phantom.h"
#include "common/files/atomic_file.h"
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
    X(dicom, NULL, NULL, "write DICOM files IM00001, .. of two pictures for each patient, and labels.csv, a table of " \
      "their classes and patients, in place of a folder for each class")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--out DIR [options]",
    "Generates synthetic pictures of three classes that resemble ultrasound, to try out the other programs without\n"
    "real images. They are not medical images. docs/phantoms.md describes the model behind them.",
    "  phantom --out phantoms --images 70\n"
    "  finetune --backbone vit.safetensors --data phantoms --shots 10 --method lora" };

/* The value of flag f; fails unless it lies in low..high. */
static int64_t integer_within(int f, int64_t low, int64_t high)
{
    int64_t n = flag_integer(&given[f]);
    if (n < low || n > high)
        fail("--%s: given %lld, expected %lld to %lld", given[f].name, (long long)n, (long long)low, (long long)high);
    return n;
}

static double number_within(int f, double low, double high)
{
    const char *text = given[f].value;
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !(x >= low && x <= high))
        fail("--%s: given '%s', expected a number from %g to %g", given[f].name, text, low, high);
    return x;
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0777)) fail("%s: %s", path, strerror(errno));
}

/* Makes the folder, or fails unless it is empty: no file is ever overwritten. */
static void make_output_folder(const char *path)
{
    DIR *d = opendir(path);
    if (!d && errno == ENOENT) {
        make_folder(path);
        return;
    }
    if (!d) fail("--out %s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(d)); )
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            fail("--out %s: the folder is not empty; give a new or empty folder", path);
    closedir(d);
}

/* The text does not contain the folder's name, so commands that differ only in --out write equal files. */
static void write_readme(const char *folder, char *path, size_t size)
{
    snprintf(path, size, "%s/README.txt", folder);
    FILE *f = fopen(path, "w");
    if (!f) fail("%s: %s", path, strerror(errno));
    fprintf(f, "These pictures are synthetic. A formula made them; nobody was examined, and they show no disease.\n"
               "They are not medical images and must not be used as such: not for diagnosis or teaching, nor to train\n"
               "or judge anything meant for patients. They serve to try out software.\n\n"
               "Made by\n    phantom --out DIR");
    for (int i = out + 1; i < flags; i++)
        if (given[i].argument && (i != shift || given[i].source != FROM_DEFAULT))
            fprintf(f, " --%s %s", given[i].name, given[i].value);
    if (given[dicom].value) fputs(" --dicom", f);
    fprintf(f, "\nof libpeft %s; its docs/phantoms.md describes the model.\n", peft_version_string());
    const bool bad = ferror(f);
    if (fclose(f) || bad) fail("%s: cannot be written; the disk may be full", path);
}

/* Writes grey [side, side] to folder/class/0000.png. */
static void save_png(peft_context *ctx, const char *folder, const phantom_place *p, const uint8_t *grey, int64_t side)
{
    const int channels = 1, bits = 8, rows_without_gaps = 0;
    peft_image *im;
    char *path;
    if (asprintf(&path, "%s/%s/%04lld.png", folder, phantom_class[p->class], (long long)p->index) < 0)
        fail("out of memory");
    must(peft_image_from_buffer(ctx, grey, side, side, channels, bits, rows_without_gaps, &im));
    must(peft_image_save_png(im, path));
    peft_image_free(im);
    free(path);
}

int main(int argc, char **argv)
{
    program_name = "phantom";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[out].value) fail("--out is required; see --help");
    int64_t n = integer_within(images, 1, 9999), pixels = integer_within(side, 16, 1024), area = pixels * pixels;
    uint64_t first_seed = (uint64_t)flag_integer(&given[seed]);
    double overlap = number_within(difficulty, 0, 4), scanner_shift = number_within(shift, 0, 3);
    size_t path_size = strlen(given[out].value) + 64;
    char *path = check_alloc(malloc(path_size));
    double *work = check_alloc(malloc((size_t)area * 6 * sizeof *work));     /* 4 for scan_tissue, 2 for the tissue */
    uint8_t *grey = check_alloc(malloc((size_t)area));
    tissue t = { .side = pixels, .level = work + 4 * area, .loss = work + 5 * area };
    peft_context *ctx;
    atomic_file table;

    must(peft_context_create(NULL, NULL, NULL, &ctx));
    make_output_folder(given[out].value);
    if (given[dicom].value) {
        snprintf(path, path_size, "%s/labels.csv", given[out].value);
        open_atomic(&table, path);
        fputs("path,diagnosis,patient\n", table.file);
    }
    write_readme(given[out].value, path, path_size);
    for (int64_t c = 0; c < PHANTOM_CLASSES; c++) {
        snprintf(path, path_size, "%s/%s", given[out].value, phantom_class[c]);
        if (!given[dicom].value) make_folder(path);
        for (int64_t i = 0; i < n; i++) {
            stream speckle = make_stream(STREAM_SPECKLE, first_seed, c, i);
            const scanner device = make_scanner(scanner_shift, first_seed, c, i);
            make_tissue(&t, first_seed, c, i, overlap);
            scan_tissue(&t, &device, &speckle, work, grey);
            const phantom_place place = { first_seed, c, i, n };
            if (given[dicom].value) save_dicom(given[out].value, &place, grey, pixels, table.file);
            else save_png(ctx, given[out].value, &place, grey, pixels);
        }
    }
    if (given[dicom].value) close_atomic(&table);
    printf("%-22s %lld of %d classes in %s\n", "written", (long long)n * PHANTOM_CLASSES, PHANTOM_CLASSES,
           given[out].value);
    peft_context_free(ctx);
    free(path);
    free(work);
    free(grey);
    return 0;
}
