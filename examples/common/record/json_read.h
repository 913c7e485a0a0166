/* SPDX-License-Identifier: Apache-2.0
 * json_read.h -- reads a JSON text into a tree. */
#ifndef JSON_READ_H
#define JSON_READ_H
#include <stdbool.h>
#include <stddef.h>

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT } json_kind;
/* A value. text: of a text its characters; of another scalar as it stands in the file ("0.5", "true"); NULL for a list
 * or an object, whose members are item[0..count-1]; name: in its object, else NULL. */
typedef struct json { json_kind kind; char *name, *text; struct json *item; size_t count; } json;

/* Parses the text; to be freed by json_free. NULL: it is no JSON, or nested more than 64 deep. \u escapes
 * become UTF-8; \u0000 and surrogates that are no pair are kept as written, but for \udc80 to \udcff (json_write.h). */
json       *json_parse(const char *text);
void        json_free(json *j);
const json *json_member(const json *j, const char *name);     /* NULL: j (or NULL) has no such member */
/* Is it a training record (record.h) of some version? j may be NULL. */
bool        json_is_record(const json *j);
const char *json_text_of(const json *j, const char *name);    /* the text of a member that is a scalar; NULL: none */
#endif
