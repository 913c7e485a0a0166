/* SPDX-License-Identifier: Apache-2.0
 * json_text.h -- parses and writes JSON text, by jansson. Text is written into memory of the context: text that jansson
 * allocates would have to be freed by the allocator that the application may have set for jansson. */
#ifndef PF_JSON_TEXT_H
#define PF_JSON_TEXT_H
#include <jansson.h>
#include "core/base/context.h"

/* Parses n bytes; the caller owns *root. PEFT_E_FORMAT: text is no JSON, or an object has a name twice: "<what> is not
 * valid JSON at line 3, byte 40: ...". */
peft_status pf_json_parse(const char *text, size_t n, const char *what, json_t **root);

/* A walk over JSON text without parsing it, which skips the inside of strings; the text need not be valid JSON.
 * position: of the next byte; depth: the brackets open there. */
typedef struct pf_json_walk { const char *text; size_t size, position; int depth; } pf_json_walk;
/* Takes one step: returns the next character outside strings, and one quote for a whole string, so that {"a":[1]} gives
 * { " : [ 1 ] }. 0: the end of the text. */
char pf_json_step(pf_json_walk *w);

/* pf_json_parse for a configuration file, which may be hostile: refuses more than 1 MiB, and brackets nested deeper
 * than depth, as the parser recurses into them. */
peft_status pf_json_parse_config(const char *text, size_t n, int depth, json_t **root);

/* Text that grows; text[length] is 0 once something was added. The caller frees it: pf_free(ctx, text). */
typedef struct pf_text { peft_context *ctx; char *text; size_t length, capacity; } pf_text;
/* Appends n bytes to text, a pf_text *. 0, or -1: no memory. The form is that of jansson's json_dump_callback_t. */
int pf_text_add(const char *bytes, size_t n, void *text);
/* Writes root as JSON into memory of the context. root NULL, the result of a call without memory, gives
 * PEFT_E_NOMEM. */
peft_status pf_json_write(peft_context *ctx, const json_t *root, size_t flags, char **text);

/* Whether s is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool pf_is_utf8(const char *s);
#endif
