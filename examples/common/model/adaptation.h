/* SPDX-License-Identifier: Apache-2.0
 * adaptation.h -- kinds of test-time adaptation as text, "tent,lr=0.01": a kind of peft_adaptor, then its options. Used
 * by adapt and predict. */
#ifndef ADAPTATION_H
#define ADAPTATION_H
#include "loaded_model.h"
#include <stdbool.h>

/* Is `name` the kind of this text? */
bool is_kind(const char *text, const char *name);
/* Ends the program unless the kind is one of the library's, or `other` (NULL: none). flag: the option that gave it,
 * without "--". */
void check_kind_of(const char *flag, const char *text, const char *other);
/* The options behind the kind, with batch for an option "batch" that they lack; to be freed. */
peft_options *adaptation_options(const loaded_model *m, const char *text, int64_t batch);
/* Makes the adaptor; an error ends the program. */
peft_adaptor *open_adaptor(const loaded_model *m, const char *text, int64_t batch);
/* Warns if `images` pictures are one call, of whose update the kind makes no use in its predictions. flag_name: with
 * "--". */
void warn_of_one_call(const char *flag_name, const char *text, int64_t batch, int64_t images);
#endif
