/* SPDX-License-Identifier: Apache-2.0
 * trial_table.c -- a search with its trials in a CSV file (trial_table.h). */
#include "trial_table.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { col_search, col_label, col_candidate, col_share, col_metric, col_value, col_loss, columns };
static const char heading[] = "search,label,candidate,share,metric,value,loss\n";

/* Removes what follows the last line end. */
static void drop_torn_line(const char *path)
{
    FILE *f = fopen(path, "r+");
    long complete = 0;
    if (!f) fail("%s: %s", path, strerror(errno));
    for (int c; (c = getc(f)) != EOF; ) if (c == '\n') complete = ftell(f);
    if (ferror(f) || ftruncate(fileno(f), complete)) fail("%s: %s", path, strerror(errno));
    fclose(f);
}

/* Is it an empty field, or a number from low to high? */
static bool in_range(const char *text, double low, double high)
{
    char *end;
    const double v = strtod(text, &end);
    return !*text || (end != text && !*end && v >= low && v <= high);
}

/* What is wrong with a row; NULL: nothing. The value of the loss is negative, since a larger value is better; the other
 * figures are shares. A row ends with a line end, which read_csv_row removes. */
static const char *fault_of_row(char *const field[columns], int count)
{
    if (count != columns) return "expected seven fields";
    if (!*field[col_share] || !in_range(field[col_share], 0, 1)) return "the share of the training is not from 0 to 1";
    const bool loss = !strcmp(field[col_metric], "loss");
    if (loss && !in_range(field[col_value], -DBL_MAX, 0)) return "the value is no negative loss";
    if (!loss && !in_range(field[col_value], 0, 1)) return "the value is not from 0 to 1";
    if (!in_range(field[col_loss], 0, DBL_MAX)) return "the loss is no number from 0 on";
    return NULL;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Ends the program if a row is damaged, or if two rows judge the same candidate of the same search. */
static void check_rows(const char *path)
{
    static const char cure[] = "remove the file, and --resume judges all candidates again";
    FILE *f = fopen(path, "r");
    char *line = NULL, *field[columns], **trials = NULL;
    size_t capacity = 0, count = 0;
    if (!f) fail("%s: %s", path, strerror(errno));
    for (int number = 1; getline(&line, &capacity, f) > 0; number++) {
        char *rest = line;
        const char *fault = number > 1 ? fault_of_row(field, read_csv_row(&rest, field, columns)) : NULL;
        if (fault) fail("%s:%d: is damaged: %s; %s", path, number, fault, cure);
        if (number == 1) continue;
        trials = grow_by_one(trials, (int64_t)count, sizeof *trials);
        if (asprintf(&trials[count++], "%s %s, judged by %s after the share %s", field[col_search],
                     field[col_candidate], field[col_metric], field[col_share]) < 0) fail("out of memory");
    }
    if (count) qsort(trials, count, sizeof *trials, by_text);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(trials[i - 1], trials[i]))
            fail("%s: is damaged: two rows have search %s; %s", path, trials[i], cure);
    for (size_t i = 0; i < count; i++) free(trials[i]);
    free(trials);
    free(line);
    fclose(f);
}

void start_trial_table(const char *path, bool keep)
{
    char first[sizeof heading] = "";
    FILE *f = keep ? fopen(path, "r") : NULL;
    if (keep && !f && errno != ENOENT) fail("%s: %s", path, strerror(errno));
    const bool there = f && fgets(first, sizeof first, f);
    if (f && ferror(f)) fail("%s: %s", path, strerror(errno));
    if (f) fclose(f);
    if (there && strcmp(first, heading))
        fail("%s: is no table of --tune; remove the file, and --resume judges all candidates again", path);
    if (there) {
        drop_torn_line(path);
        check_rows(path);
        return;
    }
    f = fopen(path, "w");
    if (!f || fputs(heading, f) < 0 || fclose(f)) fail("%s: %s", path, strerror(errno));
}

/* A number of the table; empty: NaN. */
static double read_number(const char *text) { return *text ? strtod(text, NULL) : NAN; }

/* Looks for a trial of this search. An empty loss: the candidate diverged. */
static bool find_trial(const tuning *t, const char *candidate, double share, trial *out)
{
    FILE *f = fopen(t->table, "r");
    char *line = NULL, *field[columns];
    size_t capacity = 0;
    bool found = false;
    if (!f) fail("%s: %s", t->table, strerror(errno));
    while (!found && getline(&line, &capacity, f) > 0) {
        char *rest = line;
        if (read_csv_row(&rest, field, columns) != columns) continue;
        found = !strcmp(field[col_search], t->search) && !strcmp(field[col_candidate], candidate) &&
                strtod(field[col_share], NULL) == share && !strcmp(field[col_metric], t->metric);
        if (found)
            *out = (trial){ .diverged = !*field[col_loss], .value = read_number(field[col_value]),
                            .loss = read_number(field[col_loss]) };
    }
    free(line);
    fclose(f);
    return found;
}

static void put_number(FILE *f, double v)
{
    fputc(',', f);
    if (isfinite(v)) fprintf(f, "%.17g", v);
}

/* Appends a row by one call of write, as other processes may append at the same time. */
static void add_trial(const tuning *t, const char *candidate, double share, const trial *result)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    fprintf(f, "%s,", t->search);
    put_csv_field(f, t->label);
    fputc(',', f);
    put_csv_field(f, candidate);
    fprintf(f, ",%.17g,%s", share, t->metric);
    put_number(f, result->value);
    put_number(f, result->loss);
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    const int fd = open(t->table, O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd)) fail("%s: %s", t->table, strerror(errno));
    free(text);
}

static void print_trial(const tuning *t, const char *candidate, double share, const trial *result)
{
    printf("  %-40s after %3.0f %%: ", candidate, 100 * share);
    if (result->diverged) printf("diverged\n");
    else if (!strcmp(t->metric, "loss")) printf("loss %.4f\n", result->loss);
    else printf("%s %.4f, loss %.4f\n", t->metric, result->value, result->loss);
    fflush(stdout);
}

/* A trial_function: takes the trial from the table, or judges the candidate and adds it. */
static trial judge_once(int64_t candidate, double share, void *user)
{
    const tuning *t = user;
    trial result;
    char *text = candidate_text(t->candidates, candidate, t->recipe);
    if (!find_trial(t, text, share, &result)) {
        result = t->judge(candidate, share, t->user);
        add_trial(t, text, share, &result);
    }
    if (t->print) print_trial(t, text, share, &result);
    free(text);
    return result;
}

int kept_fraction(const char *how)
{
    static const char *const names[] = { "grid", "halving", "thirds" };
    for (int k = 0; k < 3; k++)
        if (!strcmp(how, names[k])) return k + 1;
    fail("--tune-search %s: expected grid, halving or thirds", how);
}

int64_t choose_candidate(const tuning *t, const char *how, trial *last)
{
    const search_plan plan = plan_search(grid_size(t->candidates), kept_fraction(how));
    tuning copy = *t;
    const int64_t chosen = run_search(&plan, judge_once, &copy, last);
    if (chosen < 0)
        fail("--tune: the training of every candidate gave values that are not finite; give smaller learning rates");
    return chosen;
}
