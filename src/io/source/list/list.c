/* SPDX-License-Identifier: Apache-2.0
 * list.c -- the source list: a data set from a text file with one sample on each line, `name class` or `name 0,1,0`. */
#include "io/source/list/list.h"
#include "io/source/source.h"
#include "io/words.h"
#include <peft/sys/content.h>
#include <stdio.h>

enum { MAX_LIST_BYTES = 256 << 20 };

/* A list that is being read into d. */
typedef struct reading {
    peft_dataset *d;
    const char *path;                                         /* of the list */
    const char *folder;                                       /* put before relative names; ends in a slash, or is "" */
    int64_t *line;                                            /* [samples]: the numbers of their lines */
} reading;

static peft_status bad_line(const reading *r, const list_line *l)
{
    return io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", r->path, (long long)l->number, l->problem);
}

/* Reads the numbers of a line: one is the class; several are a target of 0 or 1 for each class, as many as in the first
 * line. */
static peft_status read_values(const reading *r, const list_line *l)
{
    peft_dataset *d = r->d;
    const int64_t width = d->target ? d->classes : 1, i = d->count;
    if (l->values != width)
        return io_fail(PEFT_E_FORMAT, "%s: line %lld: %lld values, but the first line has %lld; expected one class "
                       "number in every line, or one 0/1 target for each class in every line", r->path,
                       (long long)l->number, (long long)l->values, (long long)width);
    const char *value = l->value;
    for (int64_t c = 0; c < width; c++) {
        int64_t v;
        if (!list_value(&value, &v))
            return io_fail(PEFT_E_FORMAT, "%s: line %lld: a number is too large; expected a class number, or 0 or 1",
                           r->path, (long long)l->number);
        if (!d->target) d->label[i] = v;
        else if (v == 0 || v == 1) d->target[i * width + c] = (int8_t)v;
        else
            return io_fail(PEFT_E_FORMAT, "%s: line %lld: target %lld, expected 0 or 1", r->path, (long long)l->number,
                           (long long)v);
    }
    return PEFT_OK;
}

/* Adds the name of a line, below the folder unless it is absolute, and the number of the line. */
static peft_status add_sample(reading *r, const list_line *l)
{
    peft_context *ctx = r->d->ctx;
    char *name = list_name(ctx, l), *path = NULL;
    if (name) path = io_join(ctx, *name == '/' ? "" : r->folder, name);
    peft_sys_free(ctx, name);
    peft_status s = io_strings_add(&r->d->names, path);
    if (s) return s;
    r->line[r->d->count++] = l->number;
    return PEFT_OK;
}

/* Reads labels or targets, and names, from all lines. */
static peft_status read_lines(reading *r, const char *text)
{
    list_line l = { .next = text };
    for (list_result result; (result = list_next(&l)) != LIST_END;) {
        peft_status s = result == LIST_BAD ? bad_line(r, &l) : read_values(r, &l);
        if (!s) s = add_sample(r, &l);
        if (s) return s;
    }
    return PEFT_OK;
}

/* The error for a first line that is none of a list. Where a comma, a semicolon or a tab is in it, it may be that of a
 * table whose column names are not known, such as "Bild;Befund". */
static peft_status bad_first_line(const reading *r, const list_line *l, const char *text)
{
    char message[700];
    const char *line = text;
    for (int64_t n = 1; n < l->number; n++) {                 /* empty lines and comments */
        line += strcspn(line, "\r\n");
        line += line[0] == '\r' && line[1] == '\n' ? 2 : 1;
    }
    const size_t length = strcspn(line, "\r\n");
    if (!memchr(line, ',', length) && !memchr(line, ';', length) && !memchr(line, '\t', length)) return bad_line(r, l);
    snprintf(message, sizeof message, "expected a name, then a blank or a comma, then a class number or 0,1,0. If "
             "'%.*s' are the names of a table's columns, say which of them have the pictures and the labels, by name "
             "or number: path=#1,label=#2 (programs: --table path=#1,label=#2)",
             length > 200 ? 200 : (int)length, line);
    return io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", r->path, (long long)l->number, message);
}

/* Counts the lines and allocates labels or targets; the first line says which of them the file has. */
static peft_status allocate(reading *r, const char *text)
{
    peft_dataset *d = r->d;
    list_line l = { .next = text };
    int64_t lines = 0, width = 0, targets;                    /* width: numbers in a line; targets: in all lines */
    for (list_result result; (result = list_next(&l)) != LIST_END; lines++) {
        if (lines) continue;                                  /* read_lines reads the others */
        if (result == LIST_BAD) return bad_first_line(r, &l, text);
        width = l.values;
    }
    if (!lines)
        return io_fail(PEFT_E_FORMAT, "%s: the list is empty; expected a line for each image, name and class", r->path);
    if (!(r->line = io_alloc(d->ctx, lines, sizeof *r->line))) return io_nomem(r->path);
    if (width == 1) return (d->label = io_alloc(d->ctx, lines, sizeof *d->label)) ? PEFT_OK : io_nomem(r->path);
    d->classes = width;
    if (__builtin_mul_overflow(lines, width, &targets) || !(d->target = io_alloc(d->ctx, targets, 1)))
        return io_nomem(r->path);
    return PEFT_OK;
}

/* Whether two samples have the same label or targets. */
static bool same_values(const peft_dataset *d, int64_t x, int64_t y)
{
    if (d->label) return d->label[x] == d->label[y];
    return !memcmp(d->target + x * d->classes, d->target + y * d->classes, (size_t)d->classes);
}

/* Refuses a name with two labels: the model would be trained to predict both for one picture. Warns of a name that is
 * repeated with the same label. */
static peft_status check_repetitions(reading *r)
{
    const peft_dataset *d = r->d;
    io_named *sorted = io_alloc(d->ctx, d->count, sizeof *sorted);
    if (!sorted) return io_nomem(r->path);
    for (int64_t i = 0; i < d->count; i++) sorted[i] = (io_named){ d->names.item[i], i };
    io_sort_named(sorted, d->count);
    peft_status s = PEFT_OK;
    int64_t repeated = 0, example = 0;
    for (int64_t i = 1; i < d->count && !s; i++) {
        const io_named *x = &sorted[i - 1], *y = &sorted[i];
        if (strcmp(x->name, y->name)) continue;
        if (!repeated++) example = y->i;
        if (!same_values(d, x->i, y->i))
            s = io_fail(PEFT_E_FORMAT, "%s: line %lld: '%s' has another label than in line %lld", r->path,
                        (long long)r->line[y->i], y->name, (long long)r->line[x->i]);
    }
    peft_sys_free(d->ctx, sorted);
    if (!s && repeated)
        io_warn(d->ctx, "%s: %lld lines repeat a picture, such as line %lld (%.200s): it counts as several images, "
                "which may be in training and test alike; remove the repetitions", r->path, (long long)repeated,
                (long long)r->line[example], d->names.item[example]);
    return s;
}

/* Warns of classes below the largest label that no line has. */
static peft_status warn_of_missing_classes(const reading *r)
{
    uint8_t *present = io_alloc(r->d->ctx, r->d->classes, 1);
    if (!present) return io_nomem(r->path);
    for (int64_t i = 0; i < r->d->count; i++) present[r->d->label[i]] = 1;
    io_warn_of_missing_classes(r->d->ctx, present, r->d->classes, r->path);
    peft_sys_free(r->d->ctx, present);
    return PEFT_OK;
}

/* Reads the text into the data set; classes: the argument of peft_dataset_open_list. */
static peft_status fill(reading *r, const char *text, int64_t classes)
{
    peft_dataset *d = r->d;
    peft_status s = allocate(r, text);
    if (!s) s = read_lines(r, text);
    if (!s && d->label) s = io_count_classes(d->label, d->count, r->path, &d->classes);
    if (!s) s = check_repetitions(r);
    if (s) return s;
    if (classes && (d->target ? classes != d->classes : classes < d->classes))
        return io_fail(PEFT_E_FORMAT, "%s: has labels for %lld classes, but the argument classes is %lld", r->path,
                       (long long)d->classes, (long long)classes);
    if (classes) d->classes = classes;
    else if (d->label) s = warn_of_missing_classes(r);
    return s ? s : io_number_classes(d);
}

/* The text that is put before the names of the list: folder and a slash, or "" for folder "" (the current folder).
 * Where folder is NULL, the folder of the list. */
static char *base_folder(peft_context *ctx, const char *path, const char *folder)
{
    if (folder) return io_join(ctx, folder, *folder ? "/" : "");
    return io_folder_of(ctx, path);
}

/* Reads the list from its text, which begins behind a byte order mark. */
static peft_status read_text(const io_open_arguments *a, const char *text, peft_dataset *d)
{
    char *base = base_folder(d->ctx, a->path, a->folder);
    reading r = { .d = d, .path = a->path, .folder = base };
    peft_status s = base ? fill(&r, text, a->classes) : io_nomem(a->path);
    peft_sys_free(d->ctx, base);
    peft_sys_free(d->ctx, r.line);
    return s;
}

static peft_status open_list(const io_open_arguments *a, peft_dataset *d)
{
    uint8_t *text;
    size_t size;
    if (a->classes < 0 || a->classes > 1 << 20)
        return io_fail(PEFT_E_INVALID, "data set: %lld classes, expected 0..1048576", (long long)a->classes);
    if (a->split)
        return io_fail(PEFT_E_NOTFOUND, "%s: a list has no split '%.40s'; open it without a split, and a list for each "
                       "split", a->path, a->split);
    peft_status s = io_read_file(d->ctx, a->path, MAX_LIST_BYTES, &text, &size);
    if (s) return s;
    d->store = &io_files;
    const size_t bom = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;    /* the byte order mark of UTF-8 */
    const char *kind = peft_sys_content_kind(text, size);
    if (memchr(text, 0, size))
        s = io_fail(PEFT_E_FORMAT, "%s: not a text file in UTF-8: it %s%s; expected a list with a line for each image, "
                    "path and class, or a table; for pictures alone give a folder of class folders", a->path,
                    kind ? "is " : "has a zero byte", kind ? kind : "");
    else s = read_text(a, (const char *)text + bom, d);
    peft_sys_free(d->ctx, text);
    return s;
}

const io_source io_source_list = { .name = "a list of images", .open = open_list };

peft_status peft_dataset_open_list(peft_context *ctx, const char *path, const char *folder, int64_t classes,
                                   peft_dataset **out)
{
    const io_open_arguments a = { .ctx = ctx, .path = path, .folder = folder, .classes = classes };
    return io_source_open(&io_source_list, &a, out);
}
