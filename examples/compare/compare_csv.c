/* SPDX-License-Identifier: Apache-2.0
 * compare_csv.c -- reads and writes compare's CSV file, which has one row for each run. A row is appended when the run
 * ends; the column "settings" holds all settings as text, which identifies the run for --resume and for later
 * repetition, and "chosen" those of --tune's settings that were chosen in this run. */
#include "common/files/text_hash.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { col_label, col_method, col_sampling, col_run, col_draw_seed, col_run_seed, col_first,
       col_data = col_first + result_columns, col_settings, col_chosen, csv_columns };
static const char *const heading[csv_columns] = {
    "label", "method", "sampling", "run", "draw_seed", "run_seed",
#define RESULT_NAME(name) #name,
    RESULT_COLUMNS(RESULT_NAME) "data", "settings", "chosen" };

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
            { "image_options", s->images.image_options }, { "per_case", s->per_case } };
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

void put_csv_heading(FILE *f)
{
    for (int c = 0; c < csv_columns; c++) fprintf(f, "%s%s", c ? "," : "", heading[c]);
    fputc('\n', f);
}

/* Fails if the file exists, unless `replace`. */
void start_csv(const char *path, bool replace)
{
    int fd = open(path, O_WRONLY | O_CREAT | (replace ? O_TRUNC : O_EXCL), 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) fail("--csv %s: %s%s", path, strerror(errno), errno == EEXIST ? "; give --resume to continue with it" : "");
    put_csv_heading(f);
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
    for (int c = 0; c < result_columns; c++)
        if (isfinite(s->result[i].value[c])) fprintf(f, "%.10g,", s->result[i].value[c]);
        else fputc(',', f);
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

/* Takes over the results of a row whose label, settings, draw and run are those of a run of the study. */
static void store_csv_row(study *s, char **field)
{
    for (int64_t i = 0; i < study_size(s); i++) {
        const entry *e = entry_of(s, i);
        if (strcmp(field[col_label], e->label) || strcmp(field[col_settings], e->settings)) continue;
        if (strtoll(field[col_sampling], NULL, 10) != draw_of(s, i) ||
            strtoll(field[col_run], NULL, 10) != run_in_draw(s, i) ||
            strtoull(field[col_draw_seed], NULL, 10) != draw_seed(s, i)) continue;
        for (int c = 0; c < result_columns; c++)
            s->result[i].value[c] = *field[col_first + c] ? strtod(field[col_first + c], NULL) : NAN;
        snprintf(s->chosen[i].text, sizeof s->chosen[i].text, "%s", field[col_chosen]);
        s->done[i] = true;
    }
}

/* Whether text begins the heading: all that a run wrote that was killed while it made the file. */
static bool begins_heading(const char *text)
{
    char *whole;
    size_t size;
    FILE *f = check_alloc(open_memstream(&whole, &size));
    put_csv_heading(f);
    if (fclose(f)) fail("out of memory");
    const bool begins = !strncmp(whole, text, strlen(text));
    free(whole);
    return begins;
}

/* Reads the rows. Removes a last line without a line end (written on a full disk), so that its run is repeated; a file
 * without a complete heading is begun anew. */
void read_csv(const char *path, study *s)
{
    FILE *f = fopen(path, "r+");
    if (!f) fail("--csv %s: %s", path, strerror(errno));
    char *line = NULL, *field[csv_columns];
    size_t capacity = 0;
    long complete = 0;                                        /* bytes of complete lines */
    ssize_t n;
    for (int64_t number = 1; (n = getline(&line, &capacity, f)) > 0 && line[n - 1] == '\n'; number++, complete += n) {
        char *row = line;
        bool bad = read_csv_row(&row, field, csv_columns) != csv_columns;
        const bool is_heading = number == 1;
        for (int c = 0; is_heading && !bad && c < csv_columns; c++) bad = strcmp(field[c], heading[c]);
        if (bad) fail("%s:%lld: is not a line that this version of compare wrote; give another --csv, or --force", path,
                      (long long)number);
        if (!is_heading) store_csv_row(s, field);
    }
    if (!ferror(f) && !complete && n > 0 && !begins_heading(line))
        fail("--csv %s: its first line is not the heading of a CSV file of compare; give another --csv, or --force",
             path);
    if (ferror(f) || (n > 0 && ftruncate(fileno(f), complete))) fail("--csv %s: %s", path, strerror(errno));
    free(line);
    fclose(f);
    if (!complete) start_csv(path, true);
}
