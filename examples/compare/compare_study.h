/* SPDX-License-Identifier: Apache-2.0
 * compare_study.h -- what compare compares: the list's entries, each trained on `samplings` draws of the data times
 * `runs` seeds, and the figures of each of these. Runs are numbered in the order they are done in: all entries on the
 * first draw, on the second, ..., then with the second seed; so a study stopped early has seen many draws. */
#ifndef COMPARE_STUDY_H
#define COMPARE_STUDY_H
#include "common/files/csv.h"
#include "common/files/records.h"
#include "common/model/recipe.h"
#include "common/program/flags.h"
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct entry {
    char *label, *settings;                                   /* settings: all that decides a run but draw and seed */
    char key[17];                                             /* 16 digits that stand for both */
    int line;
    flag recipe[recipe_flags];
} entry;

typedef struct study {
    const char *list, *backbone, *data, *test;                /* paths; test may be NULL */
    const char *records, *title, *note, *command;             /* records: a folder; NULL: none are kept */
    int64_t shots, test_per_class, samplings, runs, jobs;
    bool unchecked;                                           /* pictures are not decoded before */
    int64_t judge_every;                                      /* epochs; 0: only at the end */
    uint64_t seed;
    entry *entry;
    int64_t entries;
    result *result;                                           /* [samplings * runs * entries], shared by processes */
    bool *done;
    char *fingerprint;                                        /* of the backbone, shared by processes; 64 digits */
} study;

static inline int64_t study_size(const study *s) { return s->samplings * s->runs * s->entries; }
static inline const entry *entry_of(const study *s, int64_t i) { return &s->entry[i % s->entries]; }
static inline int64_t sampling_of(const study *s, int64_t i) { return i / s->entries % s->samplings + 1; }
static inline int64_t run_of(const study *s, int64_t i) { return i / s->entries / s->samplings + 1; }
/* Draw number d is what `finetune --seed (seed + d - 1)` draws, and run 1 is that program's run. */
static inline uint64_t draw_seed(const study *s, int64_t i) { return s->seed + (uint64_t)sampling_of(s, i) - 1; }
static inline uint64_t run_seed(const study *s, int64_t i)
{
    return draw_seed(s, i) + 1000 * ((uint64_t)run_of(s, i) - 1);
}

/* compare_list.c: fills entry and entries from the list file, every flag of recipe_flags that a line does not give
 * taken from defaults. */
void read_list(study *s, const flag *defaults);
void free_list(study *s);

/* compare_draw.c: the images of a run; the rest of t is yet to be built. */
void open_trial(const study *s, int64_t i, trial *t, peft_dataset **test);

/* compare_run.c: one run, into result[i]. For a process of its own: it fails by exit. */
void do_run(study *s, int64_t i);

/* compare_check.c: decodes the images and builds every entry without training it, and fills the fingerprint. For a
 * process of its own: it fails by exit. */
void check_list(study *s);

/* compare_csv.c: a row a run. Rows of other settings stay in the file and are not looked at. */
void write_settings(study *s);                                /* fills settings and key; needs the fingerprint */
void start_csv(const char *path, bool replace);               /* the heading; else refuses to touch an existing file */
void read_csv(const char *path, study *s);                    /* sets done and result of what is in it */
void append_csv(const char *path, const study *s, int64_t i);
void put_csv_heading(FILE *f);
void put_csv_row(FILE *f, const study *s, int64_t i);

/* compare_records.c: the folder of records.h. */
typedef struct epoch_point { double loss, balanced_accuracy; } epoch_point;     /* balanced_accuracy NaN: not judged */
typedef struct judged {
    const peft_dataset *test;
    const double *scores;                                     /* [test images, classes] */
    const epoch_point *curve;                                 /* [epochs] */
    int64_t epochs;
} judged;
bool has_study(const study *s);                               /* has the folder been written to? */
void write_study(study *s);                                   /* study.csv; for a process of its own */
void write_records(const study *s, int64_t i, const judged *j);
bool has_records(const study *s, int64_t i);

/* compare_report.c */
typedef struct moments { int64_t n; double mean, sd, max; } moments;    /* sd: of a sample; NaN for less than two */
moments summarise(const study *s, int64_t entry, int column);
void print_table(const study *s);
void write_summary(const char *path, const study *s);
void write_figure(const char *path, const study *s);
#endif
