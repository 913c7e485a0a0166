/* SPDX-License-Identifier: Apache-2.0
 * data.h -- shared by same_bits.c and same_pictures.c: error messages, output files in the current folder,
 * pseudo-random numbers, batches. */
#ifndef SAME_BITS_DATA_H
#define SAME_BITS_DATA_H
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, STEPS = 3, SAMPLES = 8 };
#define COUNT(array) (sizeof (array) / sizeof *(array))

static const char *case_name;                         /* the name of the running case: for messages and file names */

/* Prints the message and ends the program with exit status 1. */
static void stop(const char *what, const char *why)
{
    fprintf(stderr, "same_bits: %s: %s: %s\n", case_name, what, why);
    exit(1);
}
#define OK(call) do { if ((call) != PEFT_OK) stop(#call, peft_last_error()); } while (0)

/* --- files in the current folder ---------------------------------------------------------------------------------- */
/* The path "CASE.what"; the last four results stay valid. */
static const char *path(const char *what)
{
    static char text[4][256];
    static unsigned calls;
    char *p = text[++calls % 4];
    snprintf(p, sizeof text[0], "%s.%s", case_name, what);
    return p;
}

/* Appends to the file "CASE.what". */
static void write_bytes(const char *what, const void *data, size_t size)
{
    FILE *f = fopen(path(what), "ab");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) stop(what, "cannot be written");
}

/* Appends the values of a float tensor to the file "CASE.what". */
static void write_tensor(const char *what, const peft_tensor *t)
{
    if (!t) stop(what, "no such tensor");
    write_bytes(what, peft_tensor_cdata(t), sizeof(float) * (size_t)peft_tensor_count(t));
}

/* --- pseudo-random numbers ---------------------------------------------------------------------------------------- */
/* Number i of a stream, in -1..1; by integer arithmetic, so equal on every machine. */
static float number(uint64_t stream, uint64_t i)
{
    uint64_t x = (stream + 1) * 0x9E3779B97F4A7C15u + i * 0xD1B54A32D192ED03u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (float)((double)((x ^ x >> 31) >> 40) / 0x1p23 - 1);
}

static peft_tensor *tensor(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims)
{
    peft_tensor *t;
    OK(peft_tensor_create(ctx, type, ndim, dims, &t));
    return t;
}

/* A batch. side, map, classes and soft are set by the caller before data_make. */
typedef struct data {
    int64_t side, map, classes;                 /* pixels of an image's side, and of a map's; map 0: none */
    int soft;                                   /* targets [n,classes] in place of labels [n]; of maps [n,map,map,..] */
    peft_tensor *images, *labels;
    int64_t ids[BATCH];
} data;

/* Rows of labels and logits of a sample. */
static int64_t rows_of(const data *d) { return d->map ? d->map * d->map : 1; }

/* Makes the tensor [n], of maps [n,map,map], with `classes` as one more extent if with_classes is not 0. */
static peft_tensor *rows_tensor(const data *d, peft_context *ctx, peft_dtype type, int64_t n, int with_classes)
{
    int64_t dims[4] = { n };
    int count = 1;
    if (d->map) dims[count++] = d->map, dims[count++] = d->map;
    if (with_classes) dims[count++] = d->classes;
    return tensor(ctx, type, count, dims);
}

/* Fills the batch with samples first .. first + n - 1, modulo SAMPLES. */
static void fill(data *d, int64_t n, int64_t first)
{
    const int64_t image_size = 3 * d->side * d->side;
    float *x = peft_tensor_data(d->images), *y = peft_tensor_data(d->labels);
    int64_t *label = peft_tensor_data(d->labels);
    for (int64_t i = 0; i < n; i++) {
        const int64_t sample = (first + i) % SAMPLES;
        for (int64_t k = 0; k < image_size; k++) x[i * image_size + k] = 2 * number((uint64_t)sample, (uint64_t)k);
        for (int64_t r = 0; r < rows_of(d); r++) {
            const int64_t class = (sample + r / 5) % d->classes, row = i * rows_of(d) + r;
            if (d->soft)        /* one class has 0.75, the next one 0.25 */
                for (int64_t c = 0; c < d->classes; c++)
                    y[row * d->classes + c] = c == class ? 0.75f : c == (class + 1) % d->classes ? 0.25f : 0;
            else label[row] = (sample * 7 + r / 5) % d->classes;
        }
        d->ids[i] = sample;
    }
}

/* Allocates images and labels of n samples. */
static void data_make(data *d, peft_context *ctx, int64_t n)
{
    d->images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ n, 3, d->side, d->side });
    d->labels = rows_tensor(d, ctx, d->soft ? PEFT_F32 : PEFT_I64, n, d->soft);
}

static void data_free(data *d)
{
    peft_tensor_free(d->images);
    peft_tensor_free(d->labels);
}
#endif
