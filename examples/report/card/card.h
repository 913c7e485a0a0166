/* SPDX-License-Identifier: Apache-2.0
 * card.h -- the model card: one page on a model, of the training record beside it (docs/finetune.md lists its members).
 * A member that the record of an earlier version lacks is named as not recorded. */
#ifndef CARD_H
#define CARD_H
#include "common/record/json_read.h"
#include "report/page/page.h"
#include <stdint.h>

/* The record of a model, and members of it that several parts need; NULL: the record has none. */
typedef struct model_card {
    const char *model;                                        /* path of the model file */
    char *record_path;
    json *record;
    const json *data[3];                                      /* training, validation and test images */
    const json *figures;                                      /* of the test images */
    const json *rows;                                         /* figures of each class; NULL: only plain numbers */
    const char **class_name;                                  /* [classes] */
    int64_t classes;
    bool multilabel;                                          /* several labels for an image */
    bool masks;                                               /* the figures are those of masks (mean_figures.h) */
} model_card;
enum { most_listed = 8 };                                     /* classes that are listed one by one on paper */
extern const char *const card_set_name[3];                    /* "training" */

/* card.c: reads the record beside the model. The program ends with an error if the model has none, if the record is
 * damaged, or of another file. */
model_card read_card(const char *model);
void free_card(model_card *c);
const json *member_of(const model_card *c, const char *object, const char *name);      /* record.object.name */
double number_in(const json *j, const char *name);            /* NaN: no such member, or no finite number */
double number_at(const json *list, size_t i);                 /* the i-th item of a list */

/* A pair of a list <dl>: put_term, the description, "</dd>\n". put_fact: of a text; NULL: "not recorded". */
void put_term(FILE *f, const char *term);
void put_fact(FILE *f, const char *term, const char *text);
void put_coded(FILE *f, const char *text);                    /* as <code>; NULL: "not recorded" */

/* Around values of each class: with more than most_listed classes they are folded, and not printed. */
void begin_values(FILE *f, const model_card *c, const char *title);
void end_values(FILE *f, const model_card *c);

/* card_figures.c: the name of a figure on the card, "Balanced accuracy", of that in the record. */
const char *card_figure_term(const char *member);

/* The parts of the card. */
void put_model_part(page *p, const model_card *c);                  /* card_model.c: file, versions, backbone, method */
void put_training_part(page *p, const model_card *c);               /* card_model.c: options, epochs, seed */
void put_preprocessing_part(page *p, const model_card *c);     /* card_model.c */
void put_decision_part(page *p, const model_card *c);               /* card_model.c: thresholds and prediction sets */
void put_data_part(page *p, const model_card *c);                   /* card_data.c */
void put_figures_part(page *p, const model_card *c);                /* card_figures.c */
void put_confusion_part(page *p, const model_card *c);         /* card_figures.c */
bool has_folds(const model_card *c);                                /* card_folds.c: is there something for it? */
void put_folds_part(page *p, const model_card *c);                  /* card_folds.c: --tune, --nested, --val folds */
void put_limits_part(page *p, const model_card *c);                 /* card_limits.c: what the data leave open */

/* card_page.c: writes the whole card to f. title NULL: of the model's file. purpose, date: texts, or NULL. */
typedef struct card_texts { const char *title, *purpose, *date, *command; } card_texts;
void put_card(page *p, FILE *f, const model_card *c, const card_texts *texts, bool local_numbers);
#endif
