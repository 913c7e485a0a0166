/* SPDX-License-Identifier: Apache-2.0
 * image_options.c -- lists of settings, "slice=3,window=none", one over another (image_options.h). */
#include "image_options.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* Does "name=" begin at s? */
static bool begins_setting(const char *s)
{
    const size_t n = strcspn(s, "=,[]\"" BLANKS);
    return n && s[n + strspn(s + n, BLANKS)] == '=';
}

/* The end of the setting that begins at s: a comma outside quotes and brackets, or blanks before the next "name=". */
static const char *setting_end(const char *s)
{
    bool quoted = false;
    int depth = 0;
    s += strcspn(s, "=");
    if (*s) s++;
    for (s += strspn(s, BLANKS); *s; s++) {
        if (quoted && *s == '\\' && s[1]) s++;
        else if (*s == '"') quoted = !quoted;
        else if (!quoted) {
            depth += (*s == '[') - (*s == ']');
            if (*s == ',' && depth <= 0) break;
            if (strchr(BLANKS, *s) && depth <= 0 && begins_setting(s + strspn(s, BLANKS))) break;
        }
    }
    return s;
}

/* The setting that begins at *text, with the lengths of its name and of all of it; moves *text behind it. NULL: no
 * setting is left. */
static const char *next_setting(const char **text, size_t *name, size_t *length)
{
    const char *s = *text + strspn(*text, "," BLANKS);
    if (!*s) return NULL;
    *name = strcspn(s, "=," BLANKS);
    *text = setting_end(s);
    *length = (size_t)(*text - s);
    return s;
}

/* The words are those of read_slice in src/io/format/load.c. */
bool asks_for_slice(const char *error) { return strstr(error, "choose one of them with the option slice=N"); }

const char *find_image_option(const char *text, const char *name, size_t length)
{
    size_t found, all;
    for (const char *s; text && (s = next_setting(&text, &found, &all)); )
        if (found == length && !strncmp(s, name, length)) return s;
    return NULL;
}

char *kept_image_options(const char *base, const char *given)
{
    char *kept;
    size_t size, name, length;
    FILE *f = check_alloc(open_memstream(&kept, &size));
    for (const char *s; base && (s = next_setting(&base, &name, &length)); )
        if (!find_image_option(given, s, name)) fprintf(f, "%s%.*s", ftell(f) ? "," : "", (int)length, s);
    if (fclose(f)) fail("out of memory");
    return kept;
}

char *merge_image_options(const char *base, const char *given)
{
    char *merged, *kept = kept_image_options(base, given);
    if (asprintf(&merged, "%s%s%s", kept, *kept && given && *given ? "," : "", given ? given : "") < 0)
        fail("out of memory");
    free(kept);
    return merged;
}
