/* SPDX-License-Identifier: Apache-2.0
 * compare_list.c -- reads compare's list file. Each line is an entry, `label: flags`, with the training flags of
 * recipe.h. `#` begins a comment; a line that begins with a blank continues the entry above. */
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "compare_study.h"
#include "segment/segment.h"
#include "tuning/choice.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { max_words = 64 };

/* Removes blanks at both ends, in place. */
static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1])) text[--n] = 0;
    return text;
}

/* Fails for a flag of finetune that no run of compare can have. */
static void refuse_stages(const char *word)
{
    static const char *const validation[] = { "--val", "--stop", "--patience", "--threshold", "--positive",
                                              "--conformal" };
    static const char cure[] = "leave it out, and run finetune with --seed 1, 2, .. for such an entry";
    if (!strncmp(word, "--then", 6) || !strncmp(word, "--prune", 7))
        fail("%s: a run of compare is one training, and this flag of finetune asks for several; %s", word, cure);
    for (size_t k = 0; k < sizeof validation / sizeof *validation; k++) {
        const size_t n = strlen(validation[k]);
        if (!strncmp(word, validation[k], n) && (!word[n] || word[n] == '='))
            fail("%s: is a flag of finetune, which asks for validation images, and a run of compare has none; %s",
                 validation[k], cure);
    }
}

/* Parses the flags of an entry. location: "list.txt:12", for error messages. */
static void parse_entry_flags(const study *s, entry *e, char *text, char *location)
{
    char *words[max_words + 2] = { location }, *rest = text;
    int count = 1;
    for (char *w; (w = strtok_r(rest, " \t", &rest)); ) {
        if (count > max_words) fail("%s: more than %d words in an entry; expected fewer", location, max_words);
        words[count++] = w;
    }
    const char *program = program_name;
    program_name = location;
    for (int i = 1; i < count; i++) refuse_stages(words[i]);
    optind = 0;                                               /* resets getopt; its messages begin with words[0] */
    int first = read_list_flags(e->recipe, tuned_flags, count, words);
    if (first < count) fail("'%s' is not a flag; expected --name value", words[first]);
    resolve_recipe(e->recipe);                                /* copies the values out of text */
    for (int k = recipe_flags; k < tuned_flags; k++)
        if (e->recipe[k].value) e->recipe[k].value = check_alloc(strdup(e->recipe[k].value));
    if (has_masks(s)) check_mask_recipe(e->recipe);
    if (is_probe(e)) check_probe_flags(e);
    read_candidates(e);
    program_name = program;
}

/* Adds the entry with this text to the study. line: its number in the list file. */
static void read_entry(study *s, char *text, int line, const flag *defaults)
{
    char location[256], *colon = strchr(text, ':');
    snprintf(location, sizeof location, "%s:%d", s->list, line);
    if (!colon) fail("%s: the line has no colon after a label; expected `label: --method NAME ...`", location);
    *colon = 0;
    s->entry = grow_by_one(s->entry, s->entries, sizeof *s->entry);
    entry *e = &s->entry[s->entries];
    *e = (entry){ .label = check_alloc(strdup(trim(text))), .line = line };
    if (!*e->label) fail("%s: the label is empty; expected `label: --method NAME ...`", location);
    for (int64_t i = 0; i < s->entries; i++)
        if (!strcmp(s->entry[i].label, e->label))
            fail("%s: line %d has the same label '%s'; give each entry its own label", location, s->entry[i].line,
                 e->label);
    memcpy(e->recipe, defaults, sizeof e->recipe);
    char *flags = check_alloc(strdup(trim(colon + 1)));
    parse_entry_flags(s, e, flags, location);
    free(flags);
    s->entries++;
}

/* Returns the next entry's text with its lines joined, to be freed; NULL: no more. *line: number of its first line;
 * *last: number of the last line read. */
static char *next_text(FILE *f, int *line, int *last)
{
    char *text = NULL, *row = NULL;
    size_t capacity = 0, length = 0;
    for (int c; (c = getc(f)) != EOF; ) {                     /* c: the first character of the next line */
        ungetc(c, f);
        if (length && !strchr(" \t\r\n#", c)) break;
        if (getline(&row, &capacity, f) < 0) break;
        ++*last;
        row[strcspn(row, "#\n")] = 0;
        if (!*trim(row)) continue;
        if (!length) *line = *last;
        text = check_alloc(realloc(text, length + strlen(row) + 2));
        length += (size_t)sprintf(text + length, " %s", row);
    }
    free(row);
    return text;
}

void read_list(study *s, const flag *defaults)
{
    FILE *f = fopen(s->list, "r");
    if (!f) fail("--methods %s: %s; give the path of a list file", s->list, strerror(errno));
    int line = 0, last = 0;
    for (char *text; (text = next_text(f, &line, &last)); free(text)) read_entry(s, trim(text), line, defaults);
    if (ferror(f)) fail("--methods %s: %s", s->list, strerror(errno));
    if (!s->entries) fail("--methods %s: has no entry; expected lines `label: --method NAME ...`", s->list);
    fclose(f);
}

void free_list(study *s)
{
    for (int64_t i = 0; i < s->entries; i++) {
        for (int k = 0; k < tuned_flags; k++) free((char *)(uintptr_t)s->entry[i].recipe[k].value);
        free_grid(&s->entry[i].candidates);
        free(s->entry[i].label);
        free(s->entry[i].settings);
    }
    free(s->entry);
}
