/* SPDX-License-Identifier: Apache-2.0
 * compare_csv.c -- the file with a row a run. Rows are written whole, one by one, as runs end; the last column holds
 * all settings in words, so that a row can be told from one of other settings, and repeated years later. */
#include "common/program/errors.h"
#include "compare_study.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { col_label, col_method, col_sampling, col_run, col_draw_seed, col_run_seed, col_first,
       col_data = col_first + result_columns, col_settings, csv_columns };
static const char *const heading[csv_columns] = {
    "label", "method", "sampling", "run", "draw_seed", "run_seed",
#define RESULT_NAME(name) #name,
    RESULT_COLUMNS(RESULT_NAME) "data", "settings" };

/* FNV-1a, of the text and its end. */
static uint64_t hash(uint64_t h, const char *text)
{
    do h = (h ^ (unsigned char)*text) * 0x100000001b3; while (*text++);
    return h;
}

void write_settings(study *s)
{
    for (int64_t i = 0; i < s->entries; i++) {
        entry *e = &s->entry[i];
        size_t size;
        FILE *f = need(open_memstream(&e->settings, &size));
        fprintf(f, "libpeft=%s backbone=%.64s data=%s ", peft_version_string(), s->fingerprint, s->data);
        if (s->test) fprintf(f, "test=%s ", s->test);
        fprintf(f, "shots=%lld test_per_class=%lld", (long long)s->shots, (long long)s->test_per_class);
        for (int k = 0; k < recipe_flags; k++)
            if (e->recipe[k].value) fprintf(f, " %s=%s", e->recipe[k].name, e->recipe[k].value);
        if (fclose(f)) fail("out of memory");
        snprintf(e->key, sizeof e->key, "%016" PRIx64, hash(hash(0xcbf29ce484222325, e->label), e->settings));
    }
}

void put_csv_heading(FILE *f)
{
    for (int c = 0; c < csv_columns; c++) fprintf(f, "%s%c", heading[c], c + 1 < csv_columns ? ',' : '\n');
}

void start_csv(const char *path, bool replace)
{
    int fd = open(path, O_WRONLY | O_CREAT | (replace ? O_TRUNC : O_EXCL), 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) fail("%s: %s%s", path, strerror(errno), errno == EEXIST ? "; --resume goes on with it" : "");
    put_csv_heading(f);
    if (fclose(f)) fail("%s: %s", path, strerror(errno));
}

void put_csv_row(FILE *f, const study *s, int64_t i)
{
    const entry *e = entry_of(s, i);
    put_csv_field(f, e->label);
    fputc(',', f);
    put_csv_field(f, e->recipe[recipe_method].value);
    fprintf(f, ",%lld,%lld,%llu,%llu,", (long long)sampling_of(s, i), (long long)run_of(s, i),
            (unsigned long long)draw_seed(s, i), (unsigned long long)run_seed(s, i));
    for (int c = 0; c < result_columns; c++)
        if (isfinite(s->result[i].value[c])) fprintf(f, "%.10g,", s->result[i].value[c]);
        else fputc(',', f);
    put_csv_field(f, s->title ? s->title : s->data);
    fputc(',', f);
    put_csv_field(f, e->settings);
    fputc('\n', f);
}

void append_csv(const char *path, const study *s, int64_t i)
{
    char *text;
    size_t size;
    FILE *f = need(open_memstream(&text, &size));
    put_csv_row(f, s, i);
    if (fclose(f)) fail("out of memory");
    int fd = open(path, O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd)) fail("%s: %s", path, strerror(errno));
    free(text);
}

static void take_row(study *s, char **field)
{
    for (int64_t i = 0; i < study_size(s); i++) {
        const entry *e = entry_of(s, i);
        if (strcmp(field[col_label], e->label) || strcmp(field[col_settings], e->settings)) continue;
        if (strtoll(field[col_sampling], NULL, 10) != sampling_of(s, i) ||
            strtoll(field[col_run], NULL, 10) != run_of(s, i) ||
            strtoull(field[col_draw_seed], NULL, 10) != draw_seed(s, i)) continue;
        for (int c = 0; c < result_columns; c++)
            s->result[i].value[c] = *field[col_first + c] ? strtod(field[col_first + c], NULL) : NAN;
        s->done[i] = true;
    }
}

/* A last line without its end was cut off by a full disk or the like: it is taken away, and its run is done again. */
void read_csv(const char *path, study *s)
{
    FILE *f = fopen(path, "r+");
    if (!f) fail("%s: %s", path, strerror(errno));
    char *line = NULL, *field[csv_columns];
    size_t room = 0;
    long whole = 0;
    ssize_t n;
    for (int64_t number = 1; (n = getline(&line, &room, f)) > 0 && line[n - 1] == '\n'; number++, whole += n) {
        char *row = line;
        bool bad = take_csv_row(&row, field, csv_columns) != csv_columns;
        for (int c = 0; number == 1 && !bad && c < csv_columns; c++) bad = strcmp(field[c], heading[c]);
        if (bad) fail("%s:%lld: not a line that compare wrote", path, (long long)number);
        if (number > 1) take_row(s, field);
    }
    if (ferror(f) || (n > 0 && ftruncate(fileno(f), whole))) fail("%s: %s", path, strerror(errno));
    if (!whole) fail("%s: empty; expected what compare wrote", path);
    free(line);
    fclose(f);
}
