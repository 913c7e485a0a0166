/* SPDX-License-Identifier: Apache-2.0
 * threshold_rule.h -- the rules by which finetune --threshold chooses thresholds on images (peft/threshold.h). */
#ifndef THRESHOLD_RULE_H
#define THRESHOLD_RULE_H
#include "decision.h"

#define THRESHOLD_ARGUMENT "youden|f1|sensitivity=SHARE|specificity=SHARE|NUMBER"
/* name: of peft_threshold_choose; NULL: the text is a number. wanted: the rate, or the number. */
typedef struct threshold_rule { const char *text, *name; double wanted; } threshold_rule;
/* Parses the text of --threshold; another text ends the program. */
threshold_rule parse_threshold_rule(const char *text);
/* Sets the thresholds of d, for one label of d->positive, by the rule's figure on images with these scores and targets,
 * [n,classes]. set: their name. A label without judged positive or negative images gets 0.5, with a warning that has
 * its name of names [classes]; so does a choice that rests on few images. */
void choose_thresholds(peft_context *ctx, decision *d, const threshold_rule *r, const double *scores,
                       const float *targets, int64_t n, const char *set, const char *const *names);
#endif
