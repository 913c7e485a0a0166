/* SPDX-License-Identifier: Apache-2.0
 * json_text.c -- parses JSON text by jansson, walks over it unparsed, and writes it; checks UTF-8. */
#include "core/base/json_text.h"
#include <errno.h>
#include <string.h>

/* The bytes of all strings in JSON text, as UTF-8. jansson loses characters of a long string, without an error, when
 * its allocator fails once while it reads; so this count is compared with that of the parsed value. */
static size_t string_bytes_in_text(const char *text, size_t n)
{
    size_t bytes = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"') in_string = !in_string;
        else if (in_string && text[i] != '\\') bytes++;
        else if (in_string && text[++i] != 'u') bytes++;        /* \n, \" and so on: one byte */
        else if (in_string) {
            unsigned code = 0;                        /* \uXXXX; valid, as the text was parsed. i: at the u */
            for (size_t k = i + 1; k < i + 5 && k < n; k++)     /* adds the value of each hexadecimal digit */
                code = code << 4 | ((unsigned char)text[k] <= '9' ? text[k] & 15u : (text[k] & 7u) + 9);
            const bool surrogate_pair = code >= 0xD800 && code < 0xDC00;
            bytes += surrogate_pair ? 4 : code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
            i += surrogate_pair ? 10 : 4;             /* to the end of XXXX, or of XXXX\uXXXX */
        }
    }
    return bytes;
}

/* The bytes of all strings and names in a parsed value. */
static size_t string_bytes_in_value(const json_t *j)
{
    size_t bytes = json_string_length(j), i;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value) bytes += strlen(key) + string_bytes_in_value(value);
    json_array_foreach(j, i, value) bytes += string_bytes_in_value(value);
    return bytes;
}

peft_status pf_json_parse(const char *text, size_t n, const char *what, json_t **root)
{
    json_error_t error = { .line = 0 }, first;
    /* When jansson's allocator fails, the error often has neither code nor text, or describes a token that was cut. So
     * a text that fails is parsed again: only if it fails in the same way and place, the text is at fault. */
    for (int i = 0; i < 2; i++) {
        first = error;
        errno = 0;
        *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
        if (*root && string_bytes_in_value(*root) == string_bytes_in_text(text, n)) return PEFT_OK;
        if (*root) {
            json_decref(*root);
            *root = NULL;
            return pf_nomem(what, n);
        }
        if (json_error_code(&error) == json_error_out_of_memory || !error.text[0] || errno == ENOMEM)
            return pf_nomem(what, n);
    }
    if (first.position != error.position || strcmp(first.text, error.text)) return pf_nomem(what, n);
    return pf_fail(PEFT_E_FORMAT, "%s is not valid JSON at line %d, byte %d: %s", what, error.line, error.position,
                   error.text);
}

/* A backslash in a string takes the character behind it with it. */
char pf_json_step(pf_json_walk *w)
{
    if (w->position >= w->size) return 0;
    const char c = w->text[w->position++];
    if (c == '{' || c == '[') w->depth++;
    if (c == '}' || c == ']') w->depth--;
    if (c != '"') return c;
    while (w->position < w->size && w->text[w->position] != '"') w->position += w->text[w->position] == '\\' ? 2 : 1;
    w->position = w->position < w->size ? w->position + 1 : w->size;
    return c;
}

peft_status pf_json_parse_config(const char *text, size_t n, int depth, json_t **root)
{
    enum { MOST_BYTES = 1 << 20 };
    pf_json_walk w = { .text = text, .size = n };
    if (n > MOST_BYTES) return pf_fail(PEFT_E_FORMAT, "has %zu bytes: expected at most %d", n, MOST_BYTES);
    while (w.position < n) {
        pf_json_step(&w);
        if (w.depth > depth) return pf_fail(PEFT_E_FORMAT, "is nested deeper than %d", depth);
    }
    return pf_json_parse(text, n, "the configuration", root);
}

int pf_text_add(const char *bytes, size_t n, void *text)
{
    pf_text *t = text;
    if (n >= t->capacity - t->length) {
        size_t capacity = 2 * (t->length + n) + 4096;
        char *larger = pf_realloc(t->ctx, t->text, capacity);
        if (!larger) return -1;
        t->text = larger;
        t->capacity = capacity;
    }
    memcpy(t->text + t->length, bytes, n);
    t->length += n;
    t->text[t->length] = 0;
    return 0;
}

peft_status pf_json_write(peft_context *ctx, const json_t *root, size_t flags, char **text)
{
    pf_text t = { .ctx = ctx };
    if (root && !json_dump_callback(root, pf_text_add, &t, flags)) {
        *text = t.text;
        return PEFT_OK;
    }
    size_t bytes = t.length;
    pf_free(ctx, t.text);
    return pf_nomem("JSON text", bytes);
}

bool pf_is_utf8(const char *s)
{
    /* smallest[n]: the least code point that needs a sequence of n bytes */
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    for (const unsigned char *c = (const unsigned char *)s; *c;) {
        /* n: bytes of the sequence that begins with *c; 0: no sequence begins so */
        int n = *c < 0x80 ? 1 : *c < 0xC2 ? 0 : *c < 0xE0 ? 2 : *c < 0xF0 ? 3 : *c < 0xF5 ? 4 : 0;
        uint32_t point = n == 1 ? *c : *c & (0x7Fu >> n);       /* the first byte's bits of the code point */
        if (!n) return false;
        for (int i = 1; i < n; i++) {
            if ((c[i] & 0xC0) != 0x80) return false;
            point = point << 6 | (c[i] & 0x3F);
        }
        if (point < smallest[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return false;
        c += n;
    }
    return true;
}
