/* SPDX-License-Identifier: Apache-2.0
 * view.h -- from a stored sample of a grey DICOM frame to its value: modality look-up table or rescale, then a VOI
 * look-up table or window, then the inversion of MONOCHROME1. */
#ifndef IO_DICOM_VIEW_H
#define IO_DICOM_VIEW_H
#include "io/format/dicom/plugin.h"
#include "io/io.h"

/* What the option window has chosen; both NULL: the values of the modality. */
typedef struct io_dicom_choice { const io_dicom_window *window; const io_dicom_table *table; } io_dicom_choice;

/* Chooses by the text of the option: "first" is the first VOI look-up table, or else the first window, or else nothing;
 * "none" nothing; a number counts what "first" would take from; else the explanation (the name) of a window or table.
 * PEFT_E_OPTION: the file has no such window. PEFT_E_FORMAT: the table or window is broken. */
peft_status io_dicom_choose(const io_dicom_view *v, const char *wanted, io_dicom_choice *out);

/* The steps that lead from stored samples to values. */
typedef struct io_dicom_steps {
    const io_dicom_table *modality;                           /* NULL: slope and intercept */
    double slope, intercept;
    io_dicom_choice choice;
    enum { IO_DICOM_LINEAR, IO_DICOM_LINEAR_EXACT, IO_DICOM_SIGMOID } function;
    bool inverted;                                            /* MONOCHROME1: v becomes full[0] + full[1] - v */
    double full[2];                                           /* what the first and the last stored value become */
} io_dicom_steps;

/* Prepares the steps for samples from lowest to highest. PEFT_E_FORMAT: a slope of 0, or a window that has no width.
 * PEFT_E_UNSUPPORTED: an unknown function of the window. */
peft_status io_dicom_steps_of(const io_dicom_view *v, const io_dicom_choice *choice, bool inverted, double lowest,
                              double highest, io_dicom_steps *out);
double io_dicom_value(const io_dicom_steps *s, double stored);
#endif
