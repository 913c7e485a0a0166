/* SPDX-License-Identifier: Apache-2.0
 * pictures.h -- what inspect prints of pictures, and of folders and zips of pictures. */
#ifndef INSPECT_PICTURES_H
#define INSPECT_PICTURES_H
#include <peft/io.h>
#include <stdbool.h>

/* image_options: how pictures are read, as of peft_image_load; NULL: by the defaults. ids: print the patient, study and
 * series of DICOM files too, which tell who was examined. Both return false, and print nothing, where the path is none
 * such; *failed: something could not be read, which was printed. Of a file of several slices the first is read. */
bool inspect_picture(peft_context *ctx, const char *path, const char *image_options, bool ids, bool *failed);
bool inspect_folder(peft_context *ctx, const char *path, const char *image_options, bool *failed);
/* The same of a data set of MedMNIST, a .npz file with the arrays <split>_images and <split>_labels. */
bool inspect_arrays(peft_context *ctx, const char *path);
/* Lowest and highest value of an image, with its slope and intercept. */
void value_range(const peft_image *im, double *low, double *high);
#endif
