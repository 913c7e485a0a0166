/* SPDX-License-Identifier: Apache-2.0
 * report_mass.c -- shows the share of attention that the prompts of a method such as ept take: by block, and as maps
 * over single held-out images. */
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { picture_side = 112, levels = 12 };                     /* levels of opacity in a map */

/* The first finished run whose network has sinks; NULL: none. */
static const run *run_with_maps(const study *s, const method *m)
{
    for (int64_t i = 0; i < s->runs; i++)
        if (m->run[i].done && m->run[i].analysis.masses) return &m->run[i];
    return NULL;
}

/* Rows and columns of patches. */
typedef struct grid { int64_t rows, columns; } grid;
/* Those of square patches that fill the images of the transform; 0: the patches do not. */
static grid grid_of(const analysis *a)
{
    const int64_t patches = a->tokens - a->prefix;
    peft_context *ctx = make_context();
    peft_transform *t;
    must(peft_transform_parse(ctx, a->transform, &t));
    const int64_t height = peft_transform_height(t), width = peft_transform_width(t);
    peft_transform_free(t);
    peft_context_free(ctx);
    int64_t rows = 1;
    while (rows < patches && rows * rows * width < patches * height) rows++;
    const bool fills = rows * rows * width == patches * height && patches % rows == 0;
    return fills ? (grid){ rows, patches / rows } : (grid){ 0, 0 };
}

/* Map i without the tokens before the patches. */
static const double *patches_of(const analysis *a, int64_t i) { return a->mass + i * a->tokens + a->prefix; }

/* The share of the class token, or the mean share of the patches, in map i. */
typedef enum part { PATCHES, CLASS_TOKEN } part;
static double share_of(const analysis *a, int64_t i, part of)
{
    double sum = 0;
    if (of == CLASS_TOKEN) return a->mass[i * a->tokens];
    for (int64_t k = 0; k < a->tokens - a->prefix; k++) sum += patches_of(a, i)[k];
    return sum / (double)(a->tokens - a->prefix);
}

/* Writes a panel with a row for each block that has sinks: shares of all runs, in percent. first: a run with maps. */
static void put_shares(page *p, const study *s, const method *m, const run *first, const char *title, part of)
{
    int64_t blocks = 0;
    for (int64_t i = 0; i < first->analysis.masses; i++) blocks += first->analysis.mass_image[i] == MEAN_IMAGE;
    char (*name)[32] = check_alloc(calloc((size_t)blocks, sizeof *name));
    const char **labels = check_alloc(calloc((size_t)blocks, sizeof *labels));
    double *points = check_alloc(calloc((size_t)(blocks * s->runs), sizeof *points));
    for (int64_t b = 0; b < blocks; b++) {
        snprintf(name[b], sizeof *name, "block %lld", (long long)first->analysis.mass_block[b] + 1);
        labels[b] = name[b];
        for (int64_t k = 0; k < s->runs; k++) {
            const analysis *a = &m->run[k].analysis;          /* mean maps come first */
            points[b * s->runs + k] = a->masses > b && a->mass_image[b] == MEAN_IMAGE
                                          ? 100 * share_of(a, b, of) : NAN;
        }
    }
    const chart_panel panel = { .title = title, .rows = "block", .points = points, .decimals = 1, .bars = true };
    put_chart_figure(p, s, &panel, "Block", labels, blocks);
    free(name);
    free(labels);
    free(points);
}

/* The network's input for image i as a grey picture, so that the colour of maps is visible on it: the mean of the
 * channels, each stretched from its least to its largest value. */
static peft_image *picture_of(const run *r, peft_dataset *images, int64_t i)
{
    peft_context *ctx;
    peft_transform *t;
    peft_image *im, *picture;
    ctx = make_context();
    must(peft_transform_parse(ctx, r->analysis.transform, &t));
    const int64_t width = peft_transform_width(t), height = peft_transform_height(t), count = width * height;
    const int64_t rows_dense = 0, channels = 1, bits = 8;
    float *x = check_alloc(malloc((size_t)(3 * count) * sizeof *x));
    unsigned char *pixels = check_alloc(malloc((size_t)count));
    double low[3] = { INFINITY, INFINITY, INFINITY }, high[3] = { -INFINITY, -INFINITY, -INFINITY };
    must(peft_dataset_load(images, i, &im));
    must(peft_transform_apply(t, im, x));
    for (int64_t k = 0; k < 3 * count; k++) {
        low[k / count] = fmin(low[k / count], (double)x[k]);
        high[k / count] = fmax(high[k / count], (double)x[k]);
    }
    for (int64_t k = 0; k < count; k++) {
        double grey = 0;
        for (int c = 0; c < 3; c++)
            if (high[c] > low[c]) grey += ((double)x[c * count + k] - low[c]) / (high[c] - low[c]) / 3;
        pixels[k] = (unsigned char)lround(255 * grey);
    }
    must(peft_image_from_buffer(ctx, pixels, width, height, channels, bits, rows_dense, &picture));
    peft_image_free(im);
    peft_transform_free(t);
    peft_context_free(ctx);
    free(x);
    free(pixels);
    return picture;
}

/* The level of a share, 0 to levels. */
static int level_of(double v, double largest) { return largest > 0 ? (int)lround(levels * v / largest) : 0; }

/* Writes map v [rows, columns] as squares of one colour, the more opaque the larger the value: a path for each level of
 * opacity, in which neighbours of a row form one rectangle. */
static void put_squares(FILE *f, const double *v, grid g, double largest)
{
    const double most = 0.85;                                 /* opacity */
    for (int level = 1; level <= levels; level++) {
        bool open = false;
        for (int64_t y = 0; y < g.rows; y++)
            for (int64_t x = 0; x < g.columns; x++) {
                int64_t n = 0;                                /* patches from x on of this level */
                while (x + n < g.columns && level_of(v[y * g.columns + x + n], largest) == level) n++;
                if (!n) continue;
                if (!open) fprintf(f, "<path fill=\"#d55e00\" fill-opacity=\"%.2f\" d=\"", most * level / levels);
                open = true;
                fprintf(f, "M%lld %lldh%lldv1h-%lldz", (long long)x, (long long)y, (long long)n, (long long)n);
                x += n - 1;
            }
        if (open) fputs("\"/>", f);
    }
}

/* The maps of one image for the page, a row for each block: share of the class token, and of the patches. */
static table *map_summary(const analysis *a, int64_t image, const char *title)
{
    table *t = new_table(title, "Block");
    add_number_column(t, "Class token, %", 1);
    add_number_column(t, "Mean over patches, %", 1);
    add_number_column(t, "Largest of a patch, %", 1);
    for (int64_t i = 0; i < a->masses; i++) {
        char block[32];
        double largest = 0;
        if (a->mass_image[i] != image) continue;
        for (int64_t k = 0; k < a->tokens - a->prefix; k++) largest = fmax(largest, patches_of(a, i)[k]);
        snprintf(block, sizeof block, "%lld", (long long)a->mass_block[i] + 1);
        add_row(t, block);
        add_number(t, 100 * share_of(a, i, CLASS_TOKEN));
        add_number(t, 100 * share_of(a, i, PATCHES));
        add_number(t, 100 * largest);
    }
    return t;
}

/* The same for CSV files: a row for each row of patches of each block, with the share of each patch in percent. */
static table *map_patches(const analysis *a, int64_t image, const char *title)
{
    const grid g = grid_of(a);
    table *t = new_table(title, "Block");
    char text[32];
    add_number_column(t, "Row", 0);
    for (int64_t x = 0; x < g.columns; x++) {
        snprintf(text, sizeof text, "Column %lld", (long long)x + 1);
        add_number_column(t, text, 1);
    }
    for (int64_t i = 0; i < a->masses; i++) {
        if (a->mass_image[i] != image) continue;
        snprintf(text, sizeof text, "%lld", (long long)a->mass_block[i] + 1);
        for (int64_t y = 0; y < g.rows; y++) {
            add_row(t, text);
            add_number(t, (double)y + 1);
            for (int64_t x = 0; x < g.columns; x++)
                add_number(t, 1e-4 * round(1e6 * patches_of(a, i)[y * g.columns + x]));
        }
    }
    return t;
}

/* Writes the maps of one image (MEAN_IMAGE: of the mean) as a figure, a map for each block, over the picture if there
 * is one. id: of the picture in the page. */
static void put_image_maps(page *p, const study *s, const run *r, int64_t image, peft_dataset *images, double largest,
                           const char *id)
{
    FILE *f = p->f;
    const analysis *a = &r->analysis;
    const grid g = grid_of(a);
    const bool with_picture = image != MEAN_IMAGE && images;
    const char *slash = image != MEAN_IMAGE ? strrchr(r->name[image], '/') : NULL;
    peft_image *picture = with_picture ? picture_of(r, images, image) : NULL;
    char *title;
    if (asprintf(&title, image == MEAN_IMAGE ? "Mean over all held-out images" : "Held-out image %s, true class %s",
                 image == MEAN_IMAGE ? "" : slash ? slash + 1 : r->name[image],
                 image == MEAN_IMAGE ? "" : s->class_name[r->label[image]]) < 0) fail("out of memory");
    open_figure(p, NULL);
    put_caption(p, title, NULL);
    fputs("<div class=\"maps\">\n", f);
    if (picture) {
        fprintf(f, "<div><svg viewBox=\"0 0 %lld %lld\" role=\"img\"><title>the image</title><image id=\"%s\" "
                "width=\"%lld\" height=\"%lld\" href=\"", (long long)g.columns, (long long)g.rows, id,
                (long long)g.columns, (long long)g.rows);
        put_image_uri(f, picture, picture_side);
        fputs("\"/></svg><p>image</p></div>\n", f);
    }
    for (int64_t i = 0; i < a->masses; i++) {
        if (a->mass_image[i] != image) continue;
        const long long block = (long long)a->mass_block[i] + 1;
        fprintf(f, "<div><svg viewBox=\"0 0 %lld %lld\" role=\"img\"><title>attention taken in block %lld</title>",
                (long long)g.columns, (long long)g.rows, block);
        if (picture) fprintf(f, "<use href=\"#%s\"/>", id);
        put_squares(f, patches_of(a, i), g, largest);
        fprintf(f, "</svg><p>block %lld<br>%.0f&nbsp;%%</p></div>\n", block, 100 * share_of(a, i, PATCHES));
    }
    fputs("</div>\n", f);
    close_figure(p, map_summary(a, image, title), map_patches(a, image, title));
    free(title);
    peft_image_free(picture);
}

static double largest_share(const analysis *a)
{
    double largest = 0;
    for (int64_t i = 0; i < a->masses; i++)
        for (int64_t k = 0; k < a->tokens - a->prefix; k++) largest = fmax(largest, patches_of(a, i)[k]);
    return largest;
}

static void put_maps(page *p, const study *s, int64_t m, const run *r)
{
    const analysis *a = &r->analysis;
    const double largest = largest_share(a);
    peft_dataset *images = open_images(s, r);
    char id[64];
    fprintf(p->f, "<p class=\"small scale\">0 %%<i></i>%.0f %%</p>\n", 100 * largest);
    for (int64_t i = 0; i < a->masses; i++) {
        if (i && a->mass_image[i] == a->mass_image[i - 1]) continue;     /* rows of an image are consecutive */
        /* method, its place and the image are unique on the page unless a folder is given twice */
        snprintf(id, sizeof id, "input-%.16s-%lld-%lld", s->method[m].key, (long long)m, (long long)a->mass_image[i]);
        put_image_maps(p, s, r, a->mass_image[i], images, largest, id);
    }
    peft_dataset_free(images);
}

void put_masses(page *p, const study *s)
{
    FILE *f = p->f;
    bool heading = false;
    for (int64_t m = 0; m < s->methods; m++) {
        const run *r = run_with_maps(s, &s->method[m]);
        if (!r || !grid_of(&r->analysis).rows) continue;
        if (!heading)
            fputs("<p class=\"small\">Prompts of this method take part in the "
                  "softmax of attention and carry no value: they scale the output of each token by 1 minus the share "
                  "of attention that they take (patch-wise scaling). Shares are means over the heads; in the charts "
                  "also over patches and held-out images, with a bar for the mean over runs. Before tuning there are "
                  "no prompts, and the share is 0.</p>\n", f);
        heading = true;
        fputs("<h4>", f);
        put_escaped(f, s->method[m].label);
        fputs("</h4>\n<div class=\"grid wide\">\n", f);
        put_shares(p, s, &s->method[m], r, "Share taken from patches (%)", PATCHES);
        put_shares(p, s, &s->method[m], r, "Share taken from the class token (%)", CLASS_TOKEN);
        fprintf(f, "</div>\n<p class=\"small\">Maps of draw %lld, run %lld: the stronger the colour, the larger the "
                "share taken from this patch. Below each map: its block and the mean over patches.</p>\n",
                (long long)r->draw, (long long)r->number);
        put_maps(p, s, m, r);
    }
}
