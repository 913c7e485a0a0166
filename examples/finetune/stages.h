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
/* The options of the masks that --prune trains, behind the options that recipe has for its method; to be freed. */
char *masked_options(const flag *recipe);

/* Prints a line with the effective rank of the features of d, by the model as it is: the exponential of the entropy of
 * their singular values' shares. when: "before training", for the line. */
void print_effective_rank(const training_run *t, const peft_dataset *d, const char *when);

typedef struct prune_search {
    const char *percentages;                                  /* "10-90" (steps of 10), or a list, "25,50" */
    const char *score;                                        /* signed or absolute */
    const char *table;                                        /* path of the CSV file with the candidates' results */
    bool resume;                                              /* take results from the table */
    peft_dataset *validation;
} prune_search;
/* Ends the program unless percentages and score are well-formed. */
void check_search(const prune_search *s);
/* Gathers the importance of the masks of `masked`, whose training is over, trains a pruned adapter for each pair of
 * percentages (of tokens, of pieces) on the same images, and prints the results on the validation images. Returns an
 * untrained adapter, to be freed, with the masks of the best: the largest balanced accuracy (several labels for an
 * image: mean average precision); of equal ones that which leaves out most. */
peft_adapter *search_pruned(const training_run *masked, const flag *recipe, const prune_search *s);
#endif
