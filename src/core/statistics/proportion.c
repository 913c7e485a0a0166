/* SPDX-License-Identifier: Apache-2.0
 * proportion.c -- intervals of a proportion; McNemar's test, a test that a proportion is one half. */
#include "core/statistics/statistics.h"
#include <math.h>
#include <string.h>
#include "core/options/options.h"

peft_status pf_statistics_level(const char *who, double level)
{
    if (level > 0 && level < 1) return PEFT_OK;
    char text[40];
    pf_print_float(text, sizeof text, level);
    return pf_fail(PEFT_E_INVALID, "%s: level is %s, expected a number between 0 and 1, such as 0.95", who, text);
}

peft_status pf_statistics_kind(const char *who, const char *argument, const char *kind, const char *first,
                               const char *second, bool *is_second)
{
    if (!kind) return pf_metric_null(who, argument);
    *is_second = !strcmp(kind, second);
    if (*is_second || !strcmp(kind, first)) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "%s: %s is '%s', expected %s or %s", who, argument, kind, first, second);
}

peft_estimate pf_estimate_none(void)
{
    return (peft_estimate){ .value = NAN, .error = NAN, .low = NAN, .high = NAN, .p = NAN };
}

/* The centre of Wilson's interval and half its width: the shares p for which |k/n - p| is z standard errors of p. */
static void wilson(double k, double n, double level, peft_estimate *out)
{
    const double z = pf_normal_deviate(level), share = k / n, divisor = 1 + z * z / n;
    const double centre = (share + z * z / (2 * n)) / divisor;
    const double half = z / divisor * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    out->low = k > 0 ? centre - half : 0;                    /* exact where rounding would leave a tiny number */
    out->high = k < n ? centre + half : 1;
}

/* The probability p, k > 0, for which k or more successes of n have the probability `tail`, by bisection down to two
 * neighbouring numbers. */
static double clopper_pearson_low(int64_t k, int64_t n, double tail)
{
    double low = 0, high = 1;
    for (;;) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) return low;
        if (pf_binomial_upper(k, n, middle) < tail) low = middle;
        else high = middle;
    }
}

peft_status peft_statistics_proportion(int64_t successes, int64_t trials, double level, const char *kind,
                                       peft_estimate *out)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_proportion";
    const int64_t most = 1000000000000;
    bool exact;
    if (!out) return pf_metric_null(who, "out");
    if (trials < 0 || trials > most || successes < 0 || successes > trials)
        return pf_fail(PEFT_E_INVALID, "%s: %lld successes of %lld trials, expected 0 to 10^12 trials, and successes "
                       "from 0 to that number", who, (long long)successes, (long long)trials);
    PF_TRY(pf_statistics_level(who, level));
    PF_TRY(pf_statistics_kind(who, "kind", kind, "wilson", "clopper_pearson", &exact));
    *out = pf_estimate_none();
    if (!trials) return PEFT_OK;
    out->value = (double)successes / (double)trials;
    if (exact) {
        const double tail = (1 - level) / 2;
        out->low = successes ? clopper_pearson_low(successes, trials, tail) : 0;
        out->high = successes < trials ? 1 - clopper_pearson_low(trials - successes, trials, tail) : 1;
    } else wilson((double)successes, (double)trials, level, out);
    return PEFT_OK;
}

peft_status peft_statistics_mcnemar(const int64_t *labels, const int64_t *first, const int64_t *second, int64_t n,
                                    int64_t *counts, double *p)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_mcnemar";
    const struct { const void *pointer; const char *name; } given[] = { { labels, "labels" }, { first, "first" },
        { second, "second" }, { counts, "counts" }, { p, "p" } };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (!given[i].pointer) return pf_metric_null(who, given[i].name);
    PF_TRY(pf_metric_extents(who, n, 1));
    int64_t only[2] = { 0, 0 };
    for (int64_t i = 0; i < n; i++) {
        const bool a = first[i] == labels[i], b = second[i] == labels[i];
        only[0] += a && !b;
        only[1] += b && !a;
    }
    const int64_t more = only[0] > only[1] ? only[0] : only[1];
    counts[0] = only[0];
    counts[1] = only[1];
    *p = only[0] == only[1] ? 1 : fmin(1, 2 * pf_binomial_upper(more, only[0] + only[1], 0.5));
    return PEFT_OK;
}
