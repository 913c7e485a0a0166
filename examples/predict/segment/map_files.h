/* SPDX-License-Identifier: Apache-2.0
 * map_files.h -- what predict writes for segmented pictures: masks, overlays, and DICOM segmentations. */
#ifndef PREDICT_MAP_FILES_H
#define PREDICT_MAP_FILES_H
#include "predict/predict.h"

/* A segmented picture. several false: label [height, width] is the class of each pixel; of the only class of a model 1
 * where it is. Else label [height, width, classes] is 1 for each label that a pixel has. */
typedef struct pixel_labels {
    int64_t width, height, classes;
    bool several;
    uint8_t *label;
} pixel_labels;

typedef struct map_files map_files;
/* Finds the paths of all files, and makes their folders; ends the program if a file exists and is not to be
 * replaced. */
map_files  *prepare_map_files(const loaded_model *s, const inputs *in);
void        free_map_files(map_files *f);                     /* NULL: does nothing */
/* Writes the files of picture i. A segmentation of several pictures is written with the last of them; if one of them
 * failed, an error is printed in its place. */
peft_status write_map_files(map_files *f, int64_t i, const peft_image *im, const pixel_labels *m);
/* To be called if picture i could not be segmented. */
void        miss_map_files(map_files *f, int64_t i);
#endif
