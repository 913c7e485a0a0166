/* SPDX-License-Identifier: Apache-2.0
 * check_pictures.c -- every picture of a data set decoded once, by some threads: one that is broken or cannot be
 * prepared is found before hours of training and not after. */
#include "data.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_named = 10, most_threads = 64 };
typedef struct check {
    const peft_dataset *const *sets;
    int count;
    const peft_transform *transform;
    pthread_mutex_t lock;
    int set;                                                  /* the next picture to decode */
    int64_t index, decoded, broken;
    char *why[most_named];
} check;

/* The next picture; false: there is none. */
static bool take_next(check *c, const peft_dataset **d, int64_t *i)
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

/* Of pictures that a transform may refuse: signed and floating-point samples, and a range that others cannot reach. */
static bool may_be_refused(const peft_transform *t, const peft_image *im)
{
    return t && (peft_image_depth(im) < 0 || !strstr(peft_transform_text(t), "range=full"));
}

/* Why sample i cannot be read or prepared; NULL: it can. room: of one prepared picture. */
static char *fault_of(const check *c, const peft_dataset *d, int64_t i, float *room)
{
    peft_image *im = NULL;
    char *why = NULL;
    if (peft_dataset_load(d, i, &im)) return need(strdup(peft_last_error()));
    if (may_be_refused(c->transform, im) && peft_transform_apply(c->transform, im, room)) {
        const size_t size = strlen(peft_dataset_name(d, i)) + strlen(peft_last_error()) + 3;
        why = need(malloc(size));
        snprintf(why, size, "%s: %s", peft_dataset_name(d, i), peft_last_error());
    }
    peft_image_free(im);
    return why;
}

static void *decode(void *user)
{
    check *c = user;
    const peft_dataset *d;
    const size_t side = (size_t)peft_transform_size(c->transform);
    float *room = need(malloc((side * side * 3 + 1) * sizeof *room));
    for (int64_t i; take_next(c, &d, &i); ) {
        char *why = fault_of(c, d, i, room);
        pthread_mutex_lock(&c->lock);
        c->decoded++;
        if (why && c->broken++ < most_named) c->why[c->broken - 1] = why;
        else free(why);
        pthread_mutex_unlock(&c->lock);
    }
    free(room);
    return NULL;
}

void check_pictures(const peft_dataset *const *sets, int count, const peft_transform *transform, int threads)
{
    check c = { .sets = sets, .count = count, .transform = transform, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t thread[most_threads];
    cpu_set_t cores;
    const double start = seconds_now();
    int started = 0;
    if (!threads) threads = sched_getaffinity(0, sizeof cores, &cores) ? 1 : CPU_COUNT(&cores);
    while (started < threads - 1 && started < most_threads && !pthread_create(&thread[started], NULL, decode, &c))
        started++;
    decode(&c);
    while (started) pthread_join(thread[--started], NULL);
    if (c.broken) {
        for (int k = 0; k < most_named && k < c.broken; k++) fprintf(stderr, "%s: %s\n", program_name, c.why[k]);
        fail("%lld of %lld pictures cannot be read; replace them, or move them out of the data, and start again",
             (long long)c.broken, (long long)c.decoded);
    }
    if (!stop_requested)
        printf("decoded %lld pictures in %.1f s: all can be read\n", (long long)c.decoded, seconds_now() - start);
}
