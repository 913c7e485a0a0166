/* SPDX-License-Identifier: Apache-2.0
 * json_write.h -- writes a JSON text of objects and lists, one member on a line. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 16 };
/* f: of the text; depth: of open objects and lists. */
typedef struct json_writer { FILE *f; int depth; bool any[JSON_DEPTH], list[JSON_DEPTH]; } json_writer;

/* Writes a JSON string. A byte bb that is no UTF-8, as names of files may have, becomes \udcbb, as by os.fsdecode of
 * Python, so that the JSON is valid. */
void        put_json_text(FILE *f, const char *text);
json_writer json_to(FILE *f);
/* A JSON text in memory: open_json begins it, close_json returns it, to be freed; its length is in size. */
typedef struct json_buffer { json_writer w; char *text; size_t size; } json_buffer;
void  open_json(json_buffer *b);
char *close_json(json_buffer *b);
/* A member of the open object; of the open list with name NULL. json_object and json_list open another, json_close
 * closes it. value NULL of a text, and numbers that are not finite: null. */
void json_object(json_writer *w, const char *name);
void json_list(json_writer *w, const char *name);
void json_close(json_writer *w);
void json_text(json_writer *w, const char *name, const char *value);
void json_integer(json_writer *w, const char *name, int64_t value);
void json_number(json_writer *w, const char *name, double value);
void json_null(json_writer *w, const char *name);
/* A member whose value is the text of another writer, an object or a list; NULL: null. */
void json_raw(json_writer *w, const char *name, const char *text);
#endif
