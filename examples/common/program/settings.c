/* SPDX-License-Identifier: Apache-2.0
 * settings.c -- parses and prints lists of settings, "name=value,name=value" (settings.h). */
#include "settings.h"
#include "errors.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blank[] = " \t\n";

static char *trimmed(const char *text, size_t n)      /* copies text[0..n-1] without blanks at both ends; to be freed */
{
    while (n && strchr(blank, *text)) text++, n--;
    while (n && strchr(blank, text[n - 1])) n--;
    return check_alloc(strndup(text, n));
}

/* Bytes up to the next of the characters `separators` that is not inside brackets or quotes. */
static size_t piece_length(const char *text, const char *separators)
{
    int depth = 0;                                            /* number of brackets that are open */
    bool quoted = false;
    size_t n = 0;
    for (; text[n]; n++) {
        const char c = text[n];
        if (quoted && c == '\\' && text[n + 1]) n++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted) {
            depth += (c == '[') - (c == ']');
            if (depth <= 0 && strchr(separators, c)) break;
        }
    }
    return n;
}

char *next_piece(const char **text, const char *separators)
{
    const size_t n = piece_length(*text, separators);
    char *piece = trimmed(*text, n);
    *text += n + ((*text)[n] != 0);
    return piece;
}

/* Turns "a\"b" with its quotes into a"b, as peft_options_parse does. */
static void unquote(char *value)
{
    char *out = value;
    if (*value != '"') return;
    for (char *in = value + 1; *in && *in != '"'; in++) {
        if (*in == '\\' && in[1]) in++;
        *out++ = *in;
    }
    *out = 0;
}

void set_setting(settings *s, const char *name, const char *value)
{
    int i = 0;
    while (i < s->count && strcmp(s->item[i].name, name)) i++;
    if (i == s->count) {
        s->item = grow_by_one(s->item, i, sizeof *s->item);
        s->item[s->count++] = (setting){ check_alloc(strdup(name)), NULL };
    }
    char *copy = check_alloc(strdup(value));
    free(s->item[i].value);
    s->item[i].value = copy;
}

void remove_setting(settings *s, const char *name)
{
    int i = 0;
    while (strcmp(s->item[i].name, name)) i++;
    free(s->item[i].name);
    free(s->item[i].value);
    for (s->count--; i < s->count; i++) s->item[i] = s->item[i + 1];
}

/* Appends a piece without "=" to the value before it: 2.5 in "class_weights=1,2.5". */
static void append_value(setting *to, const char *piece)
{
    char *longer;
    if (asprintf(&longer, "%s,%s", to->value, piece) < 0) fail("out of memory");
    free(to->value);
    to->value = longer;
}

static settings split_settings(const char *text, const char *separators, const char *list_name)
{
    settings s = { 0 };
    while (text && *text) {
        char *piece = next_piece(&text, separators), *equals = strchr(piece, '=');
        if (!*piece) {
            free(piece);
            continue;
        }
        if (equals == piece || (!equals && !s.count))
            fail("%s: '%s' is not of the form name=value; expected name=value,name=value", list_name, piece);
        if (!equals) {
            append_value(&s.item[s.count - 1], piece);
        } else {
            char *name = trimmed(piece, (size_t)(equals - piece)), *value = trimmed(equals + 1, strlen(equals + 1));
            if (find_setting(&s, name)) fail("%s: '%s' is given twice; give it once", list_name, name);
            unquote(value);
            set_setting(&s, name, value);
            free(name);
            free(value);
        }
        free(piece);
    }
    return s;
}

settings read_settings(const char *text, const char *list_name) { return split_settings(text, ",", list_name); }

settings read_transform_settings(const char *text, const char *list_name)
{
    return split_settings(text, ", \t\n", list_name);
}

void free_settings(settings *s)
{
    for (int i = 0; i < s->count; i++) {
        free(s->item[i].name);
        free(s->item[i].value);
    }
    free(s->item);
    *s = (settings){ 0 };
}

const char *find_setting(const settings *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (!strcmp(s->item[i].name, name)) return s->item[i].value;
    return NULL;
}

char *settings_text(const settings *s)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int i = 0; i < s->count; i++) fprintf(f, "%s%s=%s", i ? "," : "", s->item[i].name, s->item[i].value);
    if (fclose(f)) fail("out of memory");
    return text;
}

peft_options *empty_options(peft_context *ctx)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    return o;
}

peft_options *options_from_text(peft_context *ctx, const char *text)
{
    peft_options *o = empty_options(ctx);
    if (text) must(peft_options_parse(o, text));
    return o;
}

peft_options *options_from_settings(peft_context *ctx, const settings *s)
{
    peft_options *o = empty_options(ctx);
    for (int i = 0; i < s->count; i++) must(peft_options_set_string(o, s->item[i].name, s->item[i].value));
    return o;
}
