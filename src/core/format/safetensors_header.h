/* SPDX-License-Identifier: Apache-2.0
 * safetensors_header.h -- what the reader and the writer of safetensors files share: limits, element types, the
 * header. */
#ifndef PF_SAFETENSORS_HEADER_H
#define PF_SAFETENSORS_HEADER_H
#include <jansson.h>
#include "core/format/safetensors.h"

/* PF_ST_HEADER is the limit of the format; the others keep a small hostile file from using much memory. */
enum {
    PF_ST_HEADER = 100000000,          /* bytes of JSON */
    PF_ST_TENSORS = 65536,             /* tensors of a file */
    PF_ST_NAME = 1024,                 /* bytes of a tensor's name */
    PF_ST_META = 1 << 20,              /* bytes of all metadata keys and values together */
    PF_ST_DEPTH = 8                    /* nested brackets; the format needs 3 */
};

/* An element type of the format: its name there ("BF16"), bits of an element, and its peft_dtype (0: this library has
 * none). */
typedef struct pf_st_type { const char *name; int bits; peft_dtype type; } pf_st_type;
const pf_st_type *pf_st_type_named(const char *name);         /* NULL: the format has no such type */
const pf_st_type *pf_st_type_of(peft_dtype type);             /* NULL: no such peft_dtype */

/* Checks and parses the header; size: of the whole file. *root is the caller's; *length: bytes of the JSON with its
 * padding, so that the data begins at 8 + *length. */
peft_status pf_st_header(const uint8_t *file, size_t size, json_t **root, size_t *length);
#endif
