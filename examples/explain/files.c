/* SPDX-License-Identifier: Apache-2.0
 * files.c -- the files of explain: an overlay and the values of each map, and index.csv, which lists them. */
#include "explain.h"
#include "common/figures/colour_scale.h"
#include "common/figures/picture.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEM_SIZE = 64, PATH_SIZE = 4096 };

/* index.csv, which is collected while maps are written. */
typedef struct map_index { atomic_file file; } map_index;

map_files open_files(const char *folder, bool csv, bool blend, bool cells, double opacity, bool replace)
{
    map_files f = { .folder = folder, .csv = csv, .blend = blend, .cells = cells, .opacity = opacity };
    char path[PATH_SIZE];
    if (strlen(folder) + 2 * STEM_SIZE > sizeof path) fail("--out %s: the path is too long", folder);
    if (mkdir(folder, 0777) && errno != EEXIST) fail("--out %s: %s", folder, strerror(errno));
    DIR *d = opendir(folder);
    if (!d) fail("--out %s: %s; give a folder", folder, strerror(errno));
    for (struct dirent *e; !replace && (e = readdir(d)); )
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            fail("--out %s: the folder is not empty; give a new or empty folder, or --force to replace files of the "
                 "same names", folder);
    closedir(d);
    snprintf(path, sizeof path, "%s/index.csv", folder);
    f.index = check_alloc(malloc(sizeof *f.index));
    open_atomic(&f.index->file, path);
    fputs("number,picture,kind,class,lowest,highest,rows,columns,left,top,right,bottom,overlay,values\n",
          f.index->file.file);
    return f;
}

/* The last part of a picture's name without its ending, of letters that every system takes in file names. */
static void stem_of(const char *name, char stem[STEM_SIZE])
{
    const char *slash = strrchr(name, '/'), *from = slash ? slash + 1 : name;
    size_t n = 0;
    for (; from[n] && n < STEM_SIZE - 16; n++) {
        const char c = from[n];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        stem[n] = plain ? c : '_';
    }
    stem[n] = 0;
}

/* The text of a .npy file (format 1.0, NEP 1) of floats [h,w]. */
static peft_status write_npy(const map_kind *k, const char *path)
{
    enum { HEADER = 128, PREFIX = 10 };
    const size_t bytes = (size_t)(k->h * k->w) * sizeof(float);
    char *text = check_alloc(malloc(HEADER + bytes));
    memset(text, ' ', HEADER);
    memcpy(text, "\x93NUMPY\1\0", 8);
    text[8] = HEADER - PREFIX;
    text[9] = 0;
    const int one = 1;
    const char order = *(const char *)&one ? '<' : '>';
    const int n = snprintf(text + PREFIX, HEADER - PREFIX,
                           "{'descr': '%cf4', 'fortran_order': False, 'shape': (%lld, %lld), }", order,
                           (long long)k->h, (long long)k->w);
    text[PREFIX + n] = ' ';
    text[HEADER - 1] = '\n';
    memcpy(text + HEADER, k->value, bytes);
    const peft_status s = peft_write_file(path, text, HEADER + bytes);
    free(text);
    return s;
}

static peft_status write_csv(const map_kind *k, const char *path)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t i = 0; i < k->h * k->w; i++)
        fprintf(f, "%.9g%c", (double)k->value[i], (i + 1) % k->w ? ',' : '\n');
    if (fclose(f)) fail("out of memory");
    const peft_status s = peft_write_file(path, text, size);
    free(text);
    return s;
}

static peft_status save_rgb(peft_context *ctx, int64_t width, int64_t height, const unsigned char *rgb,
                            const unsigned char *alpha, const char *path)
{
    const int channels = 3, bits = 8, rows_without_gaps = 0;
    peft_image *im;
    must(peft_image_from_buffer(ctx, rgb, width, height, channels, bits, rows_without_gaps, &im));
    const peft_status s = alpha ? peft_image_save_png_alpha(im, alpha, path) : peft_image_save_png(im, path);
    peft_image_free(im);
    return s;
}

/* The picture with the map over it. rgb: colours of the map; changed. */
static peft_status save_blend(peft_context *ctx, const drawing *d, const peft_image *im, unsigned char *rgb,
                              const unsigned char *alpha, const char *path)
{
    const int64_t samples = 3 * d->width * d->height;
    unsigned char *under = check_alloc(malloc((size_t)samples));
    draw_picture(im, under);
    for (int64_t i = 0; i < samples; i++)
        rgb[i] = (unsigned char)lround((rgb[i] * alpha[i / 3] + under[i] * (255 - alpha[i / 3])) / 255.0);
    free(under);
    return save_rgb(ctx, d->width, d->height, rgb, NULL, path);
}

static void add_to_index(map_files *f, const drawing *d, const char *kind, int64_t number, const char *name,
                         const char *class, const char *overlay, const char *values)
{
    FILE *to = f->index->file.file;
    fprintf(to, "%lld,", (long long)number);
    put_csv_field(to, name);
    fprintf(to, ",%s,", kind);
    if (class) put_csv_field(to, class);
    fprintf(to, ",%.9g,%.9g,%lld,%lld", d->low, d->high, (long long)d->h, (long long)d->w);
    for (int i = 0; i < 4; i++) fprintf(to, ",%.6g", d->box[i]);
    fprintf(to, ",%s,%s\n", overlay, values);
}

peft_status write_map(map_files *f, peft_context *ctx, const map_kind *k, int64_t number, const char *name,
                      const char *class, const peft_image *im, const double box[4])
{
    char stem[STEM_SIZE], overlay[2 * STEM_SIZE], values[2 * STEM_SIZE], path[PATH_SIZE];
    const drawing d = make_drawing(k, im, box, f->cells);
    const size_t pixels = (size_t)(d.width * d.height);
    unsigned char *rgb = check_alloc(malloc(3 * pixels)), *alpha = check_alloc(malloc(pixels));
    stem_of(name, stem);
    snprintf(overlay, sizeof overlay, "%04lld-%s.%s.png", (long long)number, stem, k->name);
    snprintf(values, sizeof values, "%04lld-%s.%s.%s", (long long)number, stem, k->name, f->csv ? "csv" : "npy");
    draw_map(&d, (unsigned char)lround(255 * f->opacity), rgb, alpha);
    snprintf(path, sizeof path, "%s/%s", f->folder, overlay);
    peft_status s = save_rgb(ctx, d.width, d.height, rgb, alpha, path);
    snprintf(path, sizeof path, "%s/%s", f->folder, values);
    if (!s) s = f->csv ? write_csv(k, path) : write_npy(k, path);
    snprintf(path, sizeof path, "%s/%04lld-%s.%s.blend.png", f->folder, (long long)number, stem, k->name);
    if (!s && f->blend) s = save_blend(ctx, &d, im, rgb, alpha, path);
    if (!s) add_to_index(f, &d, k->name, number, name, class, overlay, values);
    free(rgb);
    free(alpha);
    return s;
}

void close_files(map_files *f, peft_context *ctx)
{
    enum { WIDTH = 256, HEIGHT = 16 };
    static unsigned char rgb[HEIGHT * WIDTH * 3];
    char path[PATH_SIZE];
    for (int i = 0; i < HEIGHT * WIDTH; i++) scale_colour(i % WIDTH / (double)(WIDTH - 1), rgb + 3 * i);
    snprintf(path, sizeof path, "%s/scale.png", f->folder);
    must(save_rgb(ctx, WIDTH, HEIGHT, rgb, NULL, path));
    close_atomic(&f->index->file);
    free(f->index);
}
