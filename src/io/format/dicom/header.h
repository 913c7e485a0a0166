/* SPDX-License-Identifier: Apache-2.0
 * header.h -- opening DICOM files by the plug-in, and the ids in their headers. */
#ifndef IO_DICOM_HEADER_H
#define IO_DICOM_HEADER_H
#include "io/format/dicom/plugin.h"
#include "io/io.h"

/* An open file and the functions of the plug-in. Closed by io_dicom_close. */
typedef struct io_dicom { const io_dicom_plugin *plugin; io_dicom_file *file; const io_dicom_info *info; } io_dicom;

/* Whether these are the first bytes of a DICOM file: with the preamble of 128 bytes, or without it, then by the first
 * element. */
bool io_dicom_probe(const uint8_t *data, size_t size);
/* Opens the file data[size], which must stay in memory until io_dicom_close; arguments as in io_dicom_plugin. */
peft_status io_dicom_open(const uint8_t *data, size_t size, int64_t max_bytes, bool header, io_dicom *out);
void        io_dicom_close(io_dicom *d);
/* Sets the message of the plug-in; returns s. */
peft_status io_dicom_failed(peft_status s, const io_dicom_message *why);

/* Who and what a file shows: texts without blanks at their end, "" where the file lacks the element. */
typedef struct io_dicom_ids {
    char patient[256];                                        /* PatientID */
    char study[72], series[72], instance[72];                 /* StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID */
    int64_t frames;                                           /* at least 1 */
} io_dicom_ids;
/* Reads the ids of a file; no pixels are read. ctx: for memory. PEFT_E_IO, PEFT_E_FORMAT: not a readable DICOM file, or
 * an id is longer than its field. PEFT_E_UNSUPPORTED: the plug-in is not there. */
peft_status io_dicom_read_ids(peft_context *ctx, const char *path, io_dicom_ids *out);
#endif
