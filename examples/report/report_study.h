/* SPDX-License-Identifier: Apache-2.0
 * report_study.h -- a study as report reads it from a folder of records (records.h): its properties and finished
 * runs. */
#ifndef REPORT_STUDY_H
#define REPORT_STUDY_H
#include "common/figures/count_range.h"
#include "common/files/records.h"
#include "common/segment/figures/case_figures.h"
#include <stdbool.h>
#include <stdint.h>

/* What compare --analysis found of a run. */
enum { space_intra, space_inter, space_silhouette, space_rank, space_map_share, space_numbers };
typedef struct analysis {
    bool known;                                               /* the three files exist; else all below is 0 */
    double before[space_numbers], after[space_numbers];       /* tuning; NaN: undefined */
    double *map;                                              /* [images, 4]: before_1, before_2, after_1, after_2 */
    int64_t tokens, prefix;                                   /* of the network; class token and registers of them */
    const char *transform;                                    /* text; from image to network input */
    /* Maps of the attention that sinks take: of mass_image (MEAN_IMAGE: mean of all) in mass_block, [tokens] each. */
    int64_t masses, *mass_image, *mass_block;
    double *mass;
    char *text[3];                                            /* of the files; transform points into it */
} analysis;
enum { MEAN_IMAGE = -1 };

/* A predicted mask that compare recorded, of the best, the median or the worst case of a run. */
typedef struct shown_mask {
    const char *rank;                                         /* "best", "median" or "worst" */
    const char *digest;                                       /* of the picture (picture_digest); empty: not recorded */
    int64_t at, image, width, height;                         /* at: the case's number in the run; image: of the test
                                                               * images, of a volume a slice of it */
    uint8_t *label;                                           /* [height, width] classes */
} shown_mask;
enum { MOST_SHOWN_MASKS = 3 };

/* A run trains one method once, on one draw: a random selection of the training images. */
typedef struct run {
    bool done;                                                /* results and predictions are there; else nothing is */
    int64_t draw, number;                                     /* number of the draw; of the run on this draw; from 1 */
    uint64_t draw_seed;                                       /* of the draw */
    double value[result_columns];                             /* results, by result_accuracy and so on */
    double *of_class;                                         /* of masks: [classes, results_of_class]; else NULL */
    const char *chosen;                                       /* what --tune chose, "lr=0.01"; empty: nothing */
    int64_t epochs, images;                                   /* images: test images, or cases (study_has_cases) */
    double *loss, *figure;                                    /* [epochs]: loss, judged figure; NaN: no value */
    const char **name;                                        /* [images]; of a study of cases the cases' names */
    const char **patient;                                     /* [images]; NULL: not known, or not recorded */
    bool has_patients;                                        /* is any patient known? */
    int64_t *label;                                           /* [images]; of masks all 0 */
    double *score;                                            /* [images, classes]: probabilities; of masks NULL */
    case_table cases;                                       /* of masks: figures of all images; else empty */
    shown_mask shown[MOST_SHOWN_MASKS];                       /* [shown_masks]; of the first run on the first draw */
    int64_t shown_masks;
    char *text[4];                                            /* of the record files; name points into them */
    analysis analysis;
} run;

typedef struct method {
    const char *label, *key, *name, *settings;                /* name: "ept" */
    run *run;                                                 /* [study.runs] */
    int64_t done, epochs;                                     /* finished runs; most epochs of a run */
} method;

typedef struct study {
    const char *folder;
    char *text;                                               /* of study.csv; the strings below point into it */
    const char *(*property)[2];                               /* [properties]: name and value */
    const char **class_name;                                  /* [classes] */
    method *method;                                           /* [methods]: the entries of compare's list file */
    int64_t properties, classes, methods, runs;               /* runs: planned runs of each method */
    bool masks;                                               /* classes are of pixels, and predictions are maps */
    bool spaced;                                              /* with masks: compare --spacing was given */
} study;

study       read_study(const char *folder);
void        free_study(study *s);
const char *study_property(const study *s, const char *name); /* NULL: the study has no such property */
bool        study_has_cases(const study *s);                  /* results are of cases, not of single images */
const char *study_unit(const study *s);                       /* what results are of: "images" or "cases" */
int64_t     study_integer(const study *s, const char *name);  /* a property that is a whole number; fails without it */
/* The smallest and the largest value of a property such as "train_images", which study.csv has in one row, or in a row
 * for each draw if they differ; fails without it. rows: their number. Records of libpeft 1.0 have one row, of the first
 * draw alone. */
count_range study_range(const study *s, const char *name, int64_t *rows);

/* Result `column` (result_accuracy, ...) of all runs, [runs]; NaN for a run that is not done. To be freed. */
double *column_values(const study *s, const method *m, int column);
int64_t predicted_class(const study *s, const run *r, int64_t image); /* the most probable class */
/* Is this result one of the study's kind of classes? */
static inline bool has_result(const study *s, int column)
{
    return result_of[column] & (s->masks ? OF_MASKS : OF_CLASSES);
}
/* For messages of records that contradict each other. */
#define damaged_records_advice "the records were changed or are damaged; restore them, or repeat the study"
/* What methods are ranked by: a result, its name within a sentence and at its beginning, and the metric of
 * <peft/statistics.h> that it is. */
typedef struct ranking_figure { int column; const char *name, *heading, *metric; } ranking_figure;
const ranking_figure *ranking(const study *s);                /* balanced accuracy, or of masks Dice */
const method *best_method(const study *s);                    /* by the mean of it; NULL: no finished run */
const run *first_run(const study *s, const method *m);        /* the first finished one; NULL: there is none */

/* records/record_files.c: reads the files of a run, whose draw and number are set. */
void read_run(const study *s, method *m, run *r);
/* Reading of record files, for report_analysis.c; path is for messages. A row_reader stores a row of a record file of
 * run r; rows are counted from 0 below the heading. */
enum { most_record_fields = 4096 };
typedef void (*row_reader)(const study *s, run *r, int64_t row, char **field, const char *path);
/* Reads a record file of run r and calls `store` for each row of `fields` fields after the heading, of which there must
 * be at least `least`. Returns false if the file does not exist. *text becomes the file's text, to be freed. kind: as
 * for record_name. */
bool    read_rows(const study *s, const method *m, run *r, char **text, const char *kind, int fields,
                  int64_t least, row_reader store);
/* records/record_cases.c: reads the figures by case, of a study of masks; false: they are not all there. */
bool    read_cases(const study *s, const method *m, run *r);
/* records/check_cases.c: end the program, with file and line, if the cases of a run contradict its other numbers, or
 * those of other runs. */
void    check_recorded_cases(const study *s, const method *m, const run *r, const char *path);
void    check_cases_of_runs(const study *s);
/* records/record_masks.c: reads the shown masks of a run whose cases are read, if it has any. */
void    read_masks(const study *s, const method *m, run *r);
/* records/record_numbers.c */
char   *path_of_record(const study *s, const method *m, const run *r, const char *kind);      /* to be freed */
/* records/record_numbers.c: end the program where the text is no such number. */
_Noreturn void fail_malformed(const char *path);
int64_t whole_number(const char *text, int64_t limit, const char *path);      /* in [0, limit) */
double  number_or_nan(const char *text, const char *path);                    /* NaN: empty, "nan" or "inf" */
/* report_analysis.c: reads the analyses of all finished runs; frees them, before free_study. */
void read_analyses(study *s);
void free_analyses(study *s);
#endif
