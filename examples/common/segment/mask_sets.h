/* SPDX-License-Identifier: Apache-2.0
 * mask_sets.h -- data sets whose labels are masks: the flags that name the masks, and the classes that a model of the
 * data set has, which are those of the masks where there are any. */
#ifndef MASK_SETS_H
#define MASK_SETS_H
#include "figures/spacing.h"
#include <peft/io.h>
#include <stdbool.h>

#define MASK_FLAGS(X) \
    X(masks, "DIR", NULL, "train to segment: the folder with a label mask of each image, under the path and name of " \
      "the image (docs/segmentation.md)") \
    X(mask_options, "LIST", NULL, "train to segment: how masks are read, classes=background:lesion,kind=binary, ... " \
      "(docs/segmentation.md); without --masks they lie beside their images, as with suffix=_mask") \
    X(test_masks, "DIR", NULL, "with --masks and --test: the masks of the test images; without it they lie in " \
      "--masks") \
    X(all_slices, NULL, NULL, "with --masks: every slice of a file of several images, such as a volume, is an image; " \
      "--shots, --test-per-class and divisions count files, whose slices stay together")
/* That of a program that computes distances of masks. */
#define SPACING_FLAG(X) \
    X(spacing, "R:C[:S]", NULL, "with --masks: distances of rows and of columns in mm, for pictures whose files " \
      "state none, as ROW:COLUMN, or ROW:COLUMN:SLICE with that of slices, for volumes whose files state none")
/* Those of a program that prints figures of test images. */
#define MASK_FIGURE_FLAGS(X) \
    SPACING_FLAG(X) \
    X(case_figures, "FILE", NULL, "with --masks: write a CSV file with a row for each test case and class: pixels, " \
      "Dice, IoU, precision, recall and distances")

#define BESIDE_IMAGES ""                                      /* as the path of masks: the folders of the images */
/* The path of masks by the flags of this name: --masks, else BESIDE_IMAGES if there are options; NULL: no masks. */
const char *path_of_masks(const char *masks, const char *mask_options);
/* Adds the masks at path to d, which it takes; an error ends the program. flag: the option that gave the path. */
peft_dataset *add_masks(peft_dataset *d, const char *flag, const char *path, const char *options);
/* The classes of the masks, or without masks of the images. */
int64_t     label_classes(const peft_dataset *d);
bool        has_several_labels(const peft_dataset *d);       /* each by itself, of a pixel or an image */
const char *label_class_name(const peft_dataset *d, int64_t c);
/* Ends the program if d has masks that this loss (NULL: none is given) is not for. */
void check_loss_of_masks(const char *loss, const peft_dataset *d);
/* mask_pixels.c: for each class [label_classes] the pixels of all masks of a data set that are of it, and the judged
 * ones that are not; NULL: not counted yet. */
typedef struct mask_pixels { int64_t *of, *not_of; } mask_pixels;
/* Counts the pixels of d's masks, unless n has them already, so that they are counted once. An error ends the
 * program. */
void count_mask_pixels(const peft_dataset *d, mask_pixels *n);
void free_mask_pixels(mask_pixels *n);
/* Ends the program if a mask cannot be read or has another size than its image; warns of classes that no mask of the
 * first set has, and of volumes that are judged by slices (spacing: of the flag). NULL entries are left out. first:
 * gets the pixels of the first set; NULL: they are not kept. */
void check_masks(const peft_dataset *const *sets, int count, pixel_spacing spacing, mask_pixels *first);
/* "masks: 3 classes: tissue, benign, malignant". */
void print_mask_classes(const peft_dataset *d);
#endif
