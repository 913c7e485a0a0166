/* SPDX-License-Identifier: Apache-2.0
 * segment_values.c -- tables of one figure of segments, with the rules for classes that a case lacks. */
#include <math.h>
#include <peft/segmentation.h>
#include <string.h>
#include "core/base/error.h"
#include "core/options/options.h"

static const pf_opt options_table[] = {
    { "absent", 's', "ignore", 0, 0, "dice and iou where the truth lacks the class: ignore (undefined), both "
      "(undefined if the prediction lacks it too, else 0), or one (1 if the prediction lacks it too, else 0)" },
    { "missing", 's', "inf", 0, 0, "a distance where only one of truth and prediction has the class: inf, extent (the "
      "diagonal of the map), or ignore (undefined)" },
    { 0 } };

const peft_option *peft_segmentation_option(size_t i) { return pf_option_at(options_table, i); }

typedef enum { IGNORE, BOTH, ONE } absent_rule;
typedef enum { INF, EXTENT, LEAVE_OUT } missing_rule;

static double ratio(double a, int64_t b) { return b ? a / (double)b : NAN; }

/* Dice or IoU: share, or what the rule says where the truth lacks the class. */
static double overlap(const peft_segment *g, double share, absent_rule rule)
{
    if (g->truth) return share;
    if (rule == IGNORE) return NAN;
    return g->predicted ? 0 : rule == ONE ? 1 : NAN;
}

static double distance(const peft_segment *g, double d, missing_rule rule)
{
    if (!isinf(d) || rule == INF) return d;
    return rule == EXTENT ? g->extent : NAN;
}

static const char *const names[] = { "dice", "iou", "precision", "recall", "hd", "hd95", "surface_distance" };
enum { DICE, IOU, PRECISION, RECALL, HD, HD95, SURFACE_DISTANCE, NAMES };

static double value_of(const peft_segment *g, int name, absent_rule absent, missing_rule missing)
{
    switch (name) {
    case DICE: return overlap(g, ratio(2 * (double)g->both, g->truth + g->predicted), absent);
    case IOU: return overlap(g, ratio((double)g->both, g->truth + g->predicted - g->both), absent);
    case PRECISION: return ratio((double)g->both, g->predicted);
    case RECALL: return ratio((double)g->both, g->truth);
    case HD: return distance(g, g->hd, missing);
    case HD95: return distance(g, g->hd95, missing);
    default: return distance(g, g->surface_distance, missing);
    }
}

/* The index of an option's value in a list of three words. */
static peft_status read_rule(const peft_options *o, const char *option, const char *const *words, int *rule)
{
    const char *given = pf_options_string(o, options_table, option);
    for (*rule = 0; *rule < 3; ++*rule)
        if (!strcmp(given, words[*rule])) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%s', expected %s, %s or %s", option, given, words[0], words[1], words[2]);
}

peft_status peft_segmentation_values(const peft_segment *segments, int64_t n, const char *name,
                                     const peft_options *options, double *values)
{
    static const char *const absent_words[] = { "ignore", "both", "one" };
    static const char *const missing_words[] = { "inf", "extent", "ignore" };
    const char *who = "peft_segmentation_values";
    char known[96];
    int which = 0, absent, missing;
    if (!segments || !name || !values)
        return pf_fail(PEFT_E_INVALID, "%s: %s is NULL, expected a pointer", who,
                       !segments ? "segments" : name ? "values" : "name");
    if (n < 0) return pf_fail(PEFT_E_INVALID, "%s: n: given %lld, expected 0 or more", who, (long long)n);
    PF_TRY(pf_options_check(options, options_table, who));
    PF_TRY(read_rule(options, "absent", absent_words, &absent));
    PF_TRY(read_rule(options, "missing", missing_words, &missing));
    while (which < NAMES && strcmp(name, names[which])) which++;
    if (which == NAMES)
        return pf_fail(PEFT_E_NOTFOUND, "%s: name: given '%.60s', expected %s", who, name,
                       pf_names_text(names, NAMES, ", ", " or ", known, sizeof known));
    for (int64_t i = 0; i < n; i++)
        values[i] = value_of(&segments[i], which, (absent_rule)absent, (missing_rule)missing);
    return PEFT_OK;
}
