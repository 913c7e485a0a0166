/* SPDX-License-Identifier: Apache-2.0
 * meta.c -- reads and writes metadata of safetensors files: numbers, texts and options; see meta.h. */
#include "core/format/meta.h"
#include <stdio.h>
#include <string.h>

/* Bytes that are enough for one option: name="value" with a \ in front of each quote and each \, and a comma. */
static size_t most_bytes(const char *name, const char *value)
{
    return strlen(name) + 2 * strlen(value) + strlen("=\"\",");
}

peft_status pf_options_print(peft_context *ctx, const peft_options *o, char **text)
{
    size_t bytes = 1;
    for (size_t i = 0; i < pf_options_count(o); i++) bytes += most_bytes(pf_options_name(o, i), pf_options_value(o, i));
    char *to = *text = pf_alloc(ctx, bytes);
    if (!to) return pf_nomem("options as text", bytes);
    for (size_t i = 0; i < pf_options_count(o); i++) {
        to += sprintf(to, "%s%s=\"", i ? "," : "", pf_options_name(o, i));
        for (const char *v = pf_options_value(o, i); *v; v++) {
            if (*v == '"' || *v == '\\') *to++ = '\\';
            *to++ = *v;
        }
        *to++ = '"';
    }
    *to = 0;
    return PEFT_OK;
}

peft_status pf_meta_add_int(pf_st_out *o, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return pf_st_out_meta(o, key, text);
}

peft_status pf_meta_read_text(const pf_st *st, const char *key, const char **out)
{
    *out = pf_st_meta(st, key);
    return *out ? PEFT_OK : pf_fail(PEFT_E_FORMAT, "metadata entry '%s' is missing", key);
}

peft_status pf_meta_read_int(const pf_st *st, const char *key, int64_t *out)
{
    const char *text;
    PF_TRY(pf_meta_read_text(st, key, &text));
    if (pf_parse_int(text, out)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given '%s', expected an integer", key, text);
}
