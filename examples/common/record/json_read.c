/* SPDX-License-Identifier: Apache-2.0
 * json_read.c -- reads JSON (json_read.h) by recursive descent. */
#include "json_read.h"
#include "common/program/errors.h"
#include <ctype.h>
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

/* The value of four hexadecimal digits; -1: they are not there. */
static int four_digits(const char *s)
{
    static const char digits[] = "0123456789abcdef";
    int value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digit = s[i] ? strchr(digits, tolower((unsigned char)s[i])) : NULL;
        if (!digit) return -1;
        value = 16 * value + (int)(digit - digits);
    }
    return value;
}

static char *put_utf8(char *to, int code)
{
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const int first[] = { 0, 0xc0, 0xe0, 0xf0 };
    *to++ = (char)(first[more] | code >> 6 * more);
    for (int i = more - 1; i >= 0; i--) *to++ = (char)(0x80 | (code >> 6 * i & 0x3f));
    return to;
}

/* Reads the escape \uXXXX at *at, or two of them for a character above ffff, as UTF-8 to *to. \udc80 to \udcff alone
 * are single bytes that are no UTF-8 (json_write.h); other surrogates alone, and \u0000, are kept as they are written.
 * False: four hexadecimal digits are missing. */
static bool read_code(const char **at, char **to)
{
    int code = four_digits(*at + 2);
    if (code < 0) return false;
    const int low = code >= 0xd800 && code < 0xdc00 && (*at)[6] == '\\' && (*at)[7] == 'u' ? four_digits(*at + 8) : -1;
    const bool pair = low >= 0xdc00 && low < 0xe000;
    if (pair) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    if (code >= 0xdc80 && code <= 0xdcff) *(*to)++ = (char)(code & 0xff);
    else if (!code || (code >= 0xd800 && code < 0xe000)) *to = (char *)memcpy(*to, *at, 6) + 6;
    else *to = put_utf8(*to, code);
    *at += pair ? 12 : 6;
    return true;
}

/* Reads a text in quotes; NULL: it is none. */
static char *read_text(const char **at)
{
    if (**at != '"') return NULL;
    const char *end = *at + 1;
    while (*end && *end != '"') end += *end == '\\' && end[1] ? 2 : 1;
    char *text = check_alloc(malloc((size_t)(end - *at))), *to = text;
    for (++*at; **at && **at != '"';) {
        if (**at == '\\' && (*at)[1] == 'u') {
            if (!read_code(at, &to)) break;
            continue;
        }
        char c = *(*at)++;
        if (c == '\\' && !(c = escaped(at))) break;
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

static const char *skip_digits(const char *s) { return s + strspn(s, "0123456789"); }

/* Is the text a number of JSON? strtod takes others too, such as nan, 0x1p3 and .5. */
static bool is_number(const char *s)
{
    s += *s == '-';
    const char *end = skip_digits(s);
    if (end == s || (*s == '0' && end > s + 1)) return false;
    if (*end == '.') {
        s = end + 1;
        if ((end = skip_digits(s)) == s) return false;
    }
    if (*end == 'e' || *end == 'E') {
        s = end + 1;
        s += *s == '+' || *s == '-';
        if ((end = skip_digits(s)) == s) return false;
    }
    return !*end;
}

/* Reads null, true, false or a number. */
static bool read_word(const char **at, json *j)
{
    const size_t n = strcspn(*at, ",]} \t\r\n");
    j->text = check_alloc(strndup(*at, n));
    j->kind = !strcmp(j->text, "null") ? JSON_NULL
              : !strcmp(j->text, "true") || !strcmp(j->text, "false") ? JSON_BOOL : JSON_NUMBER;
    *at += n;
    return j->kind != JSON_NUMBER || is_number(j->text);
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

bool json_is_record(const json *j)
{
    static const char formats[] = "libpeft.record.";
    const char *format = json_text_of(j, "format");
    return format && !strncmp(format, formats, sizeof formats - 1);
}
