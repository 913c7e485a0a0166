/* SPDX-License-Identifier: Apache-2.0
 * json_value.h -- values of JSON objects, checked for their type, and shown in messages. */
#ifndef PF_JSON_VALUE_H
#define PF_JSON_VALUE_H
#include <jansson.h>
#include "core/base/context.h"

enum { PF_JSON_SHOWN = 61 };
/* v as JSON text, or "a list" and so on where that has more than PF_JSON_SHOWN - 1 bytes; returns text. */
const char *pf_json_show(const json_t *v, char text[PF_JSON_SHOWN]);
/* bad: a value that the key cannot have, PEFT_E_FORMAT "key: given VALUE, expected WHAT". lacks: a valid value that
 * this library does not compute, PEFT_E_UNSUPPORTED. */
peft_status pf_json_bad(const char *key, const json_t *v, const char *expected);
peft_status pf_json_lacks(const char *key, const json_t *v, const char *expected);
/* Member key of o; NULL where o is no object, or the member is absent or null. */
const json_t *pf_json_get(const json_t *o, const char *key);
bool pf_json_text(const json_t *v, char *text, size_t room);            /* a string that fits */
bool pf_json_number(const json_t *v, char *text, size_t room);
/* One number, or a list of one or three. */
bool pf_json_triple(const json_t *v, double out[3]);
/* [.., height, width], or one number for both. */
bool pf_json_sides(const json_t *v, int64_t *height, int64_t *width);
/* The boolean o[key], or fallback where it is absent. */
peft_status pf_json_flag(const json_t *o, const char *key, bool fallback, bool *out);
/* Makes value, as JSON text, member key of o; not 0: no memory. */
int pf_json_set(json_t *o, const char *key, const char *value);
#endif
