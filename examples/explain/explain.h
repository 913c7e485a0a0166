/* SPDX-License-Identifier: Apache-2.0
 * explain.h -- parts of program explain: what the command line asks for, the maps of the kinds, and the files. */
#ifndef EXPLAIN_H
#define EXPLAIN_H
#include "common/inputs/inputs.h"
#include "common/maps/map_list.h"
#include "common/model/loaded_model.h"
#include <stdbool.h>
#include <stdint.h>

enum { PREDICTED_CLASS = -1 };

/* --- kinds.c --- */
/* The kinds of maps that are computed for each picture. */
typedef struct map_kind {
    const char *name;
    bool of_class;
    peft_maps *maps;
    int64_t h, w;
    float *value;                                             /* [h,w], of the present picture */
} map_kind;
typedef struct map_kinds { map_kind item[MOST_KINDS]; int count; int64_t class; } map_kinds;
/* list: names between commas. map_options: name=value,.. for the kinds that have them; NULL: none. class: the name of a
 * class; NULL: the predicted one. Errors end the program. */
map_kinds open_kinds(const loaded_model *s, const char *list, const char *map_options, const char *class,
                     int64_t batch);
void      free_kinds(map_kinds *k);
/* Computes one map of the input [3,h,w]; *class: the class that it is of, -1: none. */
peft_status compute_map(const loaded_model *s, const map_kinds *all, int kind, float *input, int64_t *class);

/* --- drawing.c --- */
/* A map over a picture of width x height pixels. box: what the network sees of it (peft_transform_box). */
typedef struct drawing {
    int64_t width, height, h, w;
    double box[4];
    const float *value;                                       /* [h,w] */
    double low, high;                                         /* the values of the first and last colour */
    bool cells;                                               /* each cell in one colour; false: interpolated */
} drawing;
drawing make_drawing(const map_kind *k, const peft_image *im, const double box[4], bool cells);
/* rgb [height,width,3]: the colours; alpha [height,width]: `opacity` 0..255 where the network sees the picture, else
 * 0. */
void draw_map(const drawing *d, unsigned char opacity, unsigned char *rgb, unsigned char *alpha);

/* --- files.c --- */
typedef struct map_files {
    const char *folder;
    bool csv, blend, cells;
    double opacity;
    struct map_index *index;                                  /* of the files that were written */
} map_files;
/* Makes the folder, which must be new or empty unless `replace`. */
map_files open_files(const char *folder, bool csv, bool blend, bool cells, double opacity, bool replace);
/* Writes the files of one map of picture `number`, called `name`. class: its name; NULL: the map is of no class. */
peft_status write_map(map_files *f, peft_context *ctx, const map_kind *k, int64_t number, const char *name,
                      const char *class, const peft_image *im, const double box[4]);
void        close_files(map_files *f, peft_context *ctx);      /* writes index.csv and scale.png */
#endif
