/* SPDX-License-Identifier: Apache-2.0
 * safetensors_header.c -- reads the header of a safetensors file: the length and the JSON. The JSON is scanned before
 * it is parsed, so that a hostile file cannot exhaust stack or memory by nesting or by the number of values. */
#include "core/base/json_text.h"
#include "core/format/safetensors_header.h"
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the data of safetensors files is little-endian and used without conversion"
#endif

static const pf_st_type types[] = {
#define ROW(name, bits, type) { name, bits, (peft_dtype)type },
#include "core/format/safetensors.def"
#undef ROW
};
#define TYPES (sizeof types / sizeof *types)

const pf_st_type *pf_st_type_named(const char *name)
{
    for (size_t i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, name)) return types + i;
    return NULL;
}

const pf_st_type *pf_st_type_of(peft_dtype type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (type && types[i].type == type) return types + i;
    return NULL;
}

/* Most commas and opening brackets of a valid header: a tensor has at most 8 extents, 2 offsets and a few brackets. */
#define MOST_VALUES ((size_t)PF_ST_TENSORS * 16)

/* Scans the n bytes of JSON. *end is behind the bracket that closes the first one; only blanks may follow. Syntax
 * errors are left to the parser. */
static peft_status scan(const char *json, size_t n, size_t *end)
{
    pf_json_walk w = { .text = json, .size = n };
    size_t values = 0;
    bool closed = false;
    while (!closed && w.position < n) {
        const size_t position = w.position;
        const char c = pf_json_step(&w);
        if (c == '{' || c == '[' || c == ',') values++;
        if (w.depth > PF_ST_DEPTH)
            return pf_fail(PEFT_E_FORMAT, "header nests deeper than %d at byte %zu; expected 3", PF_ST_DEPTH, position);
        if (values > MOST_VALUES)
            return pf_fail(PEFT_E_FORMAT, "header has more than %zu values; expected at most %d tensors", MOST_VALUES,
                           PF_ST_TENSORS);
        /* the parser would read -0 as the integer 0, a valid size */
        if (c == '-' && w.position < n && json[w.position] == '0')
            return pf_fail(PEFT_E_FORMAT, "header has a negative zero at byte %zu; expected sizes >= 0", position);
        closed = (c == '}' || c == ']') && w.depth <= 0;
    }
    *end = closed ? w.position : n;
    for (size_t i = *end; i < n; i++)
        if (json[i] != ' ')
            return pf_fail(PEFT_E_FORMAT, "header has byte 0x%02x after its end, at byte %zu; only blanks may pad it",
                           (unsigned char)json[i], i);
    return PEFT_OK;
}

peft_status pf_st_header(const uint8_t *file, size_t size, json_t **root, size_t *length)
{
    uint64_t n;
    if (size < sizeof n)
        return pf_fail(PEFT_E_FORMAT, "file has %zu bytes; expected at least the 8 of the header's length", size);
    memcpy(&n, file, sizeof n);
    if (n > PF_ST_HEADER)
        return pf_fail(PEFT_E_FORMAT, "header length is %llu; expected at most %d", (unsigned long long)n,
                       PF_ST_HEADER);
    if (n > size - sizeof n)
        return pf_fail(PEFT_E_FORMAT, "header length is %llu and %zu bytes follow: the file is cut short",
                       (unsigned long long)n, size - sizeof n);
    const char *json = (const char *)file + sizeof n;
    if (!n || *json != '{')
        return pf_fail(PEFT_E_FORMAT, "header %s; expected it to start with {",
                       n ? "starts with another character" : "is empty");
    *length = (size_t)n;
    size_t end = 0;
    PF_TRY(scan(json, *length, &end));
    return pf_json_parse(json, end, "header", root);
}
