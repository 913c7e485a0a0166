/* SPDX-License-Identifier: Apache-2.0
 * data.h -- training and test images of finetune, compare, pretrain, report and adapt: opens folders, zips, .npz files
 * and lists, draws few-shot samples, and checks the pictures before training. */
#ifndef DATA_H
#define DATA_H
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

/* The rows of --data and --test in a program's table of flags (program/flags.h). */
#define DATA_FLAGS(X) \
    TRAINING_DATA_FLAG(X) \
    X(test, "PATH", NULL, "held-out test images; without it the split \"test\" (or \"val\") of --data, or else " \
      "images not used for training")
/* The first of them alone, for a program that says something else of the test images. */
#define TRAINING_DATA_FLAG(X) \
    X(data, "PATH", NULL, "required: training images, a folder with one folder per class, a .zip of one, a MedMNIST " \
      ".npz, or a list file (docs/finetune.md)")

/* Opens the training and the test set under ctx; seed selects the random draws. A path is that of a folder of class
 * folders, a folder with such folders "train" and "test", a .zip of one of these, a .npz of MedMNIST, or a list
 * file. test_path NULL: the test set is the split "test" of the data, else "val", else the images not drawn for
 * training. shots: training images per class; 0: all, or, where the test set is the images not drawn, four fifths of
 * each class. tests: test images per class, 0 for all. Returns a phrase for print_sets that says where the test images
 * come from. */
const char *draw_sets(peft_context *ctx, const char *data_path, const char *test_path, int64_t shots, int64_t tests,
                      uint64_t seed, peft_dataset **train_set, peft_dataset **test_set);
/* Does this phrase say that the test images are a part of the data given for training, drawn by seed? */
bool  drawn_from_training_data(const char *source);
char *class_name_lines(const peft_dataset *d);                /* one on each line; to be freed */

/* Decodes every picture of sets[0..count-1] (NULL entries are ignored) with `threads` threads (0: all cores) and prints
 * the time taken. Ends the program with the names of pictures that cannot be read or that the transform (may be NULL)
 * refuses, such as signed samples without a range. Returns early on stop_requested. */
void check_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads);
/* Returns the number of test images that are also training images: the same path, a link to the same file, or equal
 * content. Warns with some of their names, and ends the program if all test images are training images. Also warns of
 * training images with two labels, and ends the program if one file is listed under two labels. */
int64_t check_overlap(const peft_dataset *train, const peft_dataset *test);
/* Prints the number of images of each class, and `source`: where the test images come from. */
void print_sets(const peft_dataset *train, const peft_dataset *test, const char *source);
#endif
