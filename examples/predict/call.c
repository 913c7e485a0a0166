/* SPDX-License-Identifier: Apache-2.0
 * call.c -- reads and prepares the pictures of a call with several threads (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/program/threads.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

call make_call(const loaded_model *s, int64_t capacity, int threads)
{
    const int64_t side = peft_transform_size(s->transform);
    return (call){ .model = s, .capacity = capacity, .threads = threads,
                   .pixels = check_alloc(malloc((size_t)(capacity * 3 * side * side) * sizeof(float))),
                   .picture = check_alloc(malloc((size_t)capacity * sizeof(int64_t))),
                   .error = check_alloc(calloc((size_t)capacity, sizeof(char *))) };
}

void free_call(call *c)
{
    free(c->pixels);
    free(c->picture);
    free(c->error);
}

static float *pixels_of(const call *c, int64_t k)
{
    const int64_t side = peft_transform_size(c->model->transform);
    return c->pixels + k * 3 * side * side;
}

peft_tensor *call_images(const call *c, int64_t first, int64_t count)
{
    const int64_t side = peft_transform_size(c->model->transform);
    peft_tensor *t;
    must(peft_tensor_wrap(c->model->ctx, PEFT_F32, 4, (int64_t[]){ count, 3, side, side }, pixels_of(c, first), &t));
    return t;
}

/* Places first .. count - 1 of the call are being read; the next one that a thread takes. */
typedef struct reading { call *c; const inputs *in; int64_t count; atomic_llong next; } reading;

/* Reads and prepares the picture of place k; an error is kept as text. */
static void read_picture(const reading *r, int64_t k)
{
    call *c = r->c;
    peft_image *im = NULL;
    peft_status s = load_input(r->in, c->picture[k], &im);
    if (!s) s = peft_transform_apply(c->model->transform, im, pixels_of(c, k));
    if (s) c->error[k] = error_text(input_name(r->in, c->picture[k]), s);
    peft_image_free(im);
}

static void *read_pictures(void *user)
{
    reading *r = user;
    for (long long k; (k = atomic_fetch_add(&r->next, 1)) < r->count && !stop_requested; ) read_picture(r, k);
    return NULL;
}

/* Reads places first .. count - 1 with the threads of the call, this one among them. */
static void read_all(call *c, const inputs *in, int64_t first, int64_t count)
{
    reading r = { .c = c, .in = in, .count = count };
    atomic_init(&r.next, first);
    run_in_threads(c->threads < count - first ? c->threads : (int)(count - first), read_pictures, &r);
}

/* Removes the places first .. count - 1 whose pictures are broken, and prints their errors. */
static int64_t remove_broken(call *c, int64_t first, int64_t count)
{
    const int64_t side = peft_transform_size(c->model->transform);
    const size_t bytes = (size_t)(3 * side * side) * sizeof(float);
    c->count = first;
    for (int64_t k = first; k < count; k++) {
        if (c->error[k]) {
            report("%s", c->error[k]);
            free(c->error[k]);
            c->error[k] = NULL;
            continue;
        }
        if (c->count < k) memcpy(pixels_of(c, c->count), pixels_of(c, k), bytes);
        c->picture[c->count++] = c->picture[k];
    }
    return count - c->count;
}

int64_t fill_call(call *c, const inputs *in, const prediction_table *t, int64_t *next)
{
    int64_t broken = 0;
    while (c->count < c->capacity && *next < in->count && !stop_requested) {
        const int64_t first = c->count;
        int64_t count = first;
        for (; count < c->capacity && *next < in->count; ++*next)
            if (!t || !in_table(t, input_name(in, *next))) c->picture[count++] = *next;
        read_all(c, in, first, count);
        if (stop_requested) {                                 /* places may be unread */
            for (int64_t k = first; k < count; k++) free(c->error[k]), c->error[k] = NULL;
            if (count > first) *next = c->picture[first];
            return broken;
        }
        broken += remove_broken(c, first, count);
    }
    return broken;
}
