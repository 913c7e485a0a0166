/* SPDX-License-Identifier: Apache-2.0
 * dicom_groups.c -- groups by the headers of DICOM files: patients by Patient ID, cases by study. */
#include "io/dataset/groups.h"

/* The texts of all samples. */
typedef struct texts { char **patient, **study; } texts;

static peft_status read_header(const peft_dataset *d, int64_t i, texts *t)
{
    peft_dicom_header *h;
    peft_status s = peft_dicom_header_read(d->ctx, d->names.item[i], &h);
    if (s) return io_fail_in(s, d->names.item[i]);
    t->patient[i] = io_copy(d->ctx, peft_dicom_header_text(h, "patient"));
    t->study[i] = io_copy(d->ctx, peft_dicom_header_text(h, "study"));
    peft_dicom_header_free(h);
    return t->patient[i] && t->study[i] ? PEFT_OK : io_nomem("groups");
}

static void release(const peft_dataset *d, char **text)
{
    for (int64_t i = 0; text && i < d->count; i++) peft_sys_free(d->ctx, text[i]);
    peft_sys_free(d->ctx, text);
}

peft_status io_dicom_groups(const peft_dataset *opened, io_groups **patients, io_groups **studies)
{
    if (opened->store != &io_files)
        return io_fail(PEFT_E_UNSUPPORTED, "groups: the headers of DICOM files are read from folders, lists and "
                       "tables, not from a .zip or .npz; unpack it");
    texts t = { io_alloc(opened->ctx, opened->count, sizeof(char *)),
                io_alloc(opened->ctx, opened->count, sizeof(char *)) };
    peft_status s = t.patient && t.study ? PEFT_OK : io_nomem("groups");
    for (int64_t i = 0; i < opened->count && !s; i++) s = read_header(opened, i, &t);
    if (!s) s = io_groups_make(opened->ctx, (const char *const *)t.patient, opened->count, patients);
    if (!s && (s = io_groups_make(opened->ctx, (const char *const *)t.study, opened->count, studies)))
        io_groups_free(opened->ctx, *patients);
    release(opened, t.patient);
    release(opened, t.study);
    return s;
}
