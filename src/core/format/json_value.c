/* SPDX-License-Identifier: Apache-2.0
 * json_value.c -- reads values of JSON objects with a check of their type, and prints them for messages; see
 * json_value.h. */
#include "core/format/json_value.h"
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"

/* json_dumpb returns the number of bytes that the value needs, even if they do not fit. */
const char *pf_json_show(const json_t *v, char text[PF_JSON_SHOWN])
{
    const size_t n = json_dumpb(v, text, PF_JSON_SHOWN - 1,
                                JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    text[n < PF_JSON_SHOWN ? n : 0] = 0;
    if (!*text) strcpy(text, json_is_object(v) ? "an object" : json_is_array(v) ? "a list" : "a long text");
    return text;
}

peft_status pf_json_invalid(const char *key, const json_t *v, const char *expected)
{
    char text[PF_JSON_SHOWN];
    return pf_fail(PEFT_E_FORMAT, "%s: given %s, expected %s", key, pf_json_show(v, text), expected);
}

peft_status pf_json_unsupported(const char *key, const json_t *v, const char *expected)
{
    char text[PF_JSON_SHOWN];
    return pf_fail(PEFT_E_UNSUPPORTED, "%s: given %s, which is not supported: expected %s", key, pf_json_show(v, text),
                   expected);
}

const json_t *pf_json_get(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

bool pf_json_text(const json_t *v, char *text, size_t capacity)
{
    const char *s = json_string_value(v);
    if (!s || strlen(s) >= capacity) return false;
    memcpy(text, s, strlen(s) + 1);
    return true;
}

bool pf_json_number(const json_t *v, char *text, size_t capacity)
{
    if (json_is_integer(v)) snprintf(text, capacity, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) pf_print_float(text, capacity, json_real_value(v));
    return json_is_number(v);
}

bool pf_json_triple(const json_t *v, double out[3])
{
    const size_t n = json_array_size(v);
    if (json_is_array(v) && n != 1 && n != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *number = json_is_array(v) ? json_array_get(v, n == 3 ? i : 0) : v;
        if (!json_is_number(number)) return false;
        out[i] = json_number_value(number);
    }
    return true;
}

bool pf_json_sides(const json_t *v, int64_t *height, int64_t *width)
{
    const size_t n = json_array_size(v);
    const json_t *h = json_is_array(v) && n > 1 ? json_array_get(v, n - 2) : v;
    const json_t *w = json_is_array(v) && n > 1 ? json_array_get(v, n - 1) : v;
    *height = json_integer_value(h);
    *width = json_integer_value(w);
    return json_is_integer(h) && json_is_integer(w);
}

peft_status pf_json_bool_or(const json_t *o, const char *key, bool fallback, bool *out)
{
    const json_t *v = pf_json_get(o, key);
    *out = v ? json_is_true(v) : fallback;
    return !v || json_is_boolean(v) ? PEFT_OK : pf_json_invalid(key, v, "true or false");
}

int pf_json_set(json_t *o, const char *key, const char *value)
{
    return json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
}
