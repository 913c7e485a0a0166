/* SPDX-License-Identifier: Apache-2.0
 * options.h -- settings by name. New options never add a symbol or change a layout.
 *
 * A bag takes any name and value. What an option means, its type, its bounds and its default are known to whom the bag
 * is given (peft_method_option lists a method's); a name it does not know, or a value that does not fit, is then
 * PEFT_E_OPTION, and the message names the nearest known option or the bounds. Values convert where nothing is lost:
 * the text "12" is an integer where one is wanted, and true, yes, on, 1 (false, no, off, 0) are booleans. */
#ifndef PEFT_OPTIONS_H
#define PEFT_OPTIONS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

typedef struct peft_options peft_options;

PEFT_API PEFT_NODISCARD peft_status peft_options_create(peft_context *ctx, peft_options **out);
PEFT_API void peft_options_free(peft_options *o);

/* Each replaces an earlier value of the same name; name and text are copied. Floats keep their exact value.
 * PEFT_E_INVALID: the name is empty, or name or value is longer than 256 KiB (which could not be saved). */
PEFT_API PEFT_NODISCARD peft_status peft_options_set_int   (peft_options *o, const char *name, int64_t v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_float (peft_options *o, const char *name, double v);
PEFT_API PEFT_NODISCARD peft_status peft_options_set_string(peft_options *o, const char *name, const char *v);

/* Several at once: "r=8,alpha=16,layers=[0,1,2],targets=\"q,v\"". Settings are separated by commas or by blanks:
 * "r=8 alpha=16". A value ends at the next comma, or at blanks that "name=" follows: of the text a=two words b=1 the
 * value of a is two words. Commas and blanks in [brackets] or "quotes" belong to the value; brackets stay part of it,
 * quotes do not, and \ inside quotes takes the next character as it is. Blanks around names and values are dropped, and
 * so are commas with nothing between them; the numbers' decimal point is '.' in every locale. libpeft-io reads its
 * settings by the same rules. Of a name given twice the last value counts. "" sets nothing.
 * PEFT_E_INVALID: not such a list; then none of it is set. */
PEFT_API PEFT_NODISCARD peft_status peft_options_parse     (peft_options *o, const char *key_value_list);

PEFT_END_DECLS
#endif
