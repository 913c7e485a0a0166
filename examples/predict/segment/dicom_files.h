/* SPDX-License-Identifier: Apache-2.0
 * dicom_files.h -- DICOM segmentations of pictures: one for each file, with all of its frames, or for each series. */
#ifndef PREDICT_DICOM_FILES_H
#define PREDICT_DICOM_FILES_H
#include "common/segment/mask_paths.h"
#include "map_files.h"

typedef struct dicom_files dicom_files;
/* Divides the pictures into segmentations (dicom_plan.h). Pictures that do not fit end the program. */
dicom_files       *plan_dicom_files(const loaded_model *s, const inputs *in);
void               free_dicom_files(dicom_files *f);          /* NULL: does nothing */
const mask_paths  *dicom_paths(const dicom_files *f);         /* of the segmentations; NULL for NULL */
const char *const *dicom_names(const dicom_files *f);         /* the first picture of each; NULL for NULL */
/* Adds the map of picture i, and writes the segmentation if it is the last of its pictures. */
peft_status        add_to_dicom(dicom_files *f, int64_t i, const pixel_labels *m);
/* Picture i has no map. */
void               miss_in_dicom(dicom_files *f, int64_t i);
#endif
