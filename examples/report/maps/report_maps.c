/* SPDX-License-Identifier: Apache-2.0
 * report_maps.c -- reads the record of maps of a run (report_maps.h). */
#include "report_maps.h"
#include "common/files/csv.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a row, as records.h lists them. */
enum { f_kind, f_image, f_class, f_width, f_height, f_box, f_rows = f_box + 4, f_columns, f_values, f_note,
       map_fields };
enum { most_cells = 1000, most_pixels = 1 << 30 };

/* A number that is finite. */
static double finite_number(const char *text, const char *path)
{
    const double v = number_or_nan(text, path);
    if (!isfinite(v)) fail_malformed(path);
    return v;
}

/* The numbers in a text with blanks between them, of which there must be `count`; to be freed. */
static double *numbers_of(char *text, int64_t count, const char *path)
{
    double *v = check_alloc(malloc((size_t)count * sizeof *v));
    for (int64_t k = 0; k < count; k++) {
        char *blank = strchr(text, ' ');
        if (!blank != (k + 1 == count)) fail_malformed(path);
        if (blank) *blank = 0;
        v[k] = finite_number(text, path);
        text = blank ? blank + 1 : text;
    }
    return v;
}

static image_map map_of_row(const study *s, const run *r, char **field, const char *path)
{
    image_map m = { .kind = field[f_kind], .note = field[f_note], .image = -1, .class = -1 };
    if (*field[f_image]) m.image = whole_number(field[f_image], r->images, path);
    if (*field[f_note]) return m;
    if (*field[f_class]) m.class = whole_number(field[f_class], s->classes, path);
    m.width = whole_number(field[f_width], most_pixels, path);
    m.height = whole_number(field[f_height], most_pixels, path);
    for (int k = 0; k < 4; k++) m.box[k] = finite_number(field[f_box + k], path);
    m.rows = whole_number(field[f_rows], most_cells, path);
    m.columns = whole_number(field[f_columns], most_cells, path);
    if (m.image < 0 || !m.width || !m.height || !m.rows || !m.columns || !(m.box[2] > m.box[0]) ||
        !(m.box[3] > m.box[1])) fail_malformed(path);
    m.value = numbers_of(field[f_values], m.rows * m.columns, path);
    return m;
}

image_maps read_maps(const study *s, const method *m, const run *r)
{
    image_maps a = { .count = 0 };
    char *path = path_of_record(s, m, r, "maps"), *field[map_fields];
    char *text = a.text = read_text_file(path, NULL);
    for (bool heading = true; text && *text; heading = false) {
        if (read_csv_row(&text, field, map_fields) != map_fields) fail_malformed(path);
        if (heading) continue;
        a.item = grow_by_one(a.item, a.count, sizeof *a.item);
        a.item[a.count++] = map_of_row(s, r, field, path);
    }
    free(path);
    return a;
}

void free_maps(image_maps *a)
{
    for (int64_t k = 0; k < a->count; k++) free(a->item[k].value);
    free(a->item);
    free(a->text);
}

bool has_map_of(const image_maps *a, int64_t image)
{
    for (int64_t k = 0; k < a->count; k++)
        if (a->item[k].value && a->item[k].image == image) return true;
    return false;
}

const char *map_title(const char *kind)
{
    static const char *const titles[][2] = { { "rollout", "Roll-out" }, { "ept", "Attention on prompts" },
                                             { "cam", "Grad-CAM" }, { "occlusion", "Occlusion" } };
    for (size_t k = 0; k < sizeof titles / sizeof *titles; k++)
        if (!strcmp(kind, titles[k][0])) return titles[k][1];
    return kind;
}
