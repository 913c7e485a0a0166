/* SPDX-License-Identifier: Apache-2.0
 * zip_store.h -- the store of data sets from a zip: the archive stays open, and each sample is an entry of it. */
#ifndef IO_ZIP_STORE_H
#define IO_ZIP_STORE_H
#include "io/archive/archive.h"
#include "io/dataset/dataset.h"

/* The state of the store: the open archive, and the entry of each sample, index [count], which whoever names the
 * samples sets. */
typedef struct io_zip_members { io_archive *archive; int64_t *index; } io_zip_members;

/* Opens the archive as the store of d; d->store_state is an io_zip_members. */
peft_status io_zip_store_open(const char *path, peft_dataset *d);
/* Takes ownership of the name, in which backslashes are slashes, and which ends in a slash for a folder. guessed: the
 * zip does not say which encoding the name has. A status other than PEFT_OK ends the reading. */
typedef peft_status (*io_member_function)(void *user, char *name, bool guessed, int64_t member);
/* Calls the function for each entry. PEFT_E_FORMAT: a name leads out of the archive. */
peft_status io_zip_each_member(const io_zip_members *m, io_member_function function, void *user);
/* Whether the entry is a DICOM file by its content, as io_is_unnamed_image has it for files. An entry that cannot be
 * unpacked is none. */
bool io_zip_is_unnamed_image(const io_zip_members *m, const char *name, int64_t member);
/* Checks the size and the compression of every sample's entry. */
peft_status io_zip_check_samples(const peft_dataset *d);
#endif
