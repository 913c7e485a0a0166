/* SPDX-License-Identifier: Apache-2.0
 * data.h -- training and test images of finetune, compare, pretrain, report and adapt: opens folders, zips, .npz files,
 * lists and tables, draws few-shot samples, and checks the pictures before training. */
#ifndef DATA_H
#define DATA_H
#include "common/flags/flags.h"
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

/* The rows of --data, --test and what belongs to them in a program's table of flags (flags/flags.h). */
#define DATA_FLAGS(X) \
    TRAINING_DATA_FLAG(X) \
    X(test, "PATH", NULL, "held-out test images; without it the split \"test\" (or \"val\") of --data, or else " \
      "images not used for training") \
    PATIENT_FLAGS(X)
/* The first of them alone, for a program that says something else of the test images. */
#define TRAINING_DATA_FLAG(X) \
    X(data, "PATH", NULL, "required: training images, a folder with one folder per class, a .zip of one, a MedMNIST " \
      ".npz, a list file, or a table with column names (docs/finetune.md)")
#define PATIENT_FLAGS(X) \
    IMAGE_FLAG(X) \
    TABLE_FLAG(X) \
    X(patients, "PATTERN", NULL, "file names tell the patient, in the part in parentheses: \"(person*)_*\"; " \
      "dicom: headers tell it (docs/tables.md)") \
    X(allow_shared_patients, NULL, NULL, "test on patients of the training images all the same")
#define IMAGE_FLAG(X) \
    X(image_options, "LIST", NULL, "how image files are read, name=value,... (inspect --options): slice=N of a file " \
      "of several images, window=none of DICOM")
#define TABLE_FLAG(X) \
    X(table, "LIST", NULL, "how a table with column names is read, name=value,... (inspect --table lists the settings)")

/* What the flags above and others say of the images. */
typedef struct data_request {
    const char *data, *test;                                  /* paths; test may be NULL */
    const char *table, *patients;                             /* settings of tables; pattern of names; may be NULL */
    const char *image_options;                                /* of peft_image_load; may be NULL */
    const char *masks, *mask_options, *test_masks;            /* folders of masks and how they are read; may be NULL */
    const char *advice;                                       /* for messages of data without classes; may be NULL */
    bool allow_shared_patients;
    bool all_slices;                                          /* of masks: draws are of files, see replace_by_slices */
    bool unlabelled;                                          /* no classes are read: a folder may hold images */
    int64_t shots, tests;                                     /* images per class for training and test, 0 for all */
    uint64_t seed;                                            /* of the random draws */
} data_request;
/* The request of a program whose array of flags is `given`, without shots, tests and seed. */
#define DATA_REQUEST \
    .data = given[data].value, .test = given[test].value, .table = given[table].value, \
    .patients = given[patients].value, .image_options = given[image_options].value, \
    .allow_shared_patients = given[allow_shared_patients].value != NULL

/* mask_request.c: ends the program if --test-masks is given without masks or --test, or --all-slices without
 * masks. */
void check_mask_request(const data_request *q);
/* Ends the program if this flag, which is for masks, has a value and there are none (NULL). */
void require_masks(const char *masks, const char *flag, const char *value);
/* Ends the program if --balance is given (not NULL), for a training on masks. */
void refuse_balance(const char *balance);
/* Ends the program if one of these flags is given, which are for classes of images. which [count]: numbers of flags. */
void refuse_with_masks(const flag *given, const int *which, int count);

/* Opens a split ("train") of the data set at path, or all images for NULL. table, patients and image_options are those
 * of q. Returns NULL if the data have no split of this name; another error ends the program. */
peft_dataset *open_split(peft_context *ctx, const data_request *q, const char *path, const char *split);
/* The same data set, whose images are read with these options (NULL: as before); takes d. An error ends the program. */
peft_dataset *read_with_options(peft_dataset *d, const char *image_options);
/* all_slices.c: a data set of all slices of the files of d, which it takes; an error ends the program. of_model: the
 * image options that a model was trained with, for a message; NULL: none. */
peft_dataset *all_slices_of(peft_dataset *d, const char *of_model);
/* With q->all_slices replaces *d (may be NULL) by its slices. Call it after all draws and divisions, so that these
 * select files: then the slices of a file, and the files of a patient, stay in one set. */
void replace_by_slices(const data_request *q, peft_dataset **d);
/* How many images are slices, and of how many files: of each file all slices are there. */
typedef struct slice_count { int64_t slices, files; } slice_count;
slice_count count_slices(const peft_dataset *d);
bool has_slices(const peft_dataset *d);                       /* Is an image a slice of a file? */
/* Opens the training and the test set under ctx. A path is that of a folder of class folders, a folder with such
 * folders "train" and "test", a .zip of one of these, a .npz of MedMNIST, a list file, or a table. test NULL: the test
 * set is the split "test" of the data, else "val", else the images not drawn for training. shots 0: all, or, where the
 * test set is the images not drawn, four fifths of each class. Ends the program if both sets have images of a patient,
 * unless allow_shared_patients. Returns a phrase for print_sets that says where the test images come from. */
const char *draw_sets(peft_context *ctx, const data_request *q, peft_dataset **train_set, peft_dataset **test_set);
/* Opens the training set alone, as draw_sets does where test images are given. */
peft_dataset *draw_training(peft_context *ctx, const data_request *q);
/* Does this phrase say that the test images are a part of the data given for training, drawn by seed? */
bool  drawn_from_training_data(const char *source);
bool  tests_on_val(const char *source);                       /* .. that they are the split "val" of the data? */
/* Gives the classes of *d the numbers that classes of the same names have in train; ends the program if it has others.
 * name: what *d is, "test"; path: of the data, for the message. */
void  match_classes(peft_dataset **d, const char *name, const peft_dataset *train, const char *path);
char *class_name_lines(const peft_dataset *d);                /* of labels or masks, one on each line; to be freed */

/* Decodes every picture of sets[0..count-1] (NULL entries are ignored) with `threads` threads (0: all cores) and prints
 * the time taken. Ends the program with the names of pictures that cannot be read or that the transform (may be NULL)
 * refuses, such as signed samples without a range. Returns early on stop_requested. */
void check_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads);
/* The same without printing the time; returns the number of pictures. */
int64_t decode_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads);
/* Returns the number of test images that are also training images: the same path, a link to the same file, or equal
 * content. Warns with some of their names, and ends the program if all test images are training images. Also warns of
 * training images with two labels, and ends the program if one file is listed under two labels. */
int64_t check_overlap(const peft_dataset *train, const peft_dataset *test);
/* The same for two sets of other names, "validation" and "test", without the check of labels. flag: the option that
 * gives a set, "val"; figures: those that are too good, "the metrics". */
typedef struct named_set { const peft_dataset *d; const char *name, *flag; } named_set;
int64_t check_shared_images(named_set used, named_set judged, const char *figures);
/* Ends the program if both sets have images of a patient, unless `allowed`. splits_of_table: both may be splits of one
 * table, for the message. */
void check_patients(named_set used, named_set judged, const char *figures, bool allowed, bool splits_of_table);
/* The number of patients with images in both sets; -1: the patients of one of them are not known. */
int64_t shared_patients(const peft_dataset *a, const peft_dataset *b);
/* Prints the number of patients of each set, and how many are in two of them, or that none are known. validation: NULL
 * if there are no such images. */
void print_patients(const peft_dataset *train, const peft_dataset *validation, const peft_dataset *test);
/* The same without a line end; false: none are known, and nothing is printed. before: printed before it. */
bool print_patient_counts(const char *before, const peft_dataset *train, const peft_dataset *validation,
                          const peft_dataset *test);
int64_t *count_classes(const peft_dataset *d);                /* images of each class, [classes]; to be freed */
int64_t *count_judged(const peft_dataset *d);                 /* images whose target of each class is known */
/* Fails if a draw of held-out images, "test", took all images of a class, as those of a patient come into one set. */
void check_drawn_classes(const peft_dataset *train, const peft_dataset *held, const char *name);
/* Fails (several labels per image: warns) if a class has no training image. path: of the data, for the message. */
void check_classes(const peft_dataset *train, const char *path);
/* Warns if all test images are of one class, or a label is that of all or of none: metrics that do not exist then. */
void check_test_classes(const peft_dataset *test);
/* Prints the number of images of each class, `source` (where the test images come from), and the number of patients, of
 * the validation images (may be NULL) too; also warns as check_test_classes does. */
void print_sets(const peft_dataset *train, const peft_dataset *validation, const peft_dataset *test,
                const char *source);
/* "title: 12 images: edema 8, mass 4 (2 not judged)"; of slices "12 images, slices of 3 files: edema 8, mass 4". */
void print_set(const char *title, const peft_dataset *d);
#endif
