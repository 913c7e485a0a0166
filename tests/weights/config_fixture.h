/* SPDX-License-Identifier: Apache-2.0
 * config_fixture.h -- fixture of the tests of configuration files: a small backbone saved in a folder, to which tests
 * add config.json and the like, and the warnings logged while it is loaded. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H
#include "tiny_files.h"

/* The warnings logged since the last load. */
typedef struct log_lines { char text[8192]; int warnings; } log_lines;
/* created: the backbone that was saved; weights: path of its file. */
typedef struct fixture { peft_context *ctx; peft_backbone *created; log_lines log; char weights[128]; } fixture;

/* A log function that keeps warnings, which have level 1. */
static inline void fixture_log(int level, const char *message, void *user)
{
    log_lines *d = user;
    if (level != 1) return;
    d->warnings++;
    strncat(d->text, message, sizeof d->text - strlen(d->text) - 1);
    strncat(d->text, "\n", sizeof d->text - strlen(d->text) - 1);
}

/* Writes a text file into the folder of the weights. */
static inline void fixture_write(const char *name, const char *text)
{
    FILE *f = fopen(tiny_path(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

/* Saves a random backbone of these options under timm's names, without facts (heads, eps, ...) in the header. */
static inline void fixture_start(fixture *b, const char *options)
{
    b->ctx = tiny_plain_context();
    b->log = (log_lines){ "", 0 };
    OK(peft_context_set_log(b->ctx, fixture_log, &b->log, 3));
    b->created = tiny_backbone(b->ctx, options, NULL);
    snprintf(b->weights, sizeof b->weights, "%s", tiny_path("model.safetensors"));
    tiny_save_backbone(b->created, &(tiny_save){ .naming = TIMM, .no_facts = true }, b->weights);
}

static inline void fixture_end(fixture *b)
{
    peft_backbone_free(b->created);
    peft_context_free(b->ctx);
    tiny_clean();
}

/* Loads the weights file with these options; the log then has the warnings of this load alone. */
static inline peft_status fixture_try_load(fixture *b, const char *options, peft_backbone **out)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    b->log = (log_lines){ "", 0 };
    *out = NULL;
    peft_status s = peft_backbone_load(b->ctx, b->weights, o, out);
    peft_options_free(o);
    return s;
}

/* fixture_try_load, which must succeed. */
static inline peft_backbone *fixture_load(fixture *b, const char *options)
{
    peft_backbone *x;
    OK(fixture_try_load(b, options, &x));
    return x;
}

/* value: the expected note, NULL: none; description: names the case in the message. */
static inline void fixture_check_note(const peft_backbone *b, const char *key, const char *value,
                                      const char *description)
{
    const char *note = peft_backbone_note(b, key);
    ck_assert_msg(value ? note && !strcmp(note, value) : !note, "%s: %s is '%s', expected '%s'", description, key,
                  note ? note : "none", value ? value : "none");
}

#endif
