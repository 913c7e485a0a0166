/* SPDX-License-Identifier: Apache-2.0
 * check_pictures.c -- decodes every picture of the data sets once, with several threads, to find broken pictures before
 * hours of training (data.h). */
#include "data.h"
#include "forms.h"
#include "image_options.h"
#include "common/backbone/image_sides.h"
#include "common/inputs/inputs.h"
#include "common/slices/slice_name.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/program/threads.h"
#include "common/program/verbose.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_reported = 10 };
/* An error, and how many further slices of the file have it. */
typedef struct fault { char *name, *text; int64_t more; } fault;
typedef struct check {
    const peft_dataset *const *sets;
    int count;
    const peft_transform *transform;
    pthread_mutex_t lock;
    int set;                                                  /* the next picture is sample `index` of sets[set] */
    int64_t index;
    int64_t decoded, broken;                                  /* pictures so far */
    int64_t alike;                                            /* broken ones with the message of the first */
    fault error[max_reported];                                /* of the first broken ones */
    int errors;
    peft_context *ctx;                                        /* for reading headers */
    picture_forms forms;
} check;

/* Sets d and i to the next picture to decode; false: no picture remains, or the program is to stop. */
static bool next_picture(check *c, const peft_dataset **d, int64_t *i)
{
    pthread_mutex_lock(&c->lock);
    while (c->set < c->count && (!c->sets[c->set] || c->index == peft_dataset_count(c->sets[c->set]))) {
        c->set++;
        c->index = 0;
    }
    const bool more = c->set < c->count && !stop_requested;
    if (more) {
        *d = c->sets[c->set];
        *i = c->index++;
    }
    pthread_mutex_unlock(&c->lock);
    return more;
}

/* Can the transform refuse this picture? True if its samples are signed or floating-point (depth < 0), which need a
 * range, and if the transform has a range other than "full", which may exceed the values of the picture's type
 * (range=0:4095 for 8-bit samples). */
static bool may_be_refused(const peft_transform *t, const peft_image *im)
{
    return t && (peft_image_depth(im) < 0 || !strstr(peft_transform_text(t), "range=full"));
}

/* The error of reading a picture, to be freed. */
static char *load_error(const peft_dataset *d)
{
    const bool several = asks_for_slice(peft_last_error());
    char *text;
    if (asprintf(&text, "%s%s", peft_last_error(),
                 several && peft_dataset_has_masks(d) ? "; --all-slices takes all" : "") < 0)
        fail("out of memory");
    return text;
}

/* Returns the error of reading or preparing sample i, to be freed; NULL: none. Counts its form. prepared: buffer of one
 * network input. */
static char *find_fault(check *c, const peft_dataset *d, int64_t i, float *prepared)
{
    peft_image *im = NULL;
    char *error = NULL;
    if (peft_dataset_load(d, i, &im)) return load_error(d);
    char *file = file_of_image(peft_dataset_name(d, i));
    add_forms(&c->forms, &c->lock, c->ctx, file, im);
    free(file);
    if (may_be_refused(c->transform, im) && peft_transform_apply(c->transform, im, prepared)) {
        const size_t size = strlen(peft_dataset_name(d, i)) + strlen(peft_last_error()) + 3;
        error = check_alloc(malloc(size));
        snprintf(error, size, "%s: %s", peft_dataset_name(d, i), peft_last_error());
    }
    peft_image_free(im);
    return error;
}

/* Keeps the error of a picture, whose text it takes. */
static void keep_error(check *c, const char *name, char *text)
{
    c->broken++;
    c->alike += !c->errors || are_errors_alike(c->error[0].name, c->error[0].text, name, text);
    for (int k = 0; k < c->errors; k++)
        if (are_one_error(c->error[k].name, c->error[k].text, name, text)) {
            c->error[k].more++;
            free(text);
            return;
        }
    if (c->errors == max_reported) free(text);
    else c->error[c->errors++] = (fault){ check_alloc(strdup(name)), text, 0 };
}

/* Prints the errors and ends the program. */
static _Noreturn void fail_by_errors(const check *c)
{
    for (int k = 0; k < c->errors; k++) {
        const fault *f = &c->error[k];
        if (f->more) report("%s (and %lld more slice%s)", f->text, (long long)f->more, f->more == 1 ? "" : "s");
        else report("%s", f->text);
    }
    if (c->broken == c->decoded && c->alike == c->broken)
        fail("none of %lld pictures can be read, all with the same error; give the option that it names, by "
             "--image-options or --preprocess, or replace the pictures", (long long)c->decoded);
    fail("%lld of %lld pictures cannot be read; replace them, or move them out of the data, and start again",
         (long long)c->broken, (long long)c->decoded);
}

/* Decodes pictures until none remains; the function of each thread. */
static void *decode(void *user)
{
    check *c = user;
    const peft_dataset *d;
    const size_t floats = (size_t)image_floats(c->transform) + 1;             /* 0 floats: no transform */
    float *prepared = check_alloc(malloc(floats * sizeof *prepared));
    for (int64_t i; next_picture(c, &d, &i); ) {
        char *error = find_fault(c, d, i, prepared);
        pthread_mutex_lock(&c->lock);
        c->decoded++;
        if (error) keep_error(c, peft_dataset_name(d, i), error);
        pthread_mutex_unlock(&c->lock);
    }
    free(prepared);
    return NULL;
}

int64_t decode_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads)
{
    check c = { .sets = sets, .count = count, .transform = transform, .lock = PTHREAD_MUTEX_INITIALIZER,
                .ctx = make_context() };
    run_in_threads(thread_count(threads), decode, &c);
    if (c.broken) fail_by_errors(&c);
    if (!stop_requested) warn_of_forms(&c.forms);
    free_forms(&c.forms);
    peft_context_free(c.ctx);
    return c.decoded;
}

void check_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads)
{
    const double start = seconds_now();
    const int64_t decoded = decode_pictures(sets, count, transform, threads);
    if (!stop_requested)
        printf("decoded %lld pictures in %.1f s: all can be read\n", (long long)decoded, seconds_now() - start);
}
