/* SPDX-License-Identifier: Apache-2.0
 * options.h -- settings by name, so that new options need no new function or struct.
 *
 * A peft_options holds any names and values. They are checked by the function that it is given to, against that
 * function's table (below) of names, types, bounds and defaults: PEFT_E_OPTION, with the nearest known name or the
 * bounds, for an unknown name or a value that does not fit. Values are converted if nothing is lost: the text "12" is
 * an integer if one is needed, and true, yes, on, 1 (false, no, off, 0) are booleans. */
#ifndef PEFT_OPTIONS_H
#define PEFT_OPTIONS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

typedef struct peft_options peft_options;

/* Makes a peft_options without settings; frees one. */
PEFT_API PEFT_NODISCARD peft_status peft_options_create(peft_context *ctx, peft_options **out);
PEFT_API void peft_options_free(peft_options *o);

/* Each replaces an earlier value of the same name; name and text are copied, and a float is kept exactly.
 * PEFT_E_INVALID: the name is empty, or name or value is longer than 256 KiB: each must fit in the header of a file
 * that stores it. */
PEFT_API PEFT_NODISCARD peft_status peft_options_set_int   (peft_options *o, const char *name, int64_t v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_float (peft_options *o, const char *name, double v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_string(peft_options *o, const char *name, const char *v);

/* Sets several at once: "r=8,alpha=16,layers=[0,1,2],targets=\"q,v\"", as for method lora. Settings are separated
 * by commas or by blanks: "r=8 alpha=16". A value ends at the next comma, or at blanks that "name=" follows: of the
 * text a=two words b=1 the value of a is two words. Commas and blanks in [brackets] or "quotes" belong to the value;
 * brackets stay part of it, quotes do not, and \ inside quotes takes the next character as it is. Blanks around names
 * and values are ignored, and so are commas with nothing between them. The decimal point is '.' in every locale.
 * If a name is given twice, the last value counts. "" sets nothing. libpeft-io reads its settings by the same rules,
 * but refuses a name that is given twice.
 * PEFT_E_INVALID: not such a list; then none of it is set. */
PEFT_API PEFT_NODISCARD peft_status peft_options_parse     (peft_options *o, const char *key_value_list);

/* --- tables of options -------------------------------------------------------------------------------------------- */
/* One option of a table. Each table has a function that returns its option number i, counted from 0, and NULL after the
 * last: peft_backbone_option, peft_backbone_create_option, peft_backbone_save_option, peft_method_option,
 * peft_adapter_option, peft_model_option, peft_session_option, peft_trainer_option, peft_save_hf_option,
 * peft_statistics_option, peft_conformal_option, peft_probe_option, peft_aggregator_option, and of libpeft-io
 * peft_image_option, peft_transform_option, peft_loader_option, peft_dataset_table_option, peft_dataset_mask_option.
 * Rows and their texts stay valid as long as the library is loaded, those of a method that was registered on a context
 * as long as the context. */
typedef struct peft_option peft_option;
PEFT_API const char *peft_option_name    (const peft_option *o);
PEFT_API const char *peft_option_type    (const peft_option *o);     /* "integer", "float", "boolean" or "text" */
PEFT_API const char *peft_option_fallback(const peft_option *o);     /* the default as text; "": nothing */
PEFT_API const char *peft_option_help    (const peft_option *o);     /* what it means, one line */
/* 1: a number that must lie in *low..*high, both included; 0: it has no bounds, and nothing is written. Either pointer
 * may be NULL. The functions above return NULL for NULL, this one 0. */
PEFT_API int         peft_option_bounds  (const peft_option *o, double *low, double *high);

PEFT_END_DECLS
#endif
