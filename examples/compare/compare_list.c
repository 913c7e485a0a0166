/* SPDX-License-Identifier: Apache-2.0
 * compare_list.c -- the list of what is compared, a line each: `label: flags`, the flags being those of finetune that
 * say how a model is trained. A # and what follows it is a comment; a line that begins with a blank goes on with the
 * entry above. */
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "compare_study.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { most_words = 64 };

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1])) text[--n] = 0;
    return text;
}

static void read_flags_of(entry *e, char *text, char *place)
{
    char *words[most_words + 2] = { place }, *rest = text;
    int count = 1;
    for (char *w; (w = strtok_r(rest, " \t", &rest)); ) {
        if (count > most_words) fail("%s: more than %d words", place, most_words);
        words[count++] = w;
    }
    const char *program = program_name;
    program_name = place;
    optind = 0;                                               /* getopt starts anew; it names words[0] in messages */
    int first = read_flags(e->recipe, recipe_flags, NULL, count, words);
    if (first < count) fail("'%s' is no flag; expected --name value", words[first]);
    settle_recipe(e->recipe);                                 /* values of its own, so that the words can go */
    program_name = program;
}

static void read_entry(study *s, char *text, int line, const flag *defaults)
{
    char place[256], *colon = strchr(text, ':');
    snprintf(place, sizeof place, "%s:%d", s->list, line);
    if (!colon) fail("%s: no label; expected `label: --method NAME ...`", place);
    *colon = 0;
    s->entry = need(realloc(s->entry, (size_t)(s->entries + 1) * sizeof *s->entry));
    entry *e = &s->entry[s->entries];
    *e = (entry){ .label = need(strdup(trim(text))), .line = line };
    if (!*e->label) fail("%s: the label is empty", place);
    for (int64_t i = 0; i < s->entries; i++)
        if (!strcmp(s->entry[i].label, e->label))
            fail("%s: the label '%s' is that of line %d", place, e->label, s->entry[i].line);
    memcpy(e->recipe, defaults, sizeof e->recipe);
    char *flags = need(strdup(trim(colon + 1)));
    read_flags_of(e, flags, place);
    free(flags);
    s->entries++;
}

/* The next entry's text, its lines joined; line: the number of its first, last: of the last one read. NULL: no more. */
static char *next_text(FILE *f, int *line, int *last)
{
    char *text = NULL, *row = NULL;
    size_t room = 0, length = 0;
    for (int c; (c = getc(f)) != EOF; ) {
        ungetc(c, f);
        if (length && !strchr(" \t\r\n#", c)) break;
        if (getline(&row, &room, f) < 0) break;
        ++*last;
        row[strcspn(row, "#\n")] = 0;
        if (!*trim(row)) continue;
        if (!length) *line = *last;
        text = need(realloc(text, length + strlen(row) + 2));
        length += (size_t)sprintf(text + length, " %s", row);
    }
    free(row);
    return text;
}

void read_list(study *s, const flag *defaults)
{
    FILE *f = fopen(s->list, "r");
    if (!f) fail("%s: %s", s->list, strerror(errno));
    int line = 0, last = 0;
    for (char *text; (text = next_text(f, &line, &last)); free(text)) read_entry(s, trim(text), line, defaults);
    if (ferror(f)) fail("%s: %s", s->list, strerror(errno));
    if (!s->entries) fail("%s: nothing to compare", s->list);
    fclose(f);
}

void free_list(study *s)
{
    for (int64_t i = 0; i < s->entries; i++) {
        for (int k = 0; k < recipe_flags; k++) free((char *)(uintptr_t)s->entry[i].recipe[k].value);
        free(s->entry[i].label);
        free(s->entry[i].settings);
    }
    free(s->entry);
}
