/* SPDX-License-Identifier: Apache-2.0
 * origin.h -- the metadata of adapter, model and state files that says what the file holds and on which backbone it was
 * trained. */
#ifndef PF_ORIGIN_H
#define PF_ORIGIN_H
#include "core/format/meta.h"
#include "core/model/model.h"

/* Writes a file of that kind: the entries "libpeft.kind", "libpeft.format", "libpeft.version" and "libpeft.backbone.*",
 * then the metadata and tensors of object, which fill adds to o. Messages begin with path. */
typedef peft_status (*pf_origin_fill)(pf_st_out *o, const void *object);
peft_status pf_origin_write_file(peft_backbone *b, const char *kind, const char *path, pf_origin_fill fill,
                                 const void *object);
/* The bytes of such a file in memory; the caller frees them with pf_free. */
peft_status pf_origin_write_bytes(peft_backbone *b, const char *kind, pf_origin_fill fill, const void *object,
                                  char **bytes, size_t *size);
/* Checks these entries. PEFT_E_FORMAT: a file of another kind; PEFT_E_UNSUPPORTED: another version of the format;
 * PEFT_E_MISMATCH: another backbone, image size or resampling. */
peft_status pf_origin_check(const pf_st *st, const char *kind, peft_backbone *b);
/* PEFT_E_MISMATCH: the weights of the backbone were stored in another way (weights=int8), so that an exact continuation
 * is not possible. */
peft_status pf_origin_check_storage(const pf_st *st, const peft_backbone *b);
/* Write and check the digest of the backbone's classifier, if the model uses that classifier as its head (classes=0);
 * else they do nothing. A file of an earlier version has no digest, which gives a warning. */
peft_status pf_origin_write_classifier(pf_st_out *o, const peft_model *m);
peft_status pf_origin_check_classifier(const pf_st *st, const peft_model *m);
#endif
