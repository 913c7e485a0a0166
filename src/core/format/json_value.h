/* SPDX-License-Identifier: Apache-2.0
 * json_value.h -- reads values of JSON objects with a check of their type, for the readers of configurations (describe,
 * interop), and prints them for messages. */
#ifndef PF_JSON_VALUE_H
#define PF_JSON_VALUE_H
#include <jansson.h>
#include "core/base/context.h"

enum { PF_JSON_SHOWN = 61 };       /* bytes of a value in a message, with the final 0 */
/* Writes v as JSON to text, or "an object", "a list" or "a long text" if that is too long; returns text. */
const char *pf_json_show(const json_t *v, char text[PF_JSON_SHOWN]);
/* Refuse the value v of a key. invalid: PEFT_E_FORMAT, "key: given VALUE, expected WHAT". unsupported: v is valid, but
 * this library has no code for it, PEFT_E_UNSUPPORTED. */
peft_status pf_json_invalid(const char *key, const json_t *v, const char *expected);
peft_status pf_json_unsupported(const char *key, const json_t *v, const char *expected);
/* The member `key` of o. NULL: o is no object, or the member is missing or null. */
const json_t *pf_json_get(const json_t *o, const char *key);
/* The functions below return false, or an error, when v has another type. */
bool pf_json_text(const json_t *v, char *text, size_t capacity);        /* a string, shorter than capacity */
bool pf_json_number(const json_t *v, char *text, size_t capacity);      /* a number, as text */
/* A number, or a list of one or three numbers; one number gives all three. */
bool pf_json_triple(const json_t *v, double out[3]);
/* A list that ends with height and width, or one integer for both. */
bool pf_json_sides(const json_t *v, int64_t *height, int64_t *width);
/* *out = the boolean o[key], or fallback if it is missing. */
peft_status pf_json_bool_or(const json_t *o, const char *key, bool fallback, bool *out);
/* Sets member `key` of o to value, which is JSON text. Not 0: no memory. */
int pf_json_set(json_t *o, const char *key, const char *value);
#endif
