/* SPDX-License-Identifier: Apache-2.0
 * list_line.c -- one line of a list: a name, quoted or not, then a whole number, or several that commas separate.
 * Blanks or a comma separate the name from the numbers: `a b.png 1`, `a.png,1`, `"a 1" 0, 1, 0`. Numbers are looked for
 * from the end of the line, because a name without quotes may contain blanks and commas. */
#include "io/source/list.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_part(char c) { return !is_blank(c) && c != ','; }

static bool is_number(const char *s, const char *end)
{
    if (s < end && *s == '-') s++;
    if (s == end) return false;
    while (s < end && *s >= '0' && *s <= '9') s++;
    return s == end;
}

/* The start of the run of characters before at for which is_kind holds. */
static const char *back_over(const char *at, const char *start, bool (*is_kind)(char))
{
    while (at > start && is_kind(at[-1])) at--;
    return at;
}

/* The first of the numbers that start..end ends with, which are counted in l->values; NULL: it ends with no number. */
static const char *find_values(list_line *l, const char *start, const char *end)
{
    const char *at = end;
    l->values = 0;
    for (;;) {
        const char *number = back_over(at, start, is_part);
        if (!is_number(number, at)) return l->values ? l->value : NULL;
        l->value = number;
        l->values++;
        at = back_over(number, start, is_blank);
        if (at == start || at[-1] != ',') return number;
        at = back_over(at - 1, start, is_blank);
    }
}

static list_found wrong(list_line *l, const char *why)
{
    l->wrong = why;
    return LIST_BAD;
}

/* A name in quotes, in which "" stands for one quote; only numbers may follow it. */
static list_found cut_quoted(list_line *l, const char *start, const char *end)
{
    const char *close = start + 1;
    while (close < end && (*close != '"' || (close + 1 < end && close[1] == '"'))) close += *close == '"' ? 2 : 1;
    if (close >= end) return wrong(l, "the name's quote is not closed");
    l->name = start + 1;
    l->name_length = (size_t)(close - l->name);
    l->quoted = true;
    const char *rest = close + 1;
    if (rest < end && !is_blank(*rest) && *rest != ',')
        return wrong(l, "expected a blank or a comma after the quoted name");
    while (rest < end && is_blank(*rest)) rest++;
    if (rest < end && *rest == ',') rest++;
    while (rest < end && is_blank(*rest)) rest++;
    if (find_values(l, rest, end) != rest) return wrong(l, "expected a class number or 0,1,0 after the quoted name");
    return l->name_length ? LIST_LINE : wrong(l, "the name is empty");
}

static list_found cut_plain(list_line *l, const char *start, const char *end)
{
    const char *value = find_values(l, start, end);
    if (!value)
        return wrong(l, "expected a name, then a blank or a comma, then a class number or 0,1,0 (remove a line of "
                        "column names)");
    const char *stop = back_over(value, start, is_blank);
    if (stop > start && stop[-1] == ',') stop = back_over(stop - 1, start, is_blank);
    l->name = start;
    l->name_length = (size_t)(stop - start);
    l->quoted = false;
    if (!l->name_length) return wrong(l, "a class number without a name");
    if (is_number(back_over(stop, start, is_part), stop))
        return wrong(l, "the name ends in a number: separate targets by commas (0,1,0), or put a name that ends in a "
                        "number in quotes");
    if (*start == '\\' || (is_letter(*start) && stop - start > 2 && start[1] == ':' && start[2] == '\\'))
        return wrong(l, "a Windows path; expected a path relative to the list, or an absolute path of this system");
    return LIST_LINE;
}

list_found list_next(list_line *l)
{
    while (*l->next) {
        const char *start = l->next, *end = start + strcspn(start, "\r\n");
        l->next = end + (end[0] == '\r' && end[1] == '\n' ? 2 : *end != 0);
        l->number++;
        while (start < end && is_blank(*start)) start++;
        end = back_over(end, start, is_blank);
        if (start == end || *start == '#') continue;
        return *start == '"' ? cut_quoted(l, start, end) : cut_plain(l, start, end);
    }
    return LIST_END;
}

bool list_value(const char **at, int64_t *out)
{
    size_t n = strspn(*at, "-0123456789");
    const bool good = peft_sys_opt_integer(*at, n, out);
    *at += n;
    *at += strspn(*at, ", \t");
    return good;
}

char *list_name(peft_context *ctx, const list_line *l)
{
    char *name = peft_sys_alloc(ctx, l->name_length + 1), *to = name;
    if (!name) return NULL;
    for (size_t i = 0; i < l->name_length; i++) {
        char c = l->name[i];
        if (l->quoted && c == '"') i++;
        *to++ = c == '\\' ? '/' : c;
    }
    *to = 0;
    return name;
}
