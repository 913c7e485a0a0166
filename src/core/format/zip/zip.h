/* SPDX-License-Identifier: Apache-2.0
 * zip.h -- lists the entries of a zip archive in memory, such as a file of torch.save, and finds the bytes of those
 * that are stored without compression. */
#ifndef PF_ZIP_H
#define PF_ZIP_H
#include "core/base/context.h"

/* The end of the archive: where its directory is. */
typedef struct pf_zip { const uint8_t *file; size_t size, directory, directory_size; uint64_t entries; } pf_zip;
/* An entry of the directory. name is not terminated by 0. */
typedef struct pf_zip_entry {
    const char *name;
    size_t name_length;
    uint64_t packed, unpacked, header;                   /* bytes in the archive and unpacked; place of its header */
    int method, flags;                                   /* method: 0 stored, 8 Deflate, .. */
} pf_zip_entry;

/* Whether the file begins as a zip archive does. */
bool        pf_zip_recognise(const void *file, size_t size);
/* Finds the directory, of ZIP64 too. PEFT_E_FORMAT: there is none, as in a file that is cut short. */
peft_status pf_zip_open(const void *file, size_t size, pf_zip *out);
/* Reads the entry at *place, an offset in the directory (the first: 0), and moves *place behind it. */
peft_status pf_zip_next(const pf_zip *z, size_t *place, pf_zip_entry *out);
/* The bytes of an entry, in the archive: *data has entry->unpacked of them. PEFT_E_UNSUPPORTED: compressed or
 * encrypted. */
peft_status pf_zip_data(const pf_zip *z, const pf_zip_entry *entry, const uint8_t **data);
#endif
