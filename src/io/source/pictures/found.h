/* SPDX-License-Identifier: Apache-2.0
 * found.h -- the pictures that are found for a data set without labels, and their order. pictures.c opens such a set;
 * medium.c finds the pictures of a DICOMDIR; series.c sorts the slices of series. */
#ifndef IO_FOUND_H
#define IO_FOUND_H
#include "io/dataset/dataset.h"

/* A picture. name: of the sample; member: of a zip; series: the case that it is a slice of, NULL: none. */
typedef struct found { char *name, *series; int64_t member; } found;
typedef struct found_list { peft_context *ctx; found *item; int64_t count, capacity; } found_list;

/* Takes ownership of the name, also on failure; a NULL name is PEFT_E_NOMEM. */
peft_status io_found_add(found_list *l, char *name, int64_t member);
void        io_found_sort(found_list *l);                     /* by name, bytewise */
void        io_found_clear(found_list *l);
/* Moves all pictures to d, which is empty, as samples without labels; series become cases. *member: the zip entries, in
 * memory that the caller frees; member NULL: samples are files. */
peft_status io_found_keep(found_list *l, peft_dataset *d, int64_t **member);

/* Reads the headers of the DICOM files of a list, in which those of a folder are in the order of a DICOMDIR or of their
 * names, and sets their series: the folder, and if it holds several series "FOLDER//UID". reorder: moves the slices of
 * each series in a folder to their order (peft_dicom_header_sort), within the places that the DICOM files of this
 * folder have. Files whose header cannot be read come last in their folder; they are of its series if it holds one,
 * else of none. */
peft_status io_found_series(found_list *l, bool reorder);

/* Adds the images that a DICOMDIR refers to, in the order of its records. Their paths are sought in its folder, as they
 * are written, or else in any case of letters. An image that is not there is added by the path in the record, so that
 * loading it fails with that name; one whose path leads out of the folder as "DICOMDIR/file 3: ..\IM1", with a warning
 * of the first. Added to `skipped` are types of records that refer to something else, images without a file, and
 * repetitions. PEFT_E_FORMAT: no DICOMDIR, or one without images; PEFT_E_IO: it cannot be read, or none of its images
 * is there. The messages name what to give in its place. */
peft_status io_found_on_medium(found_list *l, const char *path, io_strings *skipped);
#endif
