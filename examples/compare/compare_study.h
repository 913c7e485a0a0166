/* SPDX-License-Identifier: Apache-2.0
 * compare_study.h -- the study that compare makes: every entry of the list is trained on `samplings` draws (random
 * selections of the images; the CSV file calls a draw a sampling) with `runs` seeds each. The runs of the study are
 * numbered from 0 in the order in which they are done: first all entries on draw 1, then on draw 2, ..., then the same
 * with the second seed, so a study that is stopped early covers many draws. */
#ifndef COMPARE_STUDY_H
#define COMPARE_STUDY_H
#include "common/cases/cases.h"
#include "common/data/data.h"
#include "common/figures/count_range.h"
#include "common/files/csv.h"
#include "common/files/records.h"
#include "common/maps/map_list.h"
#include "common/model/evaluate.h"
#include "common/model/recipe.h"
#include "common/tuning/tuned_recipe.h"
#include "common/flags/flags.h"
#include "common/program/clock.h"
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct entry {
    char *label, *settings;                                   /* settings: everything that determines results, as text,
                                                                 except draw and seed */
    char key[17];                                             /* hash of both, 16 hexadecimal digits */
    int line;                                                 /* in the list file */
    flag recipe[tuned_flags];
    grid candidates;                                          /* of --tune; without it no settings */
} entry;

/* Features of the n images of a data set, [n, width], and their labels; x NULL: the model has none. */
typedef struct features { float *x; int64_t n, width, classes; int64_t *label; } features;
/* Where in study.features those of a draw are: of the training images, then of the test images. */
typedef struct feature_slot {
    int64_t offset, width;
    double seconds, peak_bytes;                               /* that computing them took */
    bool ready;
} feature_slot;

enum { class_names_size = 1 << 16 };

/* The settings that --tune chose in a run, "lr=0.01,epochs=20"; empty: none. */
typedef struct chosen { char text[400]; } chosen;

/* What is counted of a draw, by the names of study.csv. Cases: with --per-case. */
enum { draw_train_images, draw_test_images, draw_test_cases, draw_counts };
typedef struct draw_count { int64_t of[draw_counts]; } draw_count;

typedef struct study {
    const char *list, *backbone;                              /* paths */
    data_request images;                                      /* without the seed, which each draw has its own of */
    const char *spacing;                                      /* --spacing, of masks; NULL: that of the files alone */
    const char *records, *title, *note, *command;             /* records: folder, NULL: no records */
    int64_t samplings, runs;                                  /* number of draws; of seeds for each draw */
    int64_t jobs;                                             /* runs at a time */
    bool unchecked;                                           /* do not decode pictures before the runs */
    int64_t judge_every;                                      /* epochs between evaluations; 0: only at the end */
    const char *per_case;                                     /* --per-case: metrics are of cases; NULL: of images */
    case_rule rule;                                           /* with per_case */
    bool analysis;                                            /* analyse features before and after tuning */
    const char *maps_text;                                    /* --maps; NULL: no maps */
    map_list maps;                                            /* kinds of --maps */
    uint64_t seed;                                            /* of the first draw */
    entry *entry;
    int64_t entries;
    result *result;                                           /* [samplings * runs * entries], in shared memory */
    char *class_names;                                        /* of masks, one string after another, the last one
                                                               * empty: [class_names_size], in shared memory */
    int64_t classes;                                          /* of masks; 0: classes are of images */
    double *of_class;                                         /* [samplings * runs * entries, classes,
                                                               * results_of_class], in shared memory */
    chosen *chosen;                                           /* likewise */
    const char **unit;                                        /* of distances, likewise: "mm", "px"; NULL: not known */
    draw_count *draw;                                         /* [samplings], in shared memory */
    char *trials;                                             /* path of the table of --tune; NULL: no entry has it */
    bool *done;                                               /* [samplings * runs * entries] */
    char *fingerprint;                                        /* of the backbone, 64 digits, in shared memory */
    FILE *features;                                           /* temporary file of the features that probes share */
    feature_slot *slot;                                       /* [samplings * entries], in shared memory */
} study;

/* The number of runs, and properties of run i: its entry, its draw and the number of its seed (both from 1). */
static inline int64_t study_size(const study *s) { return s->samplings * s->runs * s->entries; }
static inline const entry *entry_of(const study *s, int64_t i) { return &s->entry[i % s->entries]; }
static inline int64_t draw_of(const study *s, int64_t i) { return i / s->entries % s->samplings + 1; }
static inline int64_t run_in_draw(const study *s, int64_t i) { return i / s->entries / s->samplings + 1; }
/* Draw d equals the draw of `finetune --seed S` with S = seed + d - 1, and run 1 of it equals that program's run. */
static inline uint64_t draw_seed(const study *s, int64_t i) { return s->seed + (uint64_t)draw_of(s, i) - 1; }
static inline uint64_t run_seed(const study *s, int64_t i)
{
    return draw_seed(s, i) + 1000 * ((uint64_t)run_in_draw(s, i) - 1);
}

/* compare_list.c: fills entry and entries from the list file. Flags that a line does not give come from defaults
 * [tuned_flags]. */
void read_list(study *s, const flag *defaults);
void free_list(study *s);

/* compare_draw.c: draws the images of run i and sets what the caller of build_training must set in t. With per_case the
 * cases of the test images are checked. Returns whether the training and the test images are both
 * drawn from the training images of --data. */
bool draw_run_data(const study *s, int64_t i, training_run *t, peft_dataset **test);
/* Counts the images of draw d (from 0), and prints them if it is one of the first draws. */
void count_draw(study *s, int64_t d, const peft_dataset *train, const peft_dataset *test);
count_range range_of_draws(const study *s, int count, int64_t first);    /* of draw `first` (from 0) and later ones */
bool draws_differ(const study *s);                            /* Are their numbers of images or cases different? */

/* compare_run.c: does run i and stores result[i]. Called in a child process, as errors call exit. */
void perform_run(study *s, int64_t i);
/* What is judged: the test images, or with --per-case their cases; image_scores are those of images. */
typedef struct judged { const peft_dataset *samples; double *scores, *image_scores; case_scores cases; } judged;
/* Judges the probabilities of the test images, which free_judged frees. */
judged judge_scores(const study *s, peft_context *ctx, peft_dataset *test, double *image_scores, metrics *m);
void free_judged(const study *s, judged *j);
void store_metrics(double *v, const metrics *m);              /* v: result.value */
/* When a run began, and the seconds of evaluations while it was trained, which do not count. */
typedef struct run_clock { double start, evaluations; } run_clock;
static inline double run_seconds(const run_clock *clock)     /* of the run so far */
{
    return seconds_now() - clock->start - clock->evaluations;
}

/* compare_features.c: features, of which probes read those that the backbone has as it is. */
bool is_probe(const entry *e);                                /* does it have --method probe? */
bool reads_flag(const entry *e, int k);                       /* does flag k of the recipe matter to it? */
void check_probe_flags(const entry *e);                       /* fails for a flag of the line that no probe reads */
/* Builds what the entry needs: build_training, or for a probe the backbone and a model of it alone. */
void build_entry(training_run *t, const entry *e);
peft_model *backbone_model(const training_run *t, const entry *e);       /* without head; pooled as --head says */
typedef void (*feature_hook)(peft_session *session, const features *f, int64_t i, void *user);
/* Computes the features of all images; hook (may be NULL) is called after each. */
features compute_features(const training_run *t, peft_session *session, const peft_dataset *d, feature_hook hook,
                          void *user);
void free_features(features *f);
double peak_bytes(void);                                      /* the largest memory use of this process so far */
void open_feature_file(study *s);                             /* makes s->features, if the list has probes */
/* The features of the images of run i, a probe. They are computed once for a draw: the probes with the same backbone
 * and preprocessing share them. t: not built; built if it was needed. */
const feature_slot *probe_features(study *s, int64_t i, training_run *t, const peft_dataset *test,
                                   features *for_training, features *for_test);

/* compare_probe.c: does run i, a probe, as perform_run does others. check_probe fits a probe to features of zeros, to
 * find wrong options. */
void perform_probe(study *s, int64_t i);
/* compare_fit.c: fits a probe with the options of a recipe to the features of train. */
peft_probe *fit_probe(peft_context *ctx, const flag *recipe, const features *f, const peft_dataset *train);
void check_probe(const training_run *t, const entry *e);

/* compare_check.c: decodes the images, builds every entry without training it, and sets the fingerprint. Called in a
 * child process, as errors call exit. */
void check_list(study *s);

/* compare_csv.c: the CSV file with one row for each run. read_csv ignores rows of runs with other settings; they stay
 * in the file. */
void make_settings(study *s);                                 /* sets settings and key of entries; needs fingerprint */
/* Writes the heading; `replace`: to an existing file. */
void start_csv(const char *path, const study *s, bool replace);
void read_csv(const char *path, study *s);                    /* sets done and result of the runs in the file */
void append_csv(const char *path, const study *s, int64_t i);
void put_csv_heading(FILE *f, const study *s);
void put_csv_row(FILE *f, const study *s, int64_t i);

/* compare_records.c: the files of records.h. */
/* figure: balanced accuracy, or with masks Dice; NaN: not evaluated. */
typedef struct epoch_point { double loss, figure; } epoch_point;
typedef struct evaluation {
    const peft_dataset *test;                                 /* with per_case one image of each case */
    const double *scores;                                     /* [test images or cases, classes] */
    const epoch_point *curve;                                 /* [epochs] */
    int64_t epochs;
} evaluation;
bool has_study(const study *s);                               /* does the folder hold a study.csv? */
void write_study(study *s);                                   /* study.csv; called in a child process */
void write_records(const study *s, int64_t i, const evaluation *ev);      /* the three files of run i */
bool has_records(const study *s, int64_t i);                  /* do these files, and with analysis its three, exist? */
struct atomic_file;
void  open_run_record(struct atomic_file *w, const study *s, int64_t i, const char *kind);    /* kind: records.h */
char *run_record_path(const study *s, int64_t i, const char *kind);       /* to be freed */
void  write_curve(const study *s, int64_t i, const epoch_point *curve, int64_t epochs);
void  write_run(const study *s, int64_t i);                   /* the last of a run's files */
/* The first 16 digits of the SHA-256 of a patient's id, so that records tell images of one patient, but no ids. */
enum { patient_hash_size = 17 };
void  patient_hash(const char *id, char hash[patient_hash_size]);

/* compare_analysis.c: the files of run i on features and attention, for study.analysis; t is trained. */
void write_analysis(const study *s, int64_t i, const training_run *t, const peft_dataset *test);

/* maps/maps_wanted.c, and write_maps in maps/compare_maps.c: maps of held-out images, for study.maps. */
map_list kinds_of_maps(const char *text);                     /* of the value of --maps; errors end the program */
bool run_has_maps(const study *s, int64_t i);                 /* --maps is given, and i is the first run of its entry */
bool covers_maps(const study *s, const char *path);           /* does the record at path have all kinds of --maps? */
void write_maps(const study *s, int64_t i, const training_run *t, const evaluation *ev);      /* the record of run i */

/* compare_report.c. moments: n finished runs; sd is the sample standard deviation, NaN for n < 2. */
typedef struct moments { int64_t n; double mean, sd, max; } moments;
moments summarise(const study *s, int64_t entry, int column); /* column: result_accuracy, ... */
void print_table(const study *s);
void write_summary(const char *path, const study *s);
void write_figure(const char *path, const study *s);
#endif
