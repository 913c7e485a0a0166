/* SPDX-License-Identifier: Apache-2.0
 * option_uses.c -- trainer options that only some losses, optimisers or schedules read. It is an error to give one that
 * the chosen ones do not read: "momentum=0.9" with AdamW would otherwise train without momentum and report nothing. */
#include <string.h>
#include "core/train/trainer.h"

/* The schedules whose rate falls to min_lr, and those that begin with a warm-up. */
#define DECAYING "cosine warmup_cosine warmup_cosine_full_period linear warmup_linear"
#define WARMING "warmup_cosine warmup_cosine_full_period warmup_linear"
/* Is it an error to give the option when it is not read? Not for the length of the run, which programs give with every
 * schedule. */
typedef enum { ERROR_IF_UNREAD, ALLOWED_IF_UNREAD } if_unread;
/* `option` is read if the option `reader` has one of `values`: beta1 if optimizer is adamw. Options of losses are not
 * listed here: each row of graph/loss names its own. */
static const struct { const char *option, *reader, *values; if_unread rule; } uses[] = {
    { "beta1", "optimizer", "adamw", ERROR_IF_UNREAD }, { "beta2", "optimizer", "adamw", ERROR_IF_UNREAD },
    { "eps", "optimizer", "adamw", ERROR_IF_UNREAD },
    { "momentum", "optimizer", "sgd", ERROR_IF_UNREAD }, { "nesterov", "optimizer", "sgd", ERROR_IF_UNREAD },
    { "extrapolate", "optimizer", "sgd", ERROR_IF_UNREAD },
    { "extrapolate_lr", "extrapolate", "gradient noise momentum", ERROR_IF_UNREAD },
    { "steps", "schedule", DECAYING, ALLOWED_IF_UNREAD }, { "min_lr", "schedule", DECAYING, ERROR_IF_UNREAD },
    { "warmup", "schedule", WARMING, ERROR_IF_UNREAD }, { "start_lr", "schedule", WARMING, ERROR_IF_UNREAD },
    { "decay_every", "schedule", "step", ERROR_IF_UNREAD }, { "decay", "schedule", "step", ERROR_IF_UNREAD },
    { "steps_per_epoch", "schedule", DECAYING " step", ALLOWED_IF_UNREAD } };
#define ROWS (sizeof uses / sizeof *uses)

/* Whether the option was given a value other than its default, in any spelling: 1e-8 and 0.00000001 are equal. */
static bool differs_from_default(const peft_options *o, const char *name)
{
    const char *given = pf_options_setting(o, name), *fallback = pf_options_string(NULL, pf_trainer_options, name);
    double a, b;
    if (!given || !strcmp(given, fallback)) return false;
    if (pf_parse_float(given, &a) && pf_parse_float(fallback, &b)) return a != b;
    for (const pf_opt *row = pf_trainer_options; row->name; row++)
        if (row->type == 'b' && !strcmp(name, row->name))
            return pf_options_int(o, pf_trainer_options, name) != pf_options_int(NULL, pf_trainer_options, name);
    return true;
}

/* The value of an option, given or its default, as text. */
static const char *value_of(const peft_options *o, const char *name)
{
    return pf_options_string(o, pf_trainer_options, name);
}

/* Options of losses are in the rows of graph/loss, others in the table above. Any other is read by every trainer. */
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

/* PEFT_E_OPTION: `option` is given, but is not read, because option `reader` has none of `values`. For example momentum
 * with reader "optimizer" and values "sgd". */
static peft_status check_option(const peft_options *o, const char *option, const char *reader, const char *values)
{
    if (!differs_from_default(o, option) || pf_option_is_read(o, option)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%.100s', but %s=%s does not read it (read by: %s); leave it out or "
                   "change %s", option, pf_options_setting(o, option), reader, value_of(o, reader), values, reader);
}

/* Checks all options of losses. */
static peft_status check_loss_options(const peft_options *o)
{
    char names[160];
    for (const pf_opt *row = pf_trainer_options; row->name; row++)
        if (pf_loss_option(row->name))
            PF_TRY(check_option(o, row->name, "loss", pf_loss_names(row->name, " ", " ", names, sizeof names)));
    return PEFT_OK;
}

peft_status pf_check_unread_options(const peft_options *o)
{
    if (!o) return PEFT_OK;
    PF_TRY(check_loss_options(o));
    for (size_t i = 0; i < ROWS; i++)
        if (uses[i].rule == ERROR_IF_UNREAD) PF_TRY(check_option(o, uses[i].option, uses[i].reader, uses[i].values));
    return PEFT_OK;
}
