/* SPDX-License-Identifier: Apache-2.0
 * json_text.h -- JSON to and from text. The program may have given jansson allocators of its own: text that jansson
 * makes would have to be freed by those, so it is written into memory of the context instead. */
#ifndef PF_JSON_TEXT_H
#define PF_JSON_TEXT_H
#include <jansson.h>
#include "core/base/context.h"

/* Duplicate names are refused. PEFT_E_FORMAT: not JSON, "<what> is not valid JSON at line 3: ..." ; PEFT_E_NOMEM. */
peft_status pf_json_parse(const char *text, size_t n, const char *what, json_t **root);

/* A walk over JSON text that skips what is inside strings; text that is not valid JSON does no harm. at: the next byte;
 * depth: brackets opened and not closed in front of it. */
typedef struct pf_json_walk { const char *text; size_t size, at; int depth; } pf_json_walk;
/* The next character outside strings, and for a whole string one quote: {"a":[1]} is walked as { " : [ 1 ] }. 0: the
 * end. */
char pf_json_step(pf_json_walk *w);

/* pf_json_parse for a file that is not trusted: "the configuration" has at most 1 MiB, and its brackets nest at most
 * depth deep, because the parser recurses into them. */
peft_status pf_json_parse_config(const char *text, size_t n, int depth, json_t **root);

/* Text that grows; at[length] is 0 once something was added. Freed with pf_free(ctx, at). */
typedef struct pf_text { peft_context *ctx; char *at; size_t length, room; } pf_text;
int pf_text_add(const char *bytes, size_t n, void *text);     /* a json_dump_callback_t; -1: no memory */
/* root (NULL: PEFT_E_NOMEM, so that it may come from a call that failed) as text of the context. */
peft_status pf_json_write(peft_context *ctx, const json_t *root, size_t flags, char **text);

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool pf_is_utf8(const char *s);
#endif
