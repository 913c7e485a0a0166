/* SPDX-License-Identifier: Apache-2.0
 * report_overlays.c -- draws maps as transparent pictures over the images that they are of (report_maps.h). The picture
 * and the overlay are separate images of the page, so that the pixels of the picture stay as they are. */
#include "report_maps.h"
#include "common/figures/colour_scale.h"
#include "common/program/errors.h"
#include <math.h>
#include <peft/maps.h>
#include <stdlib.h>
#include <string.h>

enum { opacity = 153, scale_steps = 32 };                     /* opacity of an overlay, of 255 */

typedef struct map_range { double low, high, mean; int64_t at; } map_range;   /* at: cell of the largest value */

static map_range range_of(const image_map *m)
{
    map_range r = { .low = INFINITY, .high = -INFINITY };
    for (int64_t k = 0; k < m->rows * m->columns; k++) {
        if (m->value[k] > r.high) r.high = m->value[k], r.at = k;
        r.low = fmin(r.low, m->value[k]);
        r.mean += m->value[k] / (double)(m->rows * m->columns);
    }
    return r;
}

/* Which third of 0 .. size a coordinate lies in, 0 to 2. */
static int third_of(double at, double size) { return (int)fmin(2, fmax(0, floor(3 * at / size))); }

const char *place_of_largest(const image_map *m)
{
    static const char *const names[3][3] = { { "upper left", "upper middle", "upper right" },
                                             { "left", "middle", "right" },
                                             { "lower left", "lower middle", "lower right" } };
    const int64_t at = range_of(m).at;
    const double across = ((double)(at % m->columns) + 0.5) / (double)m->columns;
    const double down = ((double)(at / m->columns) + 0.5) / (double)m->rows;
    const int x = third_of(m->box[0] + across * (m->box[2] - m->box[0]), (double)m->width);
    const int y = third_of(m->box[1] + down * (m->box[3] - m->box[1]), (double)m->height);
    return names[y][x];
}

/* Decimals that show two digits of v, at most six. */
static int decimals_of(double v)
{
    const double size = fabs(v);
    return size > 0 ? (int)fmin(6, fmax(0, 1 - floor(log10(size)))) : 0;
}

/* The cells of the map in the colours of its values, as the data URI of a picture with a pixel for each cell. */
static void put_overlay(FILE *f, const image_map *m, const map_range *r)
{
    const int64_t cells = m->rows * m->columns;
    unsigned char *rgb = check_alloc(malloc((size_t)(3 * cells))), *alpha = check_alloc(malloc((size_t)cells));
    for (int64_t k = 0; k < cells; k++)
        scale_colour(r->high > r->low ? (m->value[k] - r->low) / (r->high - r->low) : 0, rgb + 3 * k);
    memset(alpha, opacity, (size_t)cells);
    put_rgb_uri(f, rgb, alpha, m->columns, m->rows);
    free(rgb);
    free(alpha);
}

/* The colours from the least to the largest value, with both below. */
static void put_scale(FILE *f, const map_range *r)
{
    unsigned char rgb[3 * scale_steps];
    const int decimals = decimals_of(fmax(fabs(r->low), fabs(r->high)));
    for (int k = 0; k < scale_steps; k++) scale_colour((k + 0.5) / scale_steps, rgb + 3 * k);
    fputs("<img class=\"bar\" alt=\"colours from the least to the largest value\" src=\"", f);
    put_rgb_uri(f, rgb, NULL, scale_steps, 1);
    fputs("\"><p class=\"ends\"><span>", f);
    put_data(f, r->low, decimals);
    fputs("</span><span>", f);
    put_data(f, r->high, decimals);
    fputs("</span></p>", f);
}

/* One map: the picture below, the overlay where the network sees it, cut off at the edges of the picture. */
static void put_map(FILE *f, const study *s, const image_map *m, const char *picture_id)
{
    const map_range r = range_of(m);
    const double size = fmax((double)m->width, (double)m->height) / 96;     /* units of the drawing in a pixel */
    const double width = (double)m->width / size, height = (double)m->height / size;
    fprintf(f, "<div><svg class=\"over\" viewBox=\"0 0 %.6g %.6g\" role=\"img\"><title>%s over held-out image %lld",
            width, height, map_title(m->kind), (long long)m->image);
    if (m->class >= 0) fputs(", class ", f), put_escaped(f, s->class_name[m->class]);
    if (r.high > r.low) fprintf(f, ": largest value %.3g at the %s", r.high, place_of_largest(m));
    else fprintf(f, ": %.3g everywhere", r.high);
    fprintf(f, "</title><svg width=\"%.6g\" height=\"%.6g\">", width, height);
    if (picture_id) fprintf(f, "<use href=\"#%s\"/>", picture_id);
    fprintf(f, "<image x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" preserveAspectRatio=\"none\" "
            "class=\"cells\" href=\"", m->box[0] / size, m->box[1] / size, (m->box[2] - m->box[0]) / size,
            (m->box[3] - m->box[1]) / size);
    put_overlay(f, m, &r);
    fprintf(f, "\"/></svg></svg><p>%s", map_title(m->kind));
    if (m->class >= 0) fputs("<br>", f), put_escaped(f, s->class_name[m->class]);
    fputs("</p>", f);
    put_scale(f, &r);
    fputs("</div>\n", f);
}

/* The maps of an image for the page: a row for each. */
static table *summary_of(const study *s, const image_maps *a, int64_t image, const char *title)
{
    table *t = new_table(title, "Map");
    int decimals = 0;
    for (int64_t k = 0; k < a->count; k++)
        if (a->item[k].image == image && a->item[k].value)
            decimals = (int)fmax(decimals, decimals_of(range_of(&a->item[k]).high));
    static const char *const numbers[] = { "Least", "Mean", "Largest" };
    for (int k = 0; k < 3; k++) add_number_column(t, numbers[k], decimals);
    add_number_column(t, "Place of the largest", 0);
    add_number_column(t, "Class", 0);
    for (int64_t k = 0; k < a->count; k++) {
        const image_map *m = &a->item[k];
        if (m->image != image || !m->value) continue;
        const map_range r = range_of(m);
        add_row(t, map_title(m->kind));
        add_number(t, r.low);
        add_number(t, r.mean);
        add_number(t, r.high);
        if (r.high > r.low) add_text(t, place_of_largest(m));
        else add_number(t, NAN);
        if (m->class >= 0) add_text(t, s->class_name[m->class]);
        else add_number(t, NAN);
    }
    return t;
}

/* The same for CSV files: a row for each row of cells, with all values. */
static table *cells_of(const image_maps *a, int64_t image, const char *title)
{
    table *t = new_table(title, "Map");
    char text[32];
    int64_t columns = 0;
    for (int64_t k = 0; k < a->count; k++)
        if (a->item[k].image == image && a->item[k].columns > columns) columns = a->item[k].columns;
    add_number_column(t, "Row", 0);
    for (int64_t x = 0; x < columns; x++) {
        snprintf(text, sizeof text, "Column %lld", (long long)x + 1);
        add_number_column(t, text, 6);
    }
    for (int64_t k = 0; k < a->count; k++) {
        const image_map *m = &a->item[k];
        for (int64_t y = 0; m->value && m->image == image && y < m->rows; y++) {
            add_row(t, map_title(m->kind));
            add_number(t, (double)y + 1);
            for (int64_t x = 0; x < columns; x++) add_number(t, x < m->columns ? m->value[y * m->columns + x] : NAN);
        }
    }
    return t;
}

void put_image_maps(page *p, const study *s, int64_t image, const image_maps *a, const char *picture_id)
{
    char *title;
    if (asprintf(&title, "Maps over held-out image %lld", (long long)image) < 0) fail("out of memory");
    open_figure(p, NULL);
    fprintf(p->f, "<figcaption class=\"hidden\">%s</figcaption>\n<div class=\"maps\">\n", title);
    for (int64_t k = 0; k < a->count; k++)
        if (a->item[k].image == image && a->item[k].value) put_map(p->f, s, &a->item[k], picture_id);
    fputs("</div>\n", p->f);
    for (int64_t k = 0; k < a->count; k++) {
        if (a->item[k].image != image || a->item[k].value) continue;
        fprintf(p->f, "<p class=\"small\">%s: none: ", map_title(a->item[k].kind));
        put_escaped(p->f, a->item[k].note);
        fputs("</p>\n", p->f);
    }
    close_figure(p, summary_of(s, a, image, title), cells_of(a, image, title));
    free(title);
}

/* Does the record have a map of this kind of any image? */
static bool has_kind(const image_maps *a, const char *kind)
{
    for (int64_t k = 0; k < a->count; k++)
        if (a->item[k].value && !strcmp(a->item[k].kind, kind)) return true;
    return false;
}

void put_map_notes(page *p, const study *s, const method *m, const image_maps *a)
{
    FILE *f = p->f;
    if (!study_property(s, "maps")) return;
    if (!a->count) {
        fputs("<p class=\"small\">There are no maps over the images: compare records them for the first run of each "
              "method on the first draw, and this run is another one, or was made without maps.</p>\n", f);
        return;
    }
    bool any = false;
    for (size_t k = 0; peft_maps_kind_name(k); k++) any |= has_kind(a, peft_maps_kind_name(k));
    if (any)
        fputs("<p class=\"small\">Maps lie over the image at 60 % opacity, a square for each cell, where the network "
              "sees the image. Each has its own scale, whose ends are printed below it. A map tells how the model "
              "computes, and not whether it is right.</p>\n<ul class=\"small\">\n", f);
    for (size_t k = 0; peft_maps_kind_name(k); k++)
        if (has_kind(a, peft_maps_kind_name(k)))
            fprintf(f, "<li>%s: %s</li>\n", map_title(peft_maps_kind_name(k)), peft_maps_kind_summary(k));
    if (any) fputs("</ul>\n", f);
    for (int64_t k = 0; k < a->count; k++) {
        if (a->item[k].image >= 0 || a->item[k].value) continue;
        fprintf(f, "<p class=\"small\">%s: ", map_title(a->item[k].kind));
        put_escaped(f, m->label);
        fputs(" has none: ", f);
        put_escaped(f, a->item[k].note);
        fputs("</p>\n", f);
    }
}
