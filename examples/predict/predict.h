/* SPDX-License-Identifier: Apache-2.0
 * predict.h -- parts of program predict: batches of images, the table that it writes, and prediction with test-time
 * adaptation. The pictures that it is given: common/inputs/inputs.h. */
#ifndef PREDICT_H
#define PREDICT_H
#include "common/cases/case_attention.h"
#include "common/files/csv.h"
#include "common/inputs/inputs.h"
#include "common/model/loaded_model.h"
#include "common/program/progress_line.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* --- repeated.c --- */
/* Two pictures are the same if their names are equal after links, "." and ".." in the path of the folder are resolved,
 * such as a.png and ./a.png; a link to a file is another picture. */
/* Drops each picture that appears earlier in the same case, and warns of their number. To be called once. */
void drop_repeated(inputs *in);
/* Ends the program if two pictures are the same. flag: what needs each picture once, for the message. */
void refuse_repeated(const inputs *in, const char *flag);

/* --- format.c --- */
/* FORMAT_TEXT: "name  class  a=0.9 b=0.1"; FORMAT_CSV: with a heading; FORMAT_CSV_SEMICOLON: with semicolons and
 * decimal commas, and a byte order mark at the beginning; FORMAT_JSONL: an object on each line. */
typedef enum table_format { FORMAT_TEXT, FORMAT_CSV, FORMAT_CSV_SEMICOLON, FORMAT_JSONL } table_format;
table_format read_format(const char *name);                   /* "csv-semicolon", ..; another name: fails */
bool         is_csv(table_format format);
const csv_style *style_of_format(table_format format);
/* --- field.c --- */
/* The part of a line that identifies the picture, as it stands there with its quotes; to be freed. */
char *name_field(table_format format, const char *name);

/* --- table.c --- */
typedef enum line_kind { LINE_OF_IMAGE, LINE_OF_CASE, LINE_OF_ATTENTION, LINE_OF_AREAS } line_kind;
/* The size of a segmented picture, the pixels of each class [classes], and the area of a pixel; 0: not known. */
typedef struct areas { int64_t width, height; int64_t *pixels; double pixel_mm2; } areas;
/* What a line says: the name of the picture or case, and its probabilities [classes] (NULL: a case of which no picture
 * could be predicted). slices: pictures of the case that its probabilities are of; failed: its pictures that could not
 * be predicted. LINE_OF_ATTENTION: image [slices], the names of the pictures of the case, and the weight of each.
 * LINE_OF_AREAS: areas alone, of a segmented picture. */
typedef struct prediction {
    const char *name;
    const float *probabilities;
    int64_t slices, failed;
    const char **image;
    double *weight;
    const areas *areas;
} prediction;
/* One line that tells by which backbone, adapters, settings and classes a run predicts (description.c); to be freed.
 * more: further settings, at its end. */
char *describe_run(const loaded_model *s, table_format format, const input_reading *how, const char *compute,
                   const char *more);
/* A table of predictions on standard output, or in a file. A file is collected beside it, in PATH.part, whose first
 * line describes the run. When all pictures are done, it becomes PATH in one step. */
typedef struct prediction_table {
    const loaded_model *model;
    table_format format;
    line_kind lines;
    const char *path;                                         /* NULL: standard output */
    bool resumable;                                           /* errors advise --resume */
    char *part_path;
    FILE *part;                                               /* open for appending; NULL: standard output */
    struct done_line *done;                                   /* [done_count], sorted: lines of an earlier run, which
                                                               * --resume goes on with */
    int64_t done_count;
    bool has_heading;                                         /* PATH.part of the earlier run has it */
} prediction_table;
/* lines: what they are of. description: of describe_run. resumed: the pictures of this run, which goes on with
 * PATH.part of an earlier one; NULL: begins anew. PATH.part must have the same description and no other pictures;
 * else the program ends, and the file stays as it is. */
prediction_table open_table(const loaded_model *m, table_format format, line_kind lines, const char *path,
                            const char *description, bool resumable, const inputs *resumed);
/* Whether an earlier run has predicted this picture. If the same name was given n times, each of its lines answers one
 * call. */
bool  take_done_line(prediction_table *t, const char *name);
void  add_to_table(prediction_table *t, const prediction *p);
/* The file gets its name if complete; else PATH.part stays for --resume. */
void  close_table(prediction_table *t, bool complete);

/* --- lines.c --- */
/* A line with its line break, to be freed; *size: its length. heading_line: NULL for formats without a heading. */
char *heading_line(const loaded_model *s, table_format format, line_kind lines, size_t *size);
char *prediction_line(const loaded_model *s, table_format format, line_kind lines, const prediction *p, size_t *size);
/* The same with the name as it stands in the line, `length` characters (name_field). */
char *line_of_field(const loaded_model *s, table_format format, line_kind lines, const char *field, size_t length,
                    const prediction *p, size_t *size);

/* --- read_line.c --- */
/* Is this a line that prediction_line wrote for a picture? line .. end: with its line break; name: the field in it that
 * identifies the picture, of `length` characters. */
bool is_prediction_line(const loaded_model *s, table_format format, line_kind lines, const char *name, size_t length,
                        const char *line, const char *end);

/* --- case_results.c --- */
/* Takes the probabilities of pictures. Without a rule they become lines of the table; with one they are kept, and those
 * of each case become a line at the end, which says how many of its pictures could be predicted. */
typedef struct results {
    prediction_table *table;
    const inputs *in;
    bool by_case;
    case_rule rule;
    peft_case_pool *pool;                                     /* CASE_ATTENTION: owned; else NULL */
    int64_t columns;                                          /* classes; with pool the width of features */
    float *values;                                            /* [pictures, columns]: probabilities, or features */
    bool *known;                                              /* [pictures]: was it predicted? */
} results;
/* Ends the program, with the cure, if the pictures have no cases. */
void    check_has_cases(peft_context *ctx, const inputs *in);
/* per_case: --per-case; NULL: no rule. path: --model, beside which the pool lies. */
results open_results(prediction_table *t, const inputs *in, const char *per_case, const char *path);
void    add_result(results *r, int64_t picture, const float *p);             /* p [columns] */
/* Adds the lines of the cases if all pictures were tried, and prints a warning of each incomplete case. */
void    close_results(results *r, bool complete);

/* --- batch.c --- */
/* A batch of the network: images that were read and prepared. */
typedef struct image_batch {
    const loaded_model *model;
    int64_t capacity, count;
    float *pixels;                                            /* [capacity, 3, S, S] */
    int64_t *picture;                                         /* [capacity]: numbers of the pictures */
    char **error;                                             /* [capacity]: of pictures that are being read */
    int threads;
} image_batch;
image_batch make_batch(const loaded_model *s, int64_t capacity, int threads);
void free_batch(image_batch *b);
/* Reads pictures *next and following with several threads until the batch is full or no picture is left. Pictures that
 * are in the table already are left out (t NULL: none), and so are broken ones, of which an error is printed. Returns
 * how many were broken. */
int64_t fill_batch(image_batch *b, const inputs *in, prediction_table *t, int64_t *next);
peft_tensor *batch_images(const image_batch *b, int64_t first, int64_t count);        /* of the batch, not copied */

/* --- adapted.c --- */
typedef struct adaptation {
    const char *kind;                                         /* with options, "tent,lr=0.01"; NULL: none */
    int64_t batch;                                            /* images in a batch, unless kind has "batch" */
    const char *source, *table;                               /* path of training images; settings of a table */
    const char *image_options;                                /* how images are read; NULL: by the defaults */
    int64_t source_images;                                    /* how many are drawn of them; 0: all */
    uint64_t seed;
    const char *state;                                        /* path; NULL: none */
    bool resumed;                                             /* the state exists and is read */
    peft_adaptor *adaptor;                                    /* begin_adapting makes it */
} adaptation;
/* Makes the adaptor, if there is a kind, with what it has learned in a->state and the statistics of a->source. */
void    begin_adapting(const loaded_model *s, adaptation *a);
/* Ends the program if status, of a call of the adaptor, says that it lacks statistics of training images. */
void    check_has_source(peft_status status, const adaptation *a);
/* Saves what was learned in a->state, if that is given, and frees the adaptor. */
void    end_adapting(const adaptation *a);
/* Predicts the pictures in order, in batches, each of which adapts to its images; those that cannot be read
 * are left out. Hands results over after each batch. Returns how many pictures failed. *tried: how many were tried
 * before a stop. */
int64_t predict_adapting(const loaded_model *s, const adaptation *a, const inputs *in, results *r, int threads,
                         int64_t *tried);
#endif
