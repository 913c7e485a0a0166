/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_OPTIONS_H
#define PEFT_OPTIONS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

/* A growable bag of named, typed settings. New options never add a symbol or change a layout.
   A name no consumer knows is an error when the bag is used, and the message names the nearest one. */
typedef struct peft_options peft_options;

PEFT_API PEFT_NODISCARD peft_status peft_options_create(peft_context *ctx, peft_options **out);
PEFT_API void peft_options_free(peft_options *o);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_int   (peft_options *o, const char *name, int64_t v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_float (peft_options *o, const char *name, double v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_string(peft_options *o, const char *name, const char *v);
PEFT_API PEFT_NODISCARD peft_status peft_options_parse     (peft_options *o, const char *key_value_list);

PEFT_END_DECLS
#endif
