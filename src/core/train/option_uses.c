/* SPDX-License-Identifier: Apache-2.0
 * option_uses.c -- trainer options that only some losses, optimisers or schedules read. It is an error to give one that
 * the chosen ones do not read: "momentum=0.9" with AdamW would otherwise train without momentum and report nothing. */
#include <string.h>
#include "core/train/trainer.h"

/* Schedules by what they do: the rate falls to min_lr; it begins with a warm-up. */
#define DECAYING "cosine warmup_cosine warmup_cosine_full_period linear warmup_linear"
#define WARMING "warmup_cosine warmup_cosine_full_period warmup_linear"
/* `option` is read if the option `reader` has one of `values`: beta1 if optimizer is adamw. quiet: it is no error to
 * give an option that is not read, because programs give the length of the run with every schedule. Options of losses
 * are not listed here: each row of graph/loss names its own. */
static const struct { const char *option, *reader, *values; bool quiet; } uses[] = {
    { "beta1", "optimizer", "adamw", false }, { "beta2", "optimizer", "adamw", false },
    { "eps", "optimizer", "adamw", false },
    { "momentum", "optimizer", "sgd", false }, { "nesterov", "optimizer", "sgd", false },
    { "steps", "schedule", DECAYING, true }, { "min_lr", "schedule", DECAYING, false },
    { "warmup", "schedule", WARMING, false }, { "start_lr", "schedule", WARMING, false },
    { "decay_every", "schedule", "step", false }, { "decay", "schedule", "step", false },
    { "steps_per_epoch", "schedule", DECAYING " step", true } };
#define ROWS (sizeof uses / sizeof *uses)

/* Whether the option was given a value other than its default. The default itself is accepted, as it changes
 * nothing. */
static bool is_set(const peft_options *o, const char *name)
{
    const char *given = pf_options_setting(o, name), *fallback = pf_options_string(NULL, pf_trainer_options, name);
    double a, b;
    if (!given || !strcmp(given, fallback)) return false;
    if (pf_parse_float(given, &a) && pf_parse_float(fallback, &b)) return a != b;
    return strcmp(name, "nesterov") || pf_options_int(o, pf_trainer_options, name);
}

static const char *value_of(const peft_options *o, const char *name)
{
    return pf_options_string(o, pf_trainer_options, name);
}

bool pf_option_is_read(const peft_options *o, const char *name)
{
    if (pf_loss_option(name)) {
        const pf_loss_kind *loss = pf_loss_named(value_of(o, "loss"));
        return !loss || pf_loss_reads(loss, name);         /* an unknown loss has an error of its own */
    }
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(name, uses[i].option)) return pf_has_word(uses[i].values, value_of(o, uses[i].reader));
    return true;
}

/* PEFT_E_OPTION: option is given, and the value that option `reader` has does not read it; values: those that do. For
 * example momentum with reader "optimizer" and values "sgd". */
static peft_status check(const peft_options *o, const char *option, const char *reader, const char *values)
{
    if (!is_set(o, option) || pf_option_is_read(o, option)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%.100s', but %s=%s does not read it (read by: %s); leave it out or "
                   "change %s", option, pf_options_setting(o, option), reader, value_of(o, reader), values, reader);
}

static peft_status check_losses(const peft_options *o)
{
    char names[160];
    for (const pf_opt *row = pf_trainer_options; row->name; row++)
        if (pf_loss_option(row->name))
            PF_TRY(check(o, row->name, "loss", pf_loss_names(row->name, " ", " ", names, sizeof names)));
    return PEFT_OK;
}

peft_status pf_option_uses(const peft_options *o)
{
    if (!o) return PEFT_OK;
    PF_TRY(check_losses(o));
    for (size_t i = 0; i < ROWS; i++)
        if (!uses[i].quiet) PF_TRY(check(o, uses[i].option, uses[i].reader, uses[i].values));
    return PEFT_OK;
}
