/* SPDX-License-Identifier: Apache-2.0
 * list_line.c -- parses a line of a list: a name, in quotes or not, blanks or a comma, then a whole number or several
 * with commas between them: `a b.png 1`, `a.png,1`, `"a 1" 0, 1, 0`. A line is read from its end, because a name
 * without quotes may contain blanks and commas. */
#include "io/source/list/list.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
/* A character of a word: a name without blanks and commas, or a number. */
static bool is_word(char c) { return !is_blank(c) && c != ','; }

/* Whether s..end is a whole number, which may be negative. */
static bool is_number(const char *s, const char *end)
{
    if (s < end && *s == '-') s++;
    if (s == end) return false;
    while (s < end && *s >= '0' && *s <= '9') s++;
    return s == end;
}

/* Goes back from `from`, not beyond start, over all characters for which is_skipped is true; returns the first of them,
 * or `from` where there is none. */
static const char *skip_back(const char *from, const char *start, bool (*is_skipped)(char))
{
    while (from > start && is_skipped(from[-1])) from--;
    return from;
}

/* Finds the numbers with which the text start..end ends: returns the first of them, and sets l->values to how many
 * there are. NULL: the text does not end with a number. */
static const char *find_values(list_line *l, const char *start, const char *end)
{
    const char *rest = end;                                   /* start..rest is not read yet */
    l->values = 0;
    for (;;) {
        const char *number = skip_back(rest, start, is_word);
        if (!is_number(number, rest)) return l->values ? l->value : NULL;
        l->value = number;
        l->values++;
        rest = skip_back(number, start, is_blank);
        if (rest == start || rest[-1] != ',') return number;
        rest = skip_back(rest - 1, start, is_blank);
    }
}

static list_result bad_line(list_line *l, const char *problem)
{
    l->problem = problem;
    return LIST_BAD;
}

/* Parses a line whose name is in quotes, where "" stands for one quote; only numbers may follow the name. */
static list_result parse_quoted(list_line *l, const char *start, const char *end)
{
    const char *close = start + 1;                            /* goes to the quote that ends the name */
    while (close < end && (*close != '"' || (close + 1 < end && close[1] == '"'))) close += *close == '"' ? 2 : 1;
    if (close >= end) return bad_line(l, "the name's quote is not closed");
    l->name = start + 1;
    l->name_length = (size_t)(close - l->name);
    l->quoted = true;
    const char *rest = close + 1;
    if (rest < end && !is_blank(*rest) && *rest != ',')
        return bad_line(l, "expected a blank or a comma after the quoted name");
    while (rest < end && is_blank(*rest)) rest++;
    if (rest < end && *rest == ',') rest++;
    while (rest < end && is_blank(*rest)) rest++;
    const bool no_numbers = rest == end && l->numbers_optional;
    if (no_numbers) l->values = 0;
    if (!no_numbers && find_values(l, rest, end) != rest)
        return bad_line(l, "expected a class number or 0,1,0 after the quoted name");
    return l->name_length ? LIST_LINE : bad_line(l, "the name is empty");
}

/* Parses a line whose name is not in quotes. */
static list_result parse_plain(list_line *l, const char *start, const char *end)
{
    const char *value = find_values(l, start, end);
    if (!value && l->numbers_optional) value = end;
    if (!value)
        return bad_line(l, "expected a name, then a blank or a comma, then a class number or 0,1,0; a table with "
                           "column names needs one with a common name (image, label, patient, split), or the options "
                           "path= and label=");
    const char *stop = skip_back(value, start, is_blank);
    if (l->values && stop > start && stop[-1] == ',') stop = skip_back(stop - 1, start, is_blank);
    l->name = start;
    l->name_length = (size_t)(stop - start);
    l->quoted = false;
    if (!l->name_length) return bad_line(l, "a class number without a name");
    if (l->values && is_number(skip_back(stop, start, is_word), stop))
        return bad_line(l, "the name ends in a number: separate targets by commas (0,1,0), or put a name that ends "
                           "in a number in quotes");
    if (*start == '\\' || (is_letter(*start) && stop - start > 2 && start[1] == ':' && start[2] == '\\'))
        return bad_line(l, "a Windows path; expected a path relative to the list, or an absolute path of this system");
    return LIST_LINE;
}

list_result list_next(list_line *l)
{
    while (*l->next) {
        const char *start = l->next, *end = start + strcspn(start, "\r\n");
        if (end[0] == '\r' && end[1] == '\n') l->next = end + 2;
        else l->next = *end ? end + 1 : end;                  /* the text may end without a line break */
        l->number++;
        while (start < end && is_blank(*start)) start++;
        end = skip_back(end, start, is_blank);
        if (start == end || *start == '#') continue;
        return *start == '"' ? parse_quoted(l, start, end) : parse_plain(l, start, end);
    }
    return LIST_END;
}

bool list_value(const char **value, int64_t *out)
{
    size_t length = strspn(*value, "-0123456789");
    const bool fits = peft_sys_opt_integer(*value, length, out);
    *value += length;
    *value += strspn(*value, ", \t");
    return fits;
}

char *list_name(peft_context *ctx, const list_line *l)
{
    char *name = peft_sys_alloc(ctx, l->name_length + 1), *to = name;
    if (!name) return NULL;
    for (size_t i = 0; i < l->name_length; i++) {
        char c = l->name[i];
        if (l->quoted && c == '"') i++;                       /* "" is one quote */
        *to++ = c == '\\' ? '/' : c;
    }
    *to = 0;
    return name;
}
