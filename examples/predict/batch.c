/* SPDX-License-Identifier: Apache-2.0
 * batch.c -- reads and prepares the images of a batch with several threads (predict.h). */
#include "predict.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/program/threads.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

image_batch make_batch(const loaded_model *s, int64_t capacity, int threads)
{
    const int64_t floats = image_floats(s->transform);
    return (image_batch){ .model = s, .capacity = capacity, .threads = threads,
                   .pixels = check_alloc(malloc((size_t)(capacity * floats) * sizeof(float))),
                   .picture = check_alloc(malloc((size_t)capacity * sizeof(int64_t))),
                   .error = check_alloc(calloc((size_t)capacity, sizeof(char *))) };
}

void free_batch(image_batch *b)
{
    free(b->pixels);
    free(b->picture);
    free(b->error);
}

static float *pixels_of(const image_batch *b, int64_t k)
{
    return b->pixels + k * image_floats(b->model->transform);
}

peft_tensor *batch_images(const image_batch *b, int64_t first, int64_t count)
{
    return images_over(b->model->ctx, b->model->transform, count, pixels_of(b, first));
}

/* Images first .. count - 1 of the batch are being read; the next one that a thread takes. */
typedef struct reading { image_batch *b; const inputs *in; int64_t count; atomic_llong next; } reading;

/* Reads and prepares image k of the batch; an error is kept as text. */
static void read_picture(const reading *r, int64_t k)
{
    image_batch *b = r->b;
    peft_image *im = NULL;
    peft_status s = load_input(r->in, b->picture[k], &im);
    if (!s) s = peft_transform_apply(b->model->transform, im, pixels_of(b, k));
    if (s) b->error[k] = error_text(input_name(r->in, b->picture[k]), s, r->in->of_model);
    peft_image_free(im);
}

static void *read_pictures(void *user)
{
    reading *r = user;
    for (long long k; (k = atomic_fetch_add(&r->next, 1)) < r->count && !stop_requested; ) read_picture(r, k);
    return NULL;
}

/* Reads images first .. count - 1 with the threads of the batch, this one among them. */
static void read_all(image_batch *b, const inputs *in, int64_t first, int64_t count)
{
    reading r = { .b = b, .in = in, .count = count };
    atomic_init(&r.next, first);
    run_in_threads(b->threads < count - first ? b->threads : (int)(count - first), read_pictures, &r);
}

/* Removes the images first .. count - 1 whose pictures are broken, and prints their errors. */
static int64_t remove_broken(image_batch *b, const inputs *in, int64_t first, int64_t count)
{
    const size_t bytes = (size_t)image_floats(b->model->transform) * sizeof(float);
    b->count = first;
    for (int64_t k = first; k < count; k++) {
        if (b->error[k]) {
            report_picture(input_name(in, b->picture[k]), b->error[k]);
            free(b->error[k]);
            b->error[k] = NULL;
            continue;
        }
        if (b->count < k) memcpy(pixels_of(b, b->count), pixels_of(b, k), bytes);
        b->picture[b->count++] = b->picture[k];
    }
    return count - b->count;
}

int64_t fill_batch(image_batch *b, const inputs *in, prediction_table *t, int64_t *next)
{
    int64_t broken = 0;
    while (b->count < b->capacity && *next < in->count && !stop_requested) {
        const int64_t first = b->count;
        int64_t count = first;
        for (; count < b->capacity && *next < in->count; ++*next)
            if (!t || !take_done_line(t, input_name(in, *next))) b->picture[count++] = *next;
        read_all(b, in, first, count);
        if (stop_requested) {                                 /* some may be unread */
            for (int64_t k = first; k < count; k++) free(b->error[k]), b->error[k] = NULL;
            if (count > first) *next = b->picture[first];
            return broken;
        }
        broken += remove_broken(b, in, first, count);
    }
    return broken;
}
