/* SPDX-License-Identifier: Apache-2.0
 * groups.h -- io_groups: which samples of an opened data set belong together: those of a patient, or of a case. */
#ifndef IO_GROUPS_H
#define IO_GROUPS_H
#include "io/dataset/dataset.h"

enum { IO_NO_GROUP = -1 };
struct io_groups {
    atomic_int refs;
    int64_t *of;                                              /* [samples of the opened set]: index in names, or none */
    io_strings names;                                         /* sorted bytewise */
};

/* Makes groups of the samples whose texts are equal; text [count], NULL or "": the sample is in no group. The texts are
 * copied. *out: one reference, which io_groups_free releases. */
peft_status io_groups_make(peft_context *ctx, const char *const *text, int64_t count, io_groups **out);
io_groups  *io_groups_retain(io_groups *g);                   /* NULL: NULL */
void        io_groups_free(peft_context *ctx, io_groups *g);
/* The group of sample i of d, which may be a part; IO_NO_GROUP: none. g: d->groups or d->cases, may be NULL. */
int64_t     io_group_of(const peft_dataset *d, const io_groups *g, int64_t i);

/* Warns where names of groups differ only in upper and lower case, in blanks around them or in zeros before a number:
 * two in list a or, with b, one in a and one in b. The message begins with `subject`. PEFT_E_NOMEM. */
peft_status io_warn_of_similar_groups(peft_context *ctx, const char *subject, const io_strings *a,
                                      const io_strings *b);

/* Reads the headers of the samples, DICOM files: their patients and their studies, one reference of each. The errors
 * are those of peft_dicom_header_read; PEFT_E_UNSUPPORTED: the samples are no files. */
peft_status io_dicom_groups(const peft_dataset *opened, io_groups **patients, io_groups **studies);

/* Divides a data set with groups into parts, so that each group comes into one. Sets mark [count] to the number of a
 * sample's part, from 1 on. Groups are taken in a random order, larger ones first, and each goes to the part that is
 * then nearest to having its share, share[part], of the samples of each class (of the positives of each label) and of
 * all samples. PEFT_E_UNSUPPORTED: there are fewer groups than parts; a sample without a group counts as one. */
peft_status io_split_groups(const peft_dataset *d, const double *share, int64_t parts, uint64_t seed, int64_t *mark);
#endif
