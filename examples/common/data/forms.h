/* SPDX-License-Identifier: Apache-2.0
 * forms.h -- how the pictures of a data set are stored (bits, and of DICOM files photometric interpretation and
 * windows), to warn of sets whose files differ. */
#ifndef FORMS_H
#define FORMS_H
#include <peft/io.h>
#include <pthread.h>

/* Each form that was found, and how many pictures have it. */
typedef struct picture_form { char *text; int64_t count; } picture_form;
typedef struct form_list { picture_form *item; int64_t count; } form_list;
/* windows: those of DICOM files that have any. modalities: of DICOM files; sets with several are not warned of. */
typedef struct picture_forms { form_list bits, photometric, windows, modalities; } picture_forms;

/* The name of the format of the picture at path, by its content; NULL: it is none, or no file. */
const char *picture_format(const char *path);

/* Counts one more picture of this form. */
void count_form(form_list *l, const char *text);
/* "16 bits", "signed 16 bits" or "float of 32 bits"; text [DEPTH_SIZE], which it returns. */
enum { DEPTH_SIZE = 40 };
const char *depth_text(const peft_image *im, char *text);
/* Adds a picture that was read from the file `path`. lock: held while f changes. */
void add_forms(picture_forms *f, pthread_mutex_t *lock, peft_context *ctx, const char *path, const peft_image *im);
/* Writes the forms to text [size], the most frequent first: "12 of 16, unsigned (34), 16 of 16, unsigned (3)". */
const char *forms_text(const form_list *l, char *text, size_t size);
/* Warns once in a program if pictures differ, with the number of each form. */
void warn_of_forms(const picture_forms *f);
void free_form_list(form_list *l);
void free_forms(picture_forms *f);
#endif
