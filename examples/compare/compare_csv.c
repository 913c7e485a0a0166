/* SPDX-License-Identifier: Apache-2.0
 * compare_csv.c -- reads and writes compare's CSV file, which has one row for each run. A row is appended when the run
 * ends; the column "settings" holds all settings as text, which identifies the run for --resume and for later
 * repetition, and "chosen" those of --tune's settings that were chosen in this run. */
#include "common/files/text_hash.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include "segment/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The columns before the results, and behind them. */
enum { col_label, col_method, col_sampling, col_run, col_draw_seed, col_run_seed, col_first };
enum { end_data, end_settings, end_chosen, end_columns };

/* The text has everything but draw and seed: version, backbone, data and flags. A flag or option whose value each run
 * chooses (--tune) is not among them: the column "chosen" has it. */
void make_settings(study *s)
{
    for (int64_t i = 0; i < s->entries; i++) {
        entry *e = &s->entry[i];
        size_t size;
        FILE *f = check_alloc(open_memstream(&e->settings, &size));
        fprintf(f, "libpeft=%s backbone=%.64s data=%s ", peft_version_string(), s->fingerprint, s->images.data);
        const struct { const char *name, *value; } given[] = {
            { "test", s->images.test }, { "table", s->images.table }, { "patients", s->images.patients },
            { "image_options", s->images.image_options }, { "masks", s->images.masks },
            { "mask_options", s->images.mask_options }, { "test_masks", s->images.test_masks },
            { "all_slices", s->images.all_slices ? "true" : NULL }, { "spacing", s->spacing },
            { "per_case", s->per_case } };
        for (size_t k = 0; k < sizeof given / sizeof *given; k++)
            if (given[k].value) fprintf(f, "%s=%s ", given[k].name, given[k].value);
        fprintf(f, "shots=%lld test_per_class=%lld", (long long)s->images.shots, (long long)s->images.tests);
        for (int k = 0; k < tuned_flags; k++) {
            char *value = reads_flag(e, k) ? value_beside(&e->candidates, e->recipe, k) : NULL;
            if (value) fprintf(f, " %s=%s", e->recipe[k].name, value);
            free(value);
        }
        if (fclose(f)) fail("out of memory");
        snprintf(e->key, sizeof e->key, "%016" PRIx64, text_hash(text_hash(TEXT_HASH_BEGIN, e->label), e->settings));
    }
}

void put_csv_heading(FILE *f, const study *s)
{
    fputs("label,method,sampling,run,draw_seed,run_seed,", f);
    for (int c = 0; c < column_count(s); c++) {
        if (!has_column(s, c)) continue;
        char *name = column_name(s, c);
        put_csv_field(f, name);
        fputc(',', f);
        free(name);
    }
    fputs("data,settings,chosen\n", f);
}

/* The heading as text, to be freed. */
static char *heading_text(const study *s)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    put_csv_heading(f, s);
    if (fclose(f)) fail("out of memory");
    return text;
}

/* Fails if the file exists, unless `replace`. */
void start_csv(const char *path, const study *s, bool replace)
{
    int fd = open(path, O_WRONLY | O_CREAT | (replace ? O_TRUNC : O_EXCL), 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) fail("--csv %s: %s%s", path, strerror(errno), errno == EEXIST ? "; give --resume to continue with it" : "");
    put_csv_heading(f, s);
    if (fclose(f)) fail("--csv %s: %s", path, strerror(errno));
}

/* The column "data" names the data set for readers: --title, else the path. The path is also in the settings. */
void put_csv_row(FILE *f, const study *s, int64_t i)
{
    const entry *e = entry_of(s, i);
    put_csv_field(f, e->label);
    fputc(',', f);
    put_csv_field(f, e->recipe[recipe_method].value);
    fprintf(f, ",%lld,%lld,%llu,%llu,", (long long)draw_of(s, i), (long long)run_in_draw(s, i),
            (unsigned long long)draw_seed(s, i), (unsigned long long)run_seed(s, i));
    for (int c = 0; c < column_count(s); c++) {
        if (!has_column(s, c)) continue;
        if (isfinite(*run_value(s, i, c))) fprintf(f, "%.10g", *run_value(s, i, c));
        fputc(',', f);
    }
    put_csv_field(f, s->title ? s->title : s->images.data);
    fputc(',', f);
    put_csv_field(f, e->settings);
    fputc(',', f);
    put_csv_field(f, s->chosen[i].text);
    fputc('\n', f);
}

void append_csv(const char *path, const study *s, int64_t i)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    put_csv_row(f, s, i);
    if (fclose(f)) fail("out of memory");
    int fd = open(path, O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd))
        fail("--csv %s: %s", path, strerror(errno));
    free(text);
}

/* Takes over the results of a row whose label, settings, draw and run are those of a run of the study. end: its fields
 * behind the results. */
static void store_csv_row(study *s, char **field, char **end)
{
    for (int64_t i = 0; i < study_size(s); i++) {
        const entry *e = entry_of(s, i);
        if (strcmp(field[col_label], e->label) || strcmp(end[end_settings], e->settings)) continue;
        if (strtoll(field[col_sampling], NULL, 10) != draw_of(s, i) ||
            strtoll(field[col_run], NULL, 10) != run_in_draw(s, i) ||
            strtoull(field[col_draw_seed], NULL, 10) != draw_seed(s, i)) continue;
        char **value = field + col_first;
        for (int c = 0; c < column_count(s); c++) {
            *run_value(s, i, c) = has_column(s, c) && **value ? strtod(*value, NULL) : NAN;
            value += has_column(s, c);
        }
        snprintf(s->chosen[i].text, sizeof s->chosen[i].text, "%s", end[end_chosen]);
        s->done[i] = true;
    }
}

/* Ends the program for a line that is none of this study's table. */
static void fail_csv_line(const char *path, int64_t number, const study *s)
{
    char classes[200] = "";
    size_t n = 0;
    for (const char *name = s->class_names; has_masks(s) && *name && n < sizeof classes; name += strlen(name) + 1)
        n += (size_t)snprintf(classes + n, sizeof classes - n, "%s%s", n ? ", " : " with the classes ", name);
    fail("%s:%lld: expected a line of a table of this version of compare%s; give another --csv, or --force", path,
         (long long)number, classes);
}

/* Reads the rows. Removes a last line without a line end (written on a full disk), so that its run is repeated; a file
 * without a complete heading is begun anew. */
void read_csv(const char *path, study *s)
{
    FILE *f = fopen(path, "r+");
    if (!f) fail("--csv %s: %s", path, strerror(errno));
    int columns = col_first + end_columns;
    for (int c = 0; c < column_count(s); c++) columns += has_column(s, c);
    char *line = NULL, **field = check_alloc(malloc((size_t)columns * sizeof *field)), *heading = heading_text(s);
    size_t capacity = 0;
    long complete = 0;                                        /* bytes of complete lines */
    ssize_t n;
    for (int64_t number = 1; (n = getline(&line, &capacity, f)) > 0 && line[n - 1] == '\n'; number++, complete += n) {
        char *row = line;
        const bool is_heading = number == 1;
        if (is_heading ? strcmp(line, heading) : read_csv_row(&row, field, columns) != columns)
            fail_csv_line(path, number, s);
        if (!is_heading) store_csv_row(s, field, field + columns - end_columns);
    }
    /* all that a run wrote that was killed while it made the file begins the heading */
    if (!ferror(f) && !complete && n > 0 && strncmp(heading, line, strlen(line)))
        fail("--csv %s: its first line is not the heading of a CSV file of compare; give another --csv, or --force",
             path);
    if (ferror(f) || (n > 0 && ftruncate(fileno(f), complete))) fail("--csv %s: %s", path, strerror(errno));
    free(line);
    free(field);
    free(heading);
    fclose(f);
    if (!complete) start_csv(path, s, true);
}
