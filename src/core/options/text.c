/* SPDX-License-Identifier: Apache-2.0
 * text.c -- splits a text of settings, "name=value, name=value", and lists in values; see text.h. */
#include <string.h>
#include "core/base/error.h"
#include "core/options/text.h"

#define BLANKS " \t\r\n"

static const char *skip_blanks(const char *s) { return s + strspn(s, BLANKS); }

/* Whether "name=" begins at s. */
static bool begins_setting(const char *s)
{
    const size_t n = strcspn(s, "=,[]\"" BLANKS);
    return n && *skip_blanks(s + n) == '=';
}

/* The end of an unquoted value that begins at s: a comma outside brackets, blanks in front of the next "name=", or the
 * end of the text. *depth: the brackets open there; -1: a ] without its [. */
static const char *end_of_unquoted(const char *s, int *depth)
{
    const char *end = s;                                /* behind the last byte that is not blank */
    *depth = 0;
    while (*s && !(*s == ',' && !*depth) && *depth >= 0) {
        const char *next = skip_blanks(s);
        if (next > s) {
            if (!*depth && begins_setting(next)) break;
            s = next;
            continue;
        }
        *depth += (*s == '[') - (*s == ']');                   /* [ counts 1, ] counts -1 */
        end = ++s;
    }
    return end;
}

/* The end, behind its closing quote, of a quoted value that begins at s; NULL: no closing quote. */
static const char *end_of_quoted(const char *s)
{
    for (s++; *s && *s != '"'; s++) if (*s == '\\' && s[1]) s++;
    return *s ? s + 1 : NULL;
}

/* Finds and returns the end of the value that begins at s->value. Sets its length, or s->error. */
static const char *find_value_end(pf_setting *s)
{
    const char *end;
    int depth = 0;
    if (*s->value == '"') {
        end = end_of_quoted(s->value);
        if (!end) s->error = "a quote that is not closed";
        else if (!strchr("," BLANKS, *end)) s->error = "text behind its closing quote; expected a comma there";
    } else {
        end = end_of_unquoted(s->value, &depth);
        if (depth) s->error = depth > 0 ? "a [ that is not closed" : "a ] without its [";
    }
    if (s->error) s->error_position = s->value;
    else s->value_length = (size_t)(end - s->value);
    return end;
}

/* After an error the caller stops, so *text need not be moved then. */
bool pf_setting_next(const char **text, pf_setting *s)
{
    const char *p = *text + strspn(*text, "," BLANKS);
    *s = (pf_setting){ .name = p, .name_length = strcspn(p, "=," BLANKS) };
    if (!*p) return false;
    const char *equals = skip_blanks(p + s->name_length);
    if (!s->name_length || *equals != '=') {
        *s = (pf_setting){ .error = "expected name=value", .error_position = p };
        return true;
    }
    s->value = skip_blanks(equals + 1);
    const char *end = find_value_end(s);
    if (s->error) return true;
    end = skip_blanks(end);
    if (*end && *end != ',' && !begins_setting(end)) {      /* after a quoted value alone: an unquoted one goes on */
        s->error = "text behind its closing quote; expected a comma there";
        s->error_position = s->value;
    }
    *text = end;
    return true;
}

bool pf_setting_value(const pf_setting *s, char *to, size_t capacity)
{
    const bool quoted = s->value_length && *s->value == '"';
    const char *p = s->value, *end = s->value + s->value_length;
    if (quoted) p++, end--;
    for (; p < end && capacity > 1; capacity--) {
        if (quoted && *p == '\\' && p + 1 < end) p++;           /* the character behind a \ stands for itself */
        *to++ = *p++;
    }
    *to = 0;
    return p == end;
}

/* A setting without a name is shown from the place of the error on; of a long name 60 bytes are shown. */
peft_status pf_setting_refuse(peft_status status, const char *who, const pf_setting *s)
{
    if (!s->name_length)
        return pf_fail(status, "%s: %s at: %.80s (a value with commas needs [brackets] or \"quotes\")", who, s->error,
                       s->error_position);
    const int shown = s->name_length < 60 ? (int)s->name_length : 60;
    return pf_fail(status, "%s: the value of '%.*s' has %s: %.80s", who, shown, s->name, s->error, s->error_position);
}

/* Returns the next item, which is not terminated by a 0. */
const char *pf_list_next(const char **text, size_t *n)
{
    const char *p = *text + strspn(*text, ",[]\"'" BLANKS);
    *n = strcspn(p, ",[]\"'" BLANKS);
    *text = p + *n;
    return *n ? p : NULL;
}
