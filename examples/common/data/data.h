/* SPDX-License-Identifier: Apache-2.0
 * data.h -- training and test images: opens folders, zips, .npz files and lists, draws samples, and checks the pictures
 * before training. */
#ifndef DATA_H
#define DATA_H
#include <peft/io.h>
#include <stdint.h>

/* Training and test sets under ctx, drawn by seed. data, test: a folder of class folders (or of the splits "train" and
 * "test" of these), a .zip of such a folder, an .npz of MedMNIST, or a list file. test NULL: the split "test" of data where it
 * has one, else "val", else what training leaves. shots: training images a class (0: all; without a test set
 * 4 of 5). tests: test images a class (0: all). Returns where the test images come from, in words. */
const char *draw_sets(peft_context *ctx, const char *data, const char *test, int64_t shots, int64_t tests,
                      uint64_t seed, peft_dataset **train_set, peft_dataset **test_set);
char *class_names(const peft_dataset *d);                     /* one a line; to be freed */

/* Decodes every picture of the sets (NULL: none) by so many threads (0: all cores) and fails with the names of those
 * that cannot be read, or that transform (NULL: not asked) refuses, as one of signed samples without a range. A
 * photograph takes some 5 ms; what it came to is printed. Returns early on stop_requested. */
void check_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads);
/* Test images that are trained on, by path, link or content: refused where they are the same files or all of them, else
 * a warning with some names and their number. Training images under two labels likewise. */
int64_t check_overlap(const peft_dataset *train, const peft_dataset *test);
/* Counts by class and where the test images come from, on standard output. */
void print_sets(const peft_dataset *train, const peft_dataset *test, const char *source);
#endif
