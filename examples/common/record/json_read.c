/* SPDX-License-Identifier: Apache-2.0
 * json_read.c -- reads JSON (json_read.h) by recursive descent. */
#include "json_read.h"
#include "common/program/errors.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

static void skip_blanks(const char **at) { *at += strspn(*at, " \t\r\n"); }

static void clear(json *j)
{
    for (size_t i = 0; i < j->count; i++) clear(&j->item[i]);
    free(j->item);
    free(j->name);
    free(j->text);
    *j = (json){ 0 };
}

/* A character behind a backslash; *at is moved over it. 0: none that is known. */
static char escaped(const char **at)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *k = **at ? strchr(names, **at) : NULL;
    if (!k) return 0;
    ++*at;
    return values[k - names];
}

/* Reads a text in quotes; NULL: it is none. */
static char *read_text(const char **at)
{
    if (**at != '"') return NULL;
    const char *end = *at + 1;
    while (*end && *end != '"') end += *end == '\\' && end[1] ? 2 : 1;
    char *text = check_alloc(malloc((size_t)(end - *at))), *to = text;
    for (++*at; **at && **at != '"';) {
        unsigned code;
        char c = *(*at)++;
        if (c == '\\' && **at == 'u' && sscanf(*at + 1, "%4x", &code) == 1 && code && code < 0x80) {
            *at += 5;
            c = (char)code;
        } else if (c == '\\' && **at != 'u' && !(c = escaped(at))) break;
        *to++ = c;
    }
    *to = 0;
    if (**at == '"') {
        ++*at;
        return text;
    }
    free(text);
    return NULL;
}

static bool read_value(const char **at, json *j, int depth);

/* Reads the members of a list or an object, whose bracket *at is behind. */
static bool read_members(const char **at, json *j, int depth)
{
    const char end = j->kind == JSON_OBJECT ? '}' : ']';
    for (size_t room = 0;; j->count++) {
        skip_blanks(at);
        if (**at == end && !j->count) break;
        if (j->count == room) {
            room = room ? 2 * room : 8;
            j->item = check_alloc(realloc(j->item, room * sizeof *j->item));
        }
        json *member = &j->item[j->count];
        *member = (json){ 0 };
        if (end == '}') {
            if (!(member->name = read_text(at))) return false;
            skip_blanks(at);
            if (*(*at)++ != ':') return j->count++, false;
        }
        if (!read_value(at, member, depth + 1)) return j->count++, false;
        skip_blanks(at);
        if (**at == end) {
            j->count++;
            break;
        }
        if (*(*at)++ != ',') return j->count++, false;
    }
    ++*at;
    return true;
}

/* Reads null, true, false or a number. */
static bool read_word(const char **at, json *j)
{
    const size_t n = strcspn(*at, ",]} \t\r\n");
    j->text = check_alloc(strndup(*at, n));
    j->kind = !strcmp(j->text, "null") ? JSON_NULL
              : !strcmp(j->text, "true") || !strcmp(j->text, "false") ? JSON_BOOL : JSON_NUMBER;
    *at += n;
    char *end;
    if (j->kind == JSON_NUMBER) (void)strtod(j->text, &end);
    return n && (j->kind != JSON_NUMBER || !*end);
}

static bool read_value(const char **at, json *j, int depth)
{
    skip_blanks(at);
    if (depth == DEEPEST) return false;
    if (**at == '"') {
        j->kind = JSON_TEXT;
        return (j->text = read_text(at));
    }
    if (**at != '{' && **at != '[') return read_word(at, j);
    j->kind = **at == '{' ? JSON_OBJECT : JSON_LIST;
    ++*at;
    return read_members(at, j, depth);
}

json *json_parse(const char *text)
{
    json *j = check_alloc(calloc(1, sizeof *j));
    if (read_value(&text, j, 0)) {
        skip_blanks(&text);
        if (!*text) return j;
    }
    json_free(j);
    return NULL;
}

void json_free(json *j)
{
    if (!j) return;
    clear(j);
    free(j);
}

const json *json_member(const json *j, const char *name)
{
    for (size_t i = 0; j && j->kind == JSON_OBJECT && i < j->count; i++)
        if (!strcmp(j->item[i].name, name)) return &j->item[i];
    return NULL;
}

const char *json_text_of(const json *j, const char *name)
{
    const json *m = json_member(j, name);
    return m && m->kind != JSON_NULL ? m->text : NULL;
}
