/* SPDX-License-Identifier: Apache-2.0
 * threshold_rule.c -- parses rules of thresholds, and chooses by them (threshold_rule.h). */
#include "threshold_rule.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 10 };                                            /* images that a threshold should rest on at least */

threshold_rule parse_threshold_rule(const char *text)
{
    static const char *const plain[] = { "youden", "f1" }, *const rates[] = { "sensitivity", "specificity" };
    threshold_rule r = { .text = text };
    char *end = NULL;
    for (size_t i = 0; i < 2; i++) {
        const size_t length = strlen(rates[i]);
        if (!strcmp(text, plain[i])) r.name = plain[i];
        if (!strncmp(text, rates[i], length) && text[length] == '=') {
            r.name = rates[i];
            r.wanted = read_decimal(text + length + 1, &end);
            if (end == text + length + 1 || *end) r.wanted = -1;
        }
    }
    if (!r.name) {
        r.wanted = read_decimal(text, &end);
        if (end == text || *end) r.wanted = -1;
    }
    if (!(r.wanted >= 0 && r.wanted <= 1))
        fail("--threshold: given '%s', expected youden, f1, sensitivity=SHARE, specificity=SHARE, or a decimal "
             "number from 0 to 1%s", text, r.name ? "; a share is given as 0.95, not in percent" : "");
    return r;
}

/* Warns where a threshold could not be chosen, which is 0.5 then, or rests on few images. True: it was chosen. */
static bool check_choice(decision *d, int64_t c, const float *targets, int64_t n, const char *set, const char *name)
{
    int64_t positive = 0, negative = 0;
    for (int64_t i = 0; i < n; i++) {
        positive += targets[i * d->classes + c] > 0;
        negative += targets[i * d->classes + c] == 0;
    }
    if (isnan(d->thresholds[c])) {
        d->thresholds[c] = 0.5;
        warn("--threshold: %s of the %s have '%s': its threshold is 0.5, the default", positive ? "all" : "none", set,
             name);
        return false;
    } else if (positive < FEW || negative < FEW) {
        warn("--threshold: the threshold of '%s' was chosen on %lld images with it and %lld without (%s); give %d or "
             "more of each", name, (long long)positive, (long long)negative, set, FEW);
    }
    return true;
}

void choose_thresholds(peft_context *ctx, decision *d, const threshold_rule *r, const double *scores,
                       const float *targets, int64_t n, const char *set, const char *const *names)
{
    const int64_t positive = d->positive;
    free_decision(d);
    *d = (decision){ .classes = d->classes, .multilabel = d->multilabel, .positive = positive,
                     .rule = check_alloc(strdup(r->text)), .set = check_alloc(strdup(set)) };
    d->thresholds = check_alloc(malloc((size_t)d->classes * sizeof *d->thresholds));
    must(peft_threshold_choose(ctx, scores, targets, n, d->classes, r->name, r->wanted, d->thresholds));
    int64_t chosen = 0, left = 0;
    for (int64_t c = 0; c < d->classes; c++) {
        if (!d->multilabel && c != positive) continue;
        if (check_choice(d, c, targets, n, set, names[c])) chosen++;
        else left++;
    }
    if (!left) return;
    free(d->rule);                                            /* the note and all messages say so */
    if (asprintf(&d->rule, chosen ? "%s, and the default 0.5 where it could not be chosen"
                                  : "the default, as %s could not be chosen", r->text) < 0) fail("out of memory");
    if (chosen) return;
    free(d->set);
    d->set = NULL;                                            /* no image has chosen a threshold */
}
