/* SPDX-License-Identifier: Apache-2.0
 * report_maps.h -- maps over held-out images (compare --maps): reads the record of a run (records.h) and draws maps
 * over the images that report_cases.c shows. */
#ifndef REPORT_MAPS_H
#define REPORT_MAPS_H
#include "report/report_parts.h"

/* A map [rows, columns] of an image of width x height pixels, of which the network sees box (peft_transform_box). */
typedef struct image_map {
    const char *kind, *note;                                  /* note: why there is no map (value NULL) */
    int64_t image, class;                                     /* -1: of no image (with a note); of no class */
    int64_t width, height, rows, columns;
    double box[4], *value;
} image_map;
typedef struct image_maps { image_map *item; int64_t count; char *text; } image_maps;

/* report_maps.c: the record of run r of method m; without one no maps. */
image_maps read_maps(const study *s, const method *m, const run *r);
void       free_maps(image_maps *a);
const char *map_title(const char *kind);                      /* "Grad-CAM" */
bool       has_map_of(const image_maps *a, int64_t image);

/* report_overlays.c */
/* What maps are, which kinds the page shows and which the run has none of; nothing for a study without maps. */
void put_map_notes(page *p, const study *s, const method *m, const image_maps *a);
/* The maps of one image as a figure, each over the picture. picture_id: of an <image> on the page, as wide and high as
 * the image; NULL: there is none. */
void put_image_maps(page *p, const study *s, int64_t image, const image_maps *a, const char *picture_id);
/* Where the largest value of the map lies in the image: "upper left". */
const char *place_of_largest(const image_map *m);
#endif
