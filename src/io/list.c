/* SPDX-License-Identifier: Apache-2.0
 * list.c -- data sets from a text file: `name class` or `name 0,1,0`, one sample a line, parted at the last blank. */
#include "io/dataset.h"

typedef struct line { const char *name, *value; size_t name_length, value_length; } line;

/* Cuts the next line that is not empty; 1: found, 0: the end, -1: it has no name or no value. */
static int next_line(const char **at, int64_t *number, line *out)
{
    while (**at) {
        const char *s = *at;
        size_t n = strcspn(s, "\n");
        *at = s + n + (s[n] == '\n');
        ++*number;
        while (n && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
        if (!n) continue;
        size_t cut = n;
        while (cut && s[cut - 1] != ' ' && s[cut - 1] != '\t') cut--;
        size_t name = cut;
        while (name && (s[name - 1] == ' ' || s[name - 1] == '\t')) name--;
        *out = (line){ s, s + cut, name, n - cut };
        return name ? 1 : -1;
    }
    return 0;
}

static int64_t commas(const line *l)
{
    int64_t n = 0;
    for (size_t i = 0; i < l->value_length; i++) n += l->value[i] == ',';
    return n;
}

static bool read_targets(const line *l, uint8_t *out, int64_t classes)
{
    if (l->value_length != (size_t)(2 * classes - 1)) return false;
    for (int64_t c = 0; c < classes; c++) {
        char v = l->value[2 * c];
        if ((v != '0' && v != '1') || (c && l->value[2 * c - 1] != ',')) return false;
        out[c] = v == '1';
    }
    return true;
}

static peft_status add_sample(peft_dataset *d, const char *folder, const line *l)
{
    char *name = strndup(l->name, l->name_length);
    char *path = !name ? NULL : *name == '/' ? strdup(name) : io_join(folder, name);
    free(name);
    return io_strings_add(&d->names, path);
}

/* d->label or d->target has room for every line; text is what io_read_file gave. */
static peft_status read_lines(peft_dataset *d, const char *text, const char *path, const char *folder)
{
    line l;
    int64_t number = 0;
    for (int found; (found = next_line(&text, &number, &l)); d->count++) {
        bool good = found > 0 && (d->target ? read_targets(&l, d->target + d->count * d->classes, d->classes)
                                            : io_parse_int(l.value, l.value_length, &d->label[d->count]));
        if (!good)
            return io_fail(PEFT_E_FORMAT, "%s: line %lld: expected a name, a blank and %s", path, (long long)number,
                           d->target ? "as many 0,1 as in the first line" : "a class number");
        peft_status s = add_sample(d, folder, &l);
        if (s) return s;
    }
    return PEFT_OK;
}

static peft_status prepare(peft_dataset *d, const char *text, const char *path)
{
    line l, first = { 0 };
    int64_t number = 0, lines = 0, cells;
    const char *at = text;
    while (next_line(&at, &number, &l)) if (!lines++) first = l;
    if (!lines) return io_fail(PEFT_E_FORMAT, "%s: the list is empty", path);
    int64_t width = commas(&first);
    if (!width) return (d->label = io_alloc(lines, sizeof *d->label)) ? PEFT_OK : io_nomem(path);
    d->classes = width + 1;
    if (__builtin_mul_overflow(lines, d->classes, &cells) || !(d->target = io_alloc(cells, 1))) return io_nomem(path);
    return PEFT_OK;
}

static peft_status fill(peft_dataset *d, const char *text, const char *path, const char *folder, int64_t classes)
{
    peft_status s = prepare(d, text, path);
    if (!s) s = read_lines(d, text, path, folder);
    if (!s && d->label) s = io_count_classes(d->label, d->count, path, &d->classes);
    if (s) return s;
    if (classes && (d->target ? classes != d->classes : classes < d->classes))
        return io_fail(PEFT_E_FORMAT, "%s: has labels for %lld classes, told were %lld", path, (long long)d->classes,
                       (long long)classes);
    if (classes) d->classes = classes;
    return io_number_classes(d);
}

/* folder with a slash at its end, or the list's own. */
static char *base_folder(const char *path, const char *folder)
{
    if (folder) return io_join(folder, "/");
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
}

peft_status peft_dataset_open_list(const char *path, const char *folder, int64_t classes, peft_dataset **out)
{
    peft_dataset *d;
    uint8_t *text;
    size_t size;
    if (!path || !out) return io_fail(PEFT_E_INVALID, "data set: %s is NULL", path ? "out" : "path");
    if (classes < 0 || classes > 1 << 20)
        return io_fail(PEFT_E_INVALID, "data set: %lld classes, expected 0..1048576", (long long)classes);
    peft_status s = io_read_file(path, 256 << 20, &text, &size);
    if (s) return s;
    if (memchr(text, 0, size)) s = io_fail(PEFT_E_FORMAT, "%s: not a text file", path);
    if (!s) s = io_dataset_new(&d);
    if (!s) {
        char *base = base_folder(path, folder);
        s = base ? fill(d, (const char *)text, path, base, classes) : io_nomem(path);
        free(base);
        if (s) peft_dataset_free(d);
        else *out = d;
    }
    free(text);
    return s;
}
