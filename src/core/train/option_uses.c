/* SPDX-License-Identifier: Apache-2.0
 * option_uses.c -- trainer options that only some losses, optimisers or schedules read. To give one where nothing reads
 * it is an error: "momentum=0.9" with AdamW would otherwise train without momentum and report nothing. */
#include <string.h>
#include "core/train/trainer.h"

#define DECAYING "cosine warmup_cosine warmup_cosine_full_period linear warmup_linear"
#define WARMING "warmup_cosine warmup_cosine_full_period warmup_linear"
/* Where the option reader has one of values, option is read. quiet: no error where it is not, because programs give the
 * length of the run with every schedule. */
static const struct { const char *option, *reader, *values; bool quiet; } uses[] = {
    { "label_smoothing", "loss", "ce soft_ce", false }, { "weight_reduction", "loss", "ce soft_ce", false },
    { "pos_weight", "loss", "bce bce_sum", false },
    { "beta1", "optimizer", "adamw", false }, { "beta2", "optimizer", "adamw", false },
    { "eps", "optimizer", "adamw", false },
    { "momentum", "optimizer", "sgd", false }, { "nesterov", "optimizer", "sgd", false },
    { "steps", "schedule", DECAYING, true }, { "min_lr", "schedule", DECAYING, false },
    { "warmup", "schedule", WARMING, false }, { "start_lr", "schedule", WARMING, false },
    { "decay_every", "schedule", "step", false }, { "decay", "schedule", "step", false },
    { "steps_per_epoch", "schedule", DECAYING " step", true } };
#define ROWS (sizeof uses / sizeof *uses)

static bool has_word(const char *list, const char *word)
{
    for (size_t n; *list; list += n + (list[n] == ' ')) {
        n = strcspn(list, " ");
        if (strlen(word) == n && !memcmp(list, word, n)) return true;
    }
    return false;
}

/* Whether the option was given a value other than its default. The default itself is accepted, as it changes
 * nothing. */
static bool is_set(const peft_options *o, const char *name)
{
    const char *given = pf_options_given(o, name), *fallback = pf_options_string(NULL, pf_trainer_options, name);
    double a, b;
    if (!given || !strcmp(given, fallback)) return false;
    if (pf_parse_float(given, &a) && pf_parse_float(fallback, &b)) return a != b;
    return strcmp(name, "nesterov") || pf_options_int(o, pf_trainer_options, name);
}

static const char *reader_value(const peft_options *o, size_t row)
{
    return pf_options_string(o, pf_trainer_options, uses[row].reader);
}

bool pf_option_is_read(const peft_options *o, const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(name, uses[i].option)) return has_word(uses[i].values, reader_value(o, i));
    return true;
}

peft_status pf_option_uses(const peft_options *o)
{
    for (size_t i = 0; o && i < ROWS; i++) {
        if (uses[i].quiet || !is_set(o, uses[i].option) || pf_option_is_read(o, uses[i].option)) continue;
        return pf_fail(PEFT_E_OPTION, "%s: given '%.100s', but %s=%s does not read it (read by: %s); leave it out or "
                       "change %s", uses[i].option, pf_options_given(o, uses[i].option), uses[i].reader,
                       reader_value(o, i), uses[i].values, uses[i].reader);
    }
    return PEFT_OK;
}
