/* SPDX-License-Identifier: Apache-2.0
 * table.c -- the table of predictions: printed, or collected in PATH.part until it is complete (predict.h). */
#include "predict.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* name: as it stands in the line (name_field). taken: take_done_line has answered a call with this line. */
struct done_line { char *name; bool taken; };
static const char before_name[] = "{\"image\": ";            /* in a line of JSON; cases are not resumed */

/* Writes and flushes a whole line, so that a stopped program leaves no part of one. Frees text. */
static void put_line(const prediction_table *t, char *text, size_t size)
{
    FILE *f = t->part ? t->part : stdout;
    fwrite(text, 1, size, f);
    if (fflush(f))
        fail("%s: %s; what was written is not complete%s", t->part ? t->part_path : "standard output", strerror(errno),
             t->part && t->resumable ? ", the same command with --resume goes on" : "");
    free(text);
}

/* The end of the line at text, behind its line break; NULL: it is not complete. A field of CSV in quotes may have line
 * breaks. */
static const char *line_end(const prediction_table *t, const char *text)
{
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '"' && is_csv(t->format)) quoted = !quoted;
        if (*text == '\n' && !quoted) return text + 1;
    }
    return NULL;
}

/* The length of the name field at the start of a line of CSV, or after before_name. */
static size_t name_length(const char *field, table_format format)
{
    const char ends[] = { style_of_format(format)->separator, '\n', 0 };
    if (*field != '"') return strcspn(field, ends);
    size_t n = 1;
    for (; field[n]; n++) {
        if (format == FORMAT_JSONL && field[n] == '\\' && field[n + 1]) n++;
        else if (is_csv(format) && field[n] == '"' && field[n + 1] == '"') n++;
        else if (field[n] == '"') return n + 1;
    }
    return n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct done_line *)a)->name, ((const struct done_line *)b)->name);
}

/* The number, from 1, of the line of the file in which `line` lies. */
static int64_t line_number(const char *text, const char *line)
{
    int64_t n = 1;
    for (; text < line; text++) n += *text == '\n';
    return n;
}

/* Ends the program: it did not write the line of the table from `line` to `end`, which is several lines of the file if
 * a field in quotes has line breaks. */
static _Noreturn void refuse_line(const prediction_table *t, const char *text, const char *line, const char *end,
                                  bool heading)
{
    const long long first = line_number(text, line), last = line_number(text, end - 1);
    char where[80];
    if (first == last) snprintf(where, sizeof where, "line %lld is", first);
    else snprintf(where, sizeof where, "lines %lld to %lld are", first, last);
    fail("--resume: %s: %s damaged: %.*s; %sgive --force to begin again", t->part_path, where,
         (int)strcspn(line, "\n"), line, heading ? "" : first == last
         ? "remove this line, so that its picture is predicted again, or "
         : "remove these lines, so that their pictures are predicted again, or ");
}

/* The length of the name field of a complete line, *field; 0: this program did not write the line. */
static size_t check_line(const prediction_table *t, const char *line, const char *end, const char **field)
{
    const size_t before = t->format == FORMAT_JSONL ? strlen(before_name) : 0;
    if ((size_t)(end - line) <= before) return 0;
    *field = line + before;
    const size_t length = name_length(*field, t->format);
    return is_prediction_line(t->model, t->format, t->lines, *field, length, line, end) ? length : 0;
}

/* Is this the heading of the table? */
static bool is_heading(const prediction_table *t, const char *line, const char *end)
{
    size_t size;
    char *heading = heading_line(t->model, t->format, t->lines, &size);
    const bool same = size == (size_t)(end - line) && !memcmp(heading, line, size);
    free(heading);
    return same;
}

/* Fills done with the names of complete lines; returns where they end. A line that this program did not write ends the
 * program. text: of the file, whose lines begin behind the description. */
static const char *read_done(prediction_table *t, const char *text)
{
    size_t capacity = 0, length;
    const char *line = strchr(text, '\n') + 1, *field = line;
    for (const char *end; (end = line_end(t, line)); line = end) {
        const bool heading = is_csv(t->format) && !t->has_heading;
        if (!(length = heading ? is_heading(t, line, end) : check_line(t, line, end, &field)))
            refuse_line(t, text, line, end, heading);
        if (heading) {
            t->has_heading = true;
            continue;
        }
        if ((size_t)t->done_count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            t->done = check_alloc(realloc(t->done, capacity * sizeof *t->done));
        }
        t->done[t->done_count++].name = check_alloc(strndup(field, length));
        t->done[t->done_count - 1].taken = false;
    }
    if (t->done_count) qsort(t->done, (size_t)t->done_count, sizeof *t->done, by_name);
    return line;
}

bool take_done_line(prediction_table *t, const char *name)
{
    if (!t->done_count) return false;
    struct done_line key = { name_field(t->format, name), false };
    struct done_line *found = bsearch(&key, t->done, (size_t)t->done_count, sizeof *t->done, by_name);
    while (found && found > t->done && !by_name(found - 1, &key)) found--;     /* the first of equal names */
    while (found && found->taken) {
        found++;
        if (found == t->done + t->done_count || by_name(found, &key)) found = NULL;
    }
    if (found) found->taken = true;
    free(key.name);
    return found;
}

/* Ends the program if the earlier run has predicted pictures that this one is not given: the table would have both. */
static void refuse_other_pictures(prediction_table *t, const inputs *in)
{
    int64_t others = 0, example = 0;
    for (int64_t i = 0; i < in->count; i++) (void)take_done_line(t, input_name(in, i));
    for (int64_t i = 0; i < t->done_count; i++) {
        if (!t->done[i].taken && !others++) example = i;
        t->done[i].taken = false;
    }
    if (others)
        fail("--resume: %s has %lld pictures that this command does not name, such as %s; give the pictures of that "
             "run, or --force to begin again", t->part_path, (long long)others, t->done[example].name);
}

/* Reads the lines of an earlier run, and cuts off what is not complete: a part of a line, or the zeros that a computer
 * without power leaves. False: not even the description is complete, so that there is nothing to go on with. */
static bool resume_part(prediction_table *t, const char *description, const inputs *in)
{
    char *text = read_text_file(t->part_path, NULL);
    const size_t length = strcspn(text, "\n");
    if (text[length] != '\n' && length < strlen(description) && !memcmp(text, description, length)) {
        free(text);
        return false;
    }
    if (text[length] != '\n' || length != strlen(description) || memcmp(text, description, length))
        fail("--resume: %s is of another run: it has\n  %.*s\nexpected\n  %s\ngive the options of that run, or remove "
             "the file and predict without --resume", t->part_path, (int)length, text, description);
    const size_t complete = (size_t)(read_done(t, text) - text);
    refuse_other_pictures(t, in);
    if (truncate(t->part_path, (off_t)complete)) fail("--resume: %s: %s", t->part_path, strerror(errno));
    free(text);
    return true;
}

/* Opens PATH.part for appending and locks it, so that no second predict writes to it. Begins it with the description
 * where there is none to go on with. */
static void open_part(prediction_table *t, const char *description, const inputs *resumed)
{
    if (asprintf(&t->part_path, "%s.part", t->path) < 0) fail("out of memory");
    t->part = fopen(t->part_path, "ab");
    if (!t->part) fail("--out: %s: %s", t->part_path, strerror(errno));
    if (flock(fileno(t->part), LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        fail("--out: another predict is writing %s; give another path, or wait until it has ended", t->part_path);
    if (resumed && resume_part(t, description, resumed)) return;
    if (ftruncate(fileno(t->part), 0)) fail("--out: %s: %s", t->part_path, strerror(errno));
    char *line;
    const int size = asprintf(&line, "%s\n", description);
    if (size < 0) fail("out of memory");
    put_line(t, line, (size_t)size);
}

prediction_table open_table(const loaded_model *m, table_format format, line_kind lines, const char *path,
                            const char *description, bool resumable, const inputs *resumed)
{
    prediction_table t = { .model = m, .format = format, .lines = lines, .path = path, .resumable = resumable };
    size_t size;
    if (path) open_part(&t, description, resumed);
    char *heading = t.has_heading ? NULL : heading_line(m, format, lines, &size);
    if (heading) put_line(&t, heading, size);
    return t;
}

void add_to_table(prediction_table *t, const prediction *p)
{
    size_t size;
    char *text = prediction_line(t->model, t->format, t->lines, p, &size);
    put_line(t, text, size);
}

/* Writes the lines of PATH.part without the description to PATH, and removes PATH.part. */
static void publish(const prediction_table *t)
{
    size_t size;
    struct stat st;
    char *text = read_text_file(t->part_path, &size);
    if (stat(t->part_path, &st) || (size_t)st.st_size != size)
        fail("%s: another program has changed this file; it is kept, and --out is not written", t->part_path);
    const size_t description = strcspn(text, "\n") + 1;
    must(peft_write_file(t->path, text + description, size - description));
    remove(t->part_path);
    free(text);
}

void close_table(prediction_table *t, bool complete)
{
    if (t->path && complete) publish(t);
    if (t->part && fclose(t->part)) fail("%s: %s", t->part_path, strerror(errno));
    for (int64_t i = 0; i < t->done_count; i++) free(t->done[i].name);
    free(t->done);
    free(t->part_path);
}
