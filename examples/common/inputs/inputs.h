/* SPDX-License-Identifier: Apache-2.0
 * inputs.h -- the pictures that a program is given as arguments: files, folders, zips and lists of paths; errors of
 * single pictures, after which the program goes on. */
#ifndef INPUTS_H
#define INPUTS_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

/* --- picture_error.c --- */
/* "NAME: peft_last_error (STATUS)", to be freed; the name only once where the message begins with it. of_model: the
 * image options that the picture is read with because the model was trained with them; NULL: none. */
char *error_text(const char *name, peft_status status, const char *of_model);
void  print_error(const char *name, peft_status status, const char *of_model);
/* Prints the error of a picture; further slices of its file with the same one are counted, and told by the next call
 * for another error, or by end_picture_errors, which a program calls at the end. Not for several threads. */
void  report_picture(const char *name, const char *text);
void  end_picture_errors(void);
/* Are these errors of two slices of one file with the same message? Names in front of the texts are not compared. */
bool  are_one_error(const char *name, const char *text, const char *other_name, const char *other_text);
/* Are these errors of any two pictures with the same message but for numbers? */
bool  are_errors_alike(const char *name, const char *text, const char *other_name, const char *other_text);

/* --- inputs.c --- */
/* The pictures of the command line, in its order. An argument is a picture, or a folder, zip or list of pictures. */
typedef struct inputs {
    peft_dataset **set;                                       /* [sets] */
    int64_t *first;                                           /* [sets + 1]: number of the first picture of each set */
    int64_t sets, count;
    int64_t *number;                                          /* [count]: of each picture among all that were given;
                                                               * NULL: none is left out */
    int64_t failed;                                           /* arguments that could not be opened */
    const char *of_model;                                     /* as in input_reading; not owned */
} inputs;
/* How they are read. all_slices: each slice of a file is a picture. */
typedef struct input_reading {
    char *image_options;                                      /* of peft_image_load; NULL: none */
    char *of_model;                                           /* those that the command does not name; NULL: none */
    bool all_slices;
} input_reading;
/* The image options of the command line over those that the model was trained with; both may be NULL. */
input_reading choose_reading(const char *of_model, const char *given, bool all_slices);
void          free_reading(input_reading *how);
/* Opens all arguments. Prints an error for one that cannot be opened, and leaves it out. */
inputs      open_inputs(peft_context *ctx, char *const *path, int count, const input_reading *how);
/* The pictures of a data set, or of its split (NULL: all); table: how a table is read; advice: the end of the message
 * for data without classes. Errors end the program. */
inputs      open_data_inputs(peft_context *ctx, const char *data, const char *split, const char *table,
                             const input_reading *how, const char *advice);
void        free_inputs(inputs *in);
const char *input_name(const inputs *in, int64_t i);          /* of picture i, 0 <= i < count */
const char *input_patient(const inputs *in, int64_t i);       /* NULL: not known */
const char *input_case(const inputs *in, int64_t i);          /* the study that it belongs to; NULL: none */
peft_status load_input(const inputs *in, int64_t i, peft_image **out);
/* Gives the pictures masks (peft_dataset_with_masks), by which pictures may be left out; an error ends the program. */
void        add_input_masks(inputs *in, const char *path, const char *options);
const char *input_mask_file(const inputs *in, int64_t i);     /* the first file of the mask of picture i */
/* The mask of picture i, whose picture is im (peft_dataset_load_mask). */
peft_status load_input_mask(const inputs *in, int64_t i, const peft_image *im, peft_mask **out);
#endif
