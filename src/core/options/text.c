/* SPDX-License-Identifier: Apache-2.0
 * text.c -- takes a text of settings apart. */
#include <string.h>
#include "core/base/error.h"
#include "core/options/text.h"

#define BLANKS " \t\r\n"

static const char *skip_blanks(const char *s) { return s + strspn(s, BLANKS); }

/* Does "name=" stand here? */
static bool begins_setting(const char *s)
{
    const size_t n = strcspn(s, "=,[]\"" BLANKS);
    return n && *skip_blanks(s + n) == '=';
}

/* Where a bare value that begins at s ends: at a comma outside brackets, at blanks that a setting follows, or at the
 * end; *depth: brackets that are open there, or -1. */
static const char *end_of_bare(const char *s, int *depth)
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
        *depth += (*s == '[') - (*s == ']');
        end = ++s;
    }
    return end;
}

/* Behind the closing quote of the value at s, or NULL. */
static const char *end_of_quoted(const char *s)
{
    for (s++; *s && *s != '"'; s++) if (*s == '\\' && s[1]) s++;
    return *s ? s + 1 : NULL;
}

static const char *take_value(pf_setting *s)
{
    const char *end;
    int depth = 0;
    if (*s->value == '"') {
        end = end_of_quoted(s->value);
        if (!end) s->trouble = "a quote that is not closed";
        else if (!strchr("," BLANKS, *end)) s->trouble = "text behind its closing quote, expected a comma there";
    } else {
        end = end_of_bare(s->value, &depth);
        if (depth) s->trouble = depth > 0 ? "a [ that is not closed" : "a ] without its [";
    }
    if (s->trouble) s->at = s->value;
    else s->value_length = (size_t)(end - s->value);
    return end;
}

bool pf_setting_next(const char **text, pf_setting *s)
{
    const char *p = *text + strspn(*text, "," BLANKS);
    *s = (pf_setting){ .name = p, .name_length = strcspn(p, "=," BLANKS) };
    if (!*p) return false;
    const char *equals = skip_blanks(p + s->name_length);
    if (!s->name_length || *equals != '=') {
        *s = (pf_setting){ .trouble = "expected name=value", .at = p };
        return true;
    }
    s->value = skip_blanks(equals + 1);
    const char *end = take_value(s);
    if (s->trouble) return true;
    end = skip_blanks(end);
    if (*end && *end != ',' && !begins_setting(end)) {
        s->trouble = "text behind its closing quote, expected a comma there";
        s->at = s->value;
    }
    *text = end;
    return true;
}

bool pf_setting_value(const pf_setting *s, char *to, size_t room)
{
    const bool quoted = s->value_length && *s->value == '"';
    const char *p = s->value + quoted, *end = s->value + s->value_length - quoted;
    for (; p < end && room > 1; room--) {
        if (quoted && *p == '\\' && p + 1 < end) p++;
        *to++ = *p++;
    }
    *to = 0;
    return p == end;
}

peft_status pf_setting_refuse(peft_status status, const char *who, const pf_setting *s)
{
    if (!s->name_length) return pf_fail(status, "%s: %s at: %.80s", who, s->trouble, s->at);
    const int shown = s->name_length < 60 ? (int)s->name_length : 60;
    return pf_fail(status, "%s: the value of '%.*s' has %s: %.80s", who, shown, s->name, s->trouble, s->at);
}

const char *pf_list_next(const char **text, size_t *n)
{
    const char *p = *text + strspn(*text, ",[]\"'" BLANKS);
    *n = strcspn(p, ",[]\"'" BLANKS);
    *text = p + *n;
    return *n ? p : NULL;
}
