/* SPDX-License-Identifier: Apache-2.0
 * files.c -- the files of a table's pictures: their paths, and which of them do not exist. */
#include "io/table/table.h"
#include "io/below.h"
#include "io/format/formats.h"
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_NAMED = 3, DEPTH = 3 };                            /* files in a message; folders that are searched */

/* The folder that relative paths begin in, with a slash at its end, or "" for the current one; NULL: no memory. */
static char *base_folder(const io_table *t)
{
    const char *given = t->options.folder;
    if (*given) return io_join(t->ctx, given, given[strlen(given) - 1] == '/' ? "" : "/");
    return io_folder_of(t->ctx, t->path);
}

/* Whether a path with slashes is one of Windows: C:/scans/1.png, //server/1.png. */
static bool is_of_windows(const char *s)
{
    const char letter = io_lower(*s);
    return (letter >= 'a' && letter <= 'z' && s[1] == ':') || (s[0] == '/' && s[1] == '/');
}

/* The cell without the text of option strip; backslashes become slashes. */
static const char *relative_name(const io_table *t, char *cell)
{
    const char *strip = t->options.strip;
    size_t n = 0;
    for (char *c = cell; *c; c++)
        if (*c == '\\') *c = '/';
    while (strip[n] && (cell[n] == strip[n] || (cell[n] == '/' && strip[n] == '\\'))) n++;
    return strip[n] ? cell : cell + n;
}

static peft_status name_file(io_table *t, int64_t r, const char *base)
{
    const char *name = relative_name(t, t->csv.cell[r * t->csv.columns + t->name]);
    if (!*name)
        return io_table_bad_row(t, r, "no path in column '%.80s'; add it, or remove the line",
                                io_table_cell(t, 0, t->name));
    if (is_of_windows(name))
        return io_table_bad_row(t, r, "'%.200s' is a path of Windows; give strip=TEXT, the text in front that is to be "
                                "removed, and folder=FOLDER, where the rest begins", name);
    char *path = io_join(t->ctx, *name == '/' ? "" : base, name);
    if (path) t->file[r] = io_join(t->ctx, path, t->options.ending);
    peft_sys_free(t->ctx, path);
    return t->file[r] ? PEFT_OK : io_nomem(t->path);
}

peft_status io_table_name_files(io_table *t)
{
    char *base = base_folder(t);
    t->file = io_alloc(t->ctx, t->csv.rows, sizeof *t->file);
    peft_status s = base && t->file ? PEFT_OK : io_nomem(t->path);
    for (int64_t r = 1; r < t->csv.rows && !s; r++) s = name_file(t, r, base);
    peft_sys_free(t->ctx, base);
    return s;
}

char *io_table_mask_path(const io_table *t, int64_t row)
{
    const char *name = relative_name(t, t->csv.cell[row * t->csv.columns + t->mask]);
    char *base = *name && *name != '/' ? base_folder(t) : io_copy(t->ctx, "");
    char *path = base ? io_join(t->ctx, base, name) : NULL;
    peft_sys_free(t->ctx, base);
    return path;
}

/* Whether the path is a regular file; *other: it is something else, such as a folder. */
static bool is_file(const char *path, bool *other)
{
    struct stat st;
    const bool found = !stat(path, &st), file = found && S_ISREG(st.st_mode);
    *other = found && !file;
    return file;
}

/* Sets the row's path to that of the file with its name among those below the folder, if its name has no folders. */
static peft_status search(io_table *t, int64_t r, const io_strings *below, int64_t *found)
{
    bool several;
    const char *name = relative_name(t, t->csv.cell[r * t->csv.columns + t->name]);
    if (strchr(name, '/')) return PEFT_OK;
    char *file = io_join(t->ctx, name, t->options.ending);
    if (!file) return io_nomem(t->path);
    const char *path = io_find_file(below, file, &several);
    peft_sys_free(t->ctx, file);
    if (!path) return PEFT_OK;
    if (several)
        return io_table_bad_row(t, r, "'%.200s' is in several folders, such as that of %.400s; give the folder in the "
                                "table, or the right one by folder=", name, path);
    char *copy = io_copy(t->ctx, path);
    if (!copy) return io_nomem(t->path);
    peft_sys_free(t->ctx, t->file[r]);
    t->file[r] = copy;
    ++*found;
    return PEFT_OK;
}

/* Searches the pictures of used rows that are no files in the folders below. */
static peft_status search_missing(io_table *t)
{
    io_strings below = { .ctx = t->ctx };
    bool listed = false, other;
    int64_t found = 0;
    peft_status s = PEFT_OK;
    for (int64_t r = 1; r < t->csv.rows && !s; r++) {
        if (!t->used[r] || is_file(t->file[r], &other)) continue;
        if (!listed) {
            char *base = base_folder(t);
            s = base ? io_files_below(t->ctx, base, DEPTH, &below) : io_nomem(t->path);
            peft_sys_free(t->ctx, base);
            io_sort_by_file(&below);
            listed = true;
        }
        if (!s) s = search(t, r, &below, &found);
    }
    io_strings_clear(&below);
    if (!s && found)
        io_inform(t->ctx, "%s: %lld pictures were found by their names in the folders below", t->path,
                  (long long)found);
    return s;
}

/* The error for `missing` of `rows` pictures that do not exist; names: of some, the first of which is in row `first`;
 * others: some are there, but no files. */
static peft_status refuse_missing(const io_table *t, int64_t first, int64_t rows, int64_t missing, bool others,
                                  const char *names)
{
    char like[1200] = "", *near = NULL;
    const bool bare = !io_is_image_name(t->file[first]);
    peft_status s = bare ? PEFT_OK : io_table_near_file(t, t->file[first], &near);
    if (s) return s;
    if (near)
        snprintf(like, sizeof like, ". There is %s: names must agree in upper and lower case and in the ending; "
                 "correct the table, or rename the files. Otherwise", near);
    s = io_fail(PEFT_E_IO, "%s: %lld of %lld pictures do not exist%s: %s%s (first in line %lld)%s give "
                "folder=FOLDER, in which the paths begin%s%s", t->path, (long long)missing, (long long)rows,
                others ? ", or are folders or other things than files" : "", names,
                missing > MAX_NAMED ? ", .." : "", (long long)t->csv.line[first], near ? like : ";",
                bare ? ", ending=.png, if the names lack it" : "",
                missing < rows ? ", or missing=skip to leave them out" : "");
    peft_sys_free(t->ctx, near);
    return s;
}

peft_status io_table_find_files(io_table *t, char **skipped)
{
    char names[1000] = "", text[48];
    size_t used = 0;
    int64_t missing = 0, rows = 0, first = 0;
    bool other, others = false;
    peft_status s = search_missing(t);
    if (s) return s;
    for (int64_t r = 1; r < t->csv.rows; r++) {
        rows += t->used[r];
        if (!t->used[r] || is_file(t->file[r], &other)) continue;
        t->used[r] = false;
        others |= other;
        if (!missing++) first = r;
        if (missing <= MAX_NAMED && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%.300s%s", missing > 1 ? ", " : "",
                                     t->file[r], other ? " (no regular file)" : "");
    }
    if (!missing) return PEFT_OK;
    snprintf(text, sizeof text, "%lld missing file%s", (long long)missing, missing == 1 ? "" : "s");
    if (t->options.missing == IO_MISSING_SKIP && missing < rows) {
        io_warn(t->ctx, "%s: %s left out: %s%s", t->path, text, names, missing > MAX_NAMED ? ", .." : "");
        return (*skipped = io_copy(t->ctx, text)) ? PEFT_OK : io_nomem(t->path);
    }
    return refuse_missing(t, first, rows, missing, others, names);
}
