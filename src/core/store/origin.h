/* SPDX-License-Identifier: Apache-2.0
 * origin.h -- entries of a file's header: what the file holds, and the backbone that it was trained on. */
#ifndef PF_ORIGIN_H
#define PF_ORIGIN_H
#include "core/format/meta.h"
#include "core/model/model.h"

/* Writes the "libpeft.*" entries for the file's kind and for backbone b; and checks them: PEFT_E_FORMAT: a file of
 * another kind; PEFT_E_UNSUPPORTED: another version of the format; PEFT_E_MISMATCH: another backbone, side or
 * resampling. */
peft_status pf_meta_write(pf_st_out *o, const char *kind, peft_backbone *b);
peft_status pf_meta_check(const pf_st *st, const char *kind, peft_backbone *b);
/* The same for the backbone's own classifier where the model uses it (classes=0): an entry with its digest, and its
 * check. A file of an earlier version has no digest; that is a warning. Nothing for models with a head of their own. */
peft_status pf_meta_write_classifier(pf_st_out *o, const peft_model *m);
peft_status pf_meta_check_classifier(const pf_st *st, const peft_model *m);
#endif
