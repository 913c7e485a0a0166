/* SPDX-License-Identifier: Apache-2.0
 * run.h -- a run of finetune: its flags, its objects, and the functions of its parts: files.c (paths and training
 * states), train.c, validation.c, folds.c, record.c, choice.c, second_stage.c, decisions.c, predictions.c;
 * command_line.c defines `given`. */
#ifndef RUN_H
#define RUN_H
#include "common/data/data.h"
#include "common/cases/case_attention.h"
#include "common/decision/decision.h"
#include "common/decision/prediction_sets.h"
#include "common/decision/threshold_rule.h"
#include "common/model/recipe.h"
#include "common/tuning/tuned_recipe.h"
#include "common/program/progress_line.h"
#include "common/segment/figures/case_figures.h"
#include "common/segment/mask_sets.h"
#include "common/record/earlier.h"
#include "common/validation/held_out.h"
#include "common/validation/validator.h"
#include <stdbool.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: pretrained Vision Transformer, a safetensors file, a file of PyTorch " \
      "(.pth), the index of a model in several files, a folder with one of these, or a .npz file of Google's ViT") \
    DATA_FLAGS(X) \
    MASK_FLAGS(X) \
    MASK_FIGURE_FLAGS(X) \
    ATTENTION_CASE_FLAG(X) \
    X(case_options, "LIST", NULL, "with --per-case attention: options of the pooling, name=value,...: hidden, gated, " \
      "epochs, lr, weight_decay, seed (docs/api/case_pool.md)") \
    X(model, "PATH", NULL, "begin with the adapter of this trained model, a file that finetune wrote or a folder of " \
      "PEFT, and with its classifier if the classes are the same") \
    X(shots, "N", "0", "training images (with --all-slices: files) per class, drawn at random by --seed (0: all)") \
    X(test_per_class, "N", "0", "test images (with --all-slices: files) per class, drawn at random by --seed (0: " \
      "all)") \
    X(val, "PATH|SHARE|folds=K", NULL, "validation images, not trained on, by which each epoch is judged: a path " \
      "as of --test; a share of the training images, 0.2; folds=K: K trainings, each judged on one fold, then one " \
      "on all") \
    X(stop, "FIGURE", NULL, "early stopping: the epoch with the best figure of the validation images is saved: " \
      "balanced_accuracy, auroc_macro, f1_macro, accuracy, loss, with several labels map, with masks dice") \
    X(patience, "N", "5", "with --stop: epochs in a row without an improvement that end the training (0: all are " \
      "trained)") \
    X(seed, "N", "1", "seed of the draw of images, the initial values and the order of images") \
    X(threads, "N", "0", "number of threads (0: one for each core)") \
    X(state, "FILE", NULL, "save the training state here after each epoch; without it in OUT.state, when training is " \
      "stopped, and until the model is evaluated") \
    X(resume, NULL, NULL, "continue from the training state; after the last epoch, give more --epochs") \
    X(then, "METHOD", NULL, "a second stage: another method beside the first, both of which are trained then " \
      "(PT-PEFT: --method prefix --then lora)") \
    X(then_options, "LIST", NULL, "options of the second method") \
    X(then_epochs, "N", NULL, "epochs of the second stage; without it as many as --epochs") \
    X(prune, "LIST", NULL, "method e2vpt: percentages of tokens and pieces to leave out, 10-90 or 25,50,75; each " \
      "pair is tried, and the best on a fifth of the training images is trained again") \
    X(prune_score, "signed|absolute", "signed", "importance of prompts: signed (the published code's), absolute (the " \
      "paper's)") \
    X(nested, "K", NULL, "with --tune: judge the choice and the training with it by K outer folds of the training " \
      "images too") \
    X(out, "FILE", "adapter.safetensors", "file for the trained model: adapter, head, preprocessing, class names") \
    X(threshold, THRESHOLD_ARGUMENT, NULL, "decide by a threshold that the validation images (--val) give the " \
      "largest Youden index or F1, or this sensitivity or specificity, or by this one; of several labels by one " \
      "each, of two classes by that of --positive; predict decides by it too") \
    X(positive, "NAME", NULL, "with --threshold: the positive one of two classes; without it the second") \
    X(conformal, "SHARE[,class]", NULL, "give each picture the set of classes that holds the true one with this " \
      "probability, 0.9, fitted on the validation images (--val); 0.9,class: in each class") \
    X(predictions, "FILE", NULL, "write a CSV file with a row for each test image: name, patient, true class, " \
      "decision, probabilities") \
    X(force, NULL, NULL, "overwrite --out, --state, --predictions and --case-figures if they exist") \
    X(unchecked, NULL, NULL, "do not decode every picture before training to find broken ones")
enum { FLAGS(FLAG_ID) own_flags, flags = own_flags + tuned_flags };
extern flag given[flags];                                     /* the command line; from own_flags on the recipe */

typedef struct run {
    training_run t;
    mask_pixels *pixels;                                      /* of the training masks; owned here, t.pixels points to
                                                                 it */
    peft_dataset *test;
    const char *state;                                        /* path: state1, in the second stage state2 */
    char *state1, *state2;                                    /* --state or OUT.state; with .2 (NULL: one stage) */
    char *table;                                              /* path of the results of --prune */
    char *trials;                                             /* path of the results of --tune */
    peft_dataset *all;                                        /* --prune: training images with the fifth held out */
    /* Validation images (NULL: none), and their scores [count, classes] by the trained model; NULL: not known. */
    peft_dataset *validation;
    double *validation_scores;
    case_table validation_cases, test_cases;                /* of masks, in place of scores; no cases: not known */
    bool validated;                                           /* they judge the epochs, not --prune alone */
    const char *validation_source;                            /* where they come from; NULL: not validated, or a fold */
    validator *validator;                                     /* while training */
    peft_early_stop *best;                                    /* --stop, while training; else NULL */
    const judging_figure *figure;                             /* --stop, or the default */
    int64_t best_epoch;                                       /* whose values the model has, from 1 on; 0: the last */
    double best_figure;
    int64_t last_epoch;                                       /* trained, from 1 on */
    int64_t epochs;                                           /* to be trained of the t.epochs of the schedule */
    int64_t fold_epoch;                                       /* --val folds: the median of their epochs; else 0 */
    double *out_of_fold;                                      /* --val folds: scores of all training images; or NULL */
    bool ended;                                               /* by --patience */
    decision how;                                             /* how the trained model decides */
    set_rule sets;                                            /* --conformal; coverage 0: none */
    peft_case_pool *pool;                                     /* --per-case attention; else NULL */
    bool replace;                                             /* --out, --predictions and files beside --out */
    char *written;                                            /* path of the saved model: --out, or a fallback */
    int64_t images, batches;                                  /* in an epoch */
    /* Number of test and of validation images that are also training images, of --model too; -1: not known. */
    int64_t images_in_both, validation_in_both;
    earlier_images earlier;                                   /* training images of --model */
    const char *test_source;                                  /* where the test images come from */
    char *record_data;                                        /* the record's part of the images; NULL: not made yet */
    char *search, *outer_folds, *fold_figures;                /* .. of --tune, --nested, --val folds; NULL: not given */
    int argc;                                                 /* the command line, for the record */
    char **argv;
    progress_line bar;                                        /* on the terminal, during training */
    int64_t resumed_samples;                                  /* samples that a restored state had seen */
    int64_t updates, updates_in_epoch;                        /* since the program started; in this epoch */
    double start, epoch_start;                                /* times of seconds_now() */
    double loss_sum;                                          /* over the updates in this epoch */
} run;

/* --- command_line.c --- */
bool staged(void);                                            /* Is this a training in two stages? */
bool validates(void);                                         /* Is each epoch judged by validation images? */
bool in_folds(void);                                          /* --val folds=K */
/* --- files.c --- */
/* Checks the paths of --out, of the training states and of the table of --prune, before anything is read. */
void check_files(run *r);
/* Stores the training images' digest, the preprocessing and the seed in the training state. --resume compares them,
 * since with other data or another seed the test images might have been trained on. */
void add_state_notes(run *r);
void resume_training(run *r);
/* Between these calls the model is written and evaluated. A run that is stopped there is taken up again by --resume,
 * which may replace the model: it begins with the training state, of which all epochs are trained. */
void begin_unfinished(void);
void end_unfinished(void);
void free_paths(run *r);
void remove_states(const run *r);                             /* those at paths that the user did not choose */
/* --- train.c --- */
/* Trains all epochs. If training stops early, saves the training state and fails with the way to continue. */
void train_model(run *r);
/* Stores with the model what predict needs: preprocessing, class names, and softmax or sigmoid. */
void add_notes(run *r);
/* --- validation.c --- */
char *best_path(const char *state);                           /* of the best epoch's values; to be freed */
char *folds_path(const run *r);                               /* of what --val folds has predicted; to be freed */
void check_validation_flags(void);
/* Opens the validation images, or takes them from those of training. test_origin: the phrase of draw_sets. */
void open_validation(run *r, const data_request *q, const char *test_origin);
/* Begins judging the epochs of a stage, whose trainer has been resumed if it will be. */
void begin_validation(run *r);
/* Judges an epoch, prints a line, and keeps the values of the best. True: the training ends. */
bool judge_epoch(run *r, int64_t epoch);
void save_best(const run *r);                                 /* --stop: beside the training state; warns on failure */
/* Gives the model the values of the best epoch, prints which it is, and scores the validation images. */
void end_validation(run *r);
/* --- folds.c --- */
/* --val folds: trains on the folds, prints their figures, and sets how many epochs are trained on all images. */
void cross_validate(run *r);
/* --- record.c --- */
/* --model: warns of test and validation images that its training used, or prints that they are not known. */
void check_earlier_training(run *r);
/* Writes the training record beside the saved model. test_scores [count, classes] and their figures: NULL before the
 * evaluation. With masks they are NULL, and the figures are those of r->test_cases. */
void write_record(run *r, const double *test_scores, const figures *of_test);
/* --- choice.c --- */
bool tunes(void);                                             /* are settings chosen by folds? */
void check_tune_flags(void);
/* Both need the backbone and the transform of r->t (build_backbone). --nested: prints figures of outer folds. */
void judge_by_outer_folds(run *r);
/* --tune: replaces settings in `given` by those chosen by folds of the training images. */
void choose_settings(run *r);
/* --- decisions.c --- */
void check_decision_flags(void);
/* Before training: finds what would prevent the choices, and sets thresholds that are not chosen. */
void begin_decisions(run *r);
void finish_decisions(run *r);                                /* chooses, and stores the choices in the model */
void print_sets_figures(const run *r, const double *scores);  /* of the sets of test images, if there are sets */
void free_decisions(run *r);
/* --- segment/segment.c --- */
void check_mask_flags(void);                                  /* --masks: flags that are for classes of images */
void begin_mask_decisions(run *r);                            /* of several labels a pixel: --threshold */
/* Stores a note, or empties one that the model has from an earlier training; frees text. */
void store_note(const run *r, const char *key, char *text);
/* Prints the figures of the test images and completes the record; false: a stop was asked for. */
bool evaluate_maps(run *r, peft_session *s);
/* --- predictions.c --- */
const char **names_of_classes(const peft_dataset *d);         /* [classes], to be freed */
/* Ends the program if a class has the name of another column of that file. */
void check_prediction_columns(const run *r);
void write_predictions(const run *r, const double *scores);   /* scores: of the test images, [count, classes] */
/* --- second_stage.c --- */
void check_stages(void);                                      /* the flags; sets options of the masks of --prune */
void hold_out_validation(run *r);                             /* --prune: --val, or a fifth of every class */
/* Before the first stage, whose objects are ready: ends the program if the second one would fail. */
void check_second_stage(run *r);
void add_method(run *r);                                      /* --then: trains another method beside the first */
void train_pruned(run *r);                                    /* --prune: the best pruned adapter, on all images */
#endif
