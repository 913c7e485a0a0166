/* SPDX-License-Identifier: Apache-2.0
 * dicom_plan.h -- which pictures share a DICOM segmentation: the frames of a file, or of all files of a series. */
#ifndef PREDICT_DICOM_PLAN_H
#define PREDICT_DICOM_PLAN_H
#include "common/segment/mask_paths.h"
#include "predict/predict.h"
#include <peft/dicom_seg.h>

/* A file with pictures. object: the segmentation that it belongs to. frame: the number that its first frame has in this
 * segmentation. */
typedef struct dicom_source { char *path, *series; int64_t frames, pictures, object, frame; } dicom_source;
/* A segmentation. source [sources]: the numbers of its files. frames, pictures: the sums over these files. */
typedef struct dicom_object { int64_t *source, sources, capacity, frames, pictures; } dicom_object;
typedef struct dicom_plan {
    const loaded_model *model;
    dicom_source *source;
    dicom_object *object;
    int64_t sources, objects;
    int64_t *source_of, *frame_of;                            /* [pictures]: the file, and the frame of the file */
    mask_paths paths;                                         /* of each object */
    const char **name;                                        /* its first picture */
} dicom_plan;

/* Reads the headers of the pictures and divides these by --segmentation-per. Ends the program if frames of a file are
 * not among the pictures, if files of a series do not fit each other, or if a run is to be resumed that has several
 * pictures in a segmentation. */
dicom_plan  make_dicom_plan(const loaded_model *s, const inputs *in);
void        free_dicom_plan(dicom_plan *p);
/* A writer for the files of object o. */
peft_status open_dicom_writer(const dicom_plan *p, int64_t o, peft_dicom_seg_writer **w);
#endif
