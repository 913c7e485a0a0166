/* SPDX-License-Identifier: Apache-2.0
 * stages.h -- trainings of finetune that consist of several: a second method beside the first (--then), and the search
 * for prompts that can be left out (--prune). */
#ifndef STAGES_H
#define STAGES_H
#include "common/model/recipe.h"
#include <stdbool.h>

/* A copy of a recipe with another method, options of the method, and epochs (NULL: as many as recipe has). flags:
 * [recipe_flags]. */
void copy_recipe(flag *flags, const flag *recipe, const char *method, const char *options, const char *epochs);
/* --- masks.c --- */
enum { TOKENS, PIECES, MASKS };                               /* the masks of e2vpt */
/* The options that recipe has for its method, with those masks trained that it does not name; to be freed. searched:
 * the trained ones, which --prune searches. Ends the program if a mask is fixed, or none is trained. */
char *masked_options(const flag *recipe, bool searched[MASKS]);
/* What the fixed masks of an adapter leave of the prompts of a block, which are `width` channels each: tokens, pieces
 * of these tokens, channels of these pieces. */
typedef struct kept_prompts { int64_t tokens, pieces, channels; } kept_prompts;
kept_prompts count_kept(const peft_adapter *a, int64_t width);
/* The number of trained parameters that are multiplied with a 0 of the masks. */
int64_t masked_parameters(peft_model *m, int64_t width);

/* Prints a line with the effective rank of the features of d, by the model as it is: the exponential of the entropy of
 * their singular values' shares. when: "before training", for the line. */
void print_effective_rank(const training_run *t, const peft_dataset *d, const char *when);

typedef struct prune_search {
    const char *percentages;                                  /* "10-90" (steps of 10), or a list, "25,50" */
    const char *score;                                        /* signed or absolute */
    const char *table;                                        /* path of the CSV file with the candidates' results */
    bool resume;                                              /* take results from the table */
    bool searched[MASKS];                                     /* of a mask that is not, nothing is pruned */
    peft_dataset *validation;
} prune_search;
/* Ends the program unless percentages and score are well-formed. Returns the number of candidates, each of which is a
 * training. */
int check_search(const prune_search *s);
/* Gathers the importance of the masks of `masked`, whose training is over, trains a pruned adapter for each pair of
 * percentages (of tokens, of pieces) on the same images, and prints the results on the validation images. Returns an
 * untrained adapter, to be freed, with the masks of the best: the largest balanced accuracy (several labels for an
 * image: mean average precision); of equal ones that which leaves out most. */
peft_adapter *search_pruned(const training_run *masked, const flag *recipe, const prune_search *s);
#endif
