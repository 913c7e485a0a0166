/* SPDX-License-Identifier: Apache-2.0
 * config_bed.h -- a small backbone in a folder, with descriptions beside it, and what loading it logs. */
#ifndef CONFIG_BED_H
#define CONFIG_BED_H
#include "tiny_files.h"

typedef struct diary { char text[8192]; int warnings; } diary;
typedef struct bed { peft_context *ctx; peft_backbone *made; diary diary; char weights[128]; } bed;

static inline void bed_keep(int level, const char *message, void *user)
{
    diary *d = user;
    if (level != 1) return;
    d->warnings++;
    strncat(d->text, message, sizeof d->text - strlen(d->text) - 1);
    strncat(d->text, "\n", sizeof d->text - strlen(d->text) - 1);
}

static inline void bed_file(const char *name, const char *text)
{
    FILE *f = fopen(tiny_path(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

/* A random backbone of these options, saved under timm's names without a fact in the header. */
static inline void bed_start(bed *b, const char *options)
{
    b->ctx = tiny_context(NULL, 1);
    b->diary = (diary){ "", 0 };
    OK(peft_context_set_log(b->ctx, bed_keep, &b->diary, 3));
    b->made = tiny_backbone(b->ctx, options, NULL);
    snprintf(b->weights, sizeof b->weights, "%s", tiny_path("model.safetensors"));
    tiny_save_backbone(b->made, &(tiny_save){ .naming = TIMM, .no_facts = true }, b->weights);
}

static inline void bed_end(bed *b)
{
    peft_backbone_free(b->made);
    peft_context_free(b->ctx);
    tiny_clean();
}

static inline peft_status bed_try(bed *b, const char *options, peft_backbone **out)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    b->diary = (diary){ "", 0 };
    *out = NULL;
    peft_status s = peft_backbone_load(b->ctx, b->weights, o, out);
    peft_options_free(o);
    return s;
}

static inline peft_backbone *bed_load(bed *b, const char *options)
{
    peft_backbone *x;
    OK(bed_try(b, options, &x));
    return x;
}

static inline void bed_note_is(const peft_backbone *b, const char *key, const char *value, const char *who)
{
    const char *note = peft_backbone_note(b, key);
    ck_assert_msg(value ? note && !strcmp(note, value) : !note, "%s: %s is '%s', expected '%s'", who, key,
                  note ? note : "none", value ? value : "none");
}

#endif
