/* SPDX-License-Identifier: Apache-2.0
 * mix.c -- mixup: every sample of a batch and its targets are blended with the next one's. */
#include "io/loader/loader.h"
#include "io/rng.h"
#include <math.h>

/* Beta(alpha, alpha) by Joehnk's method: u^(1/alpha) / (u^(1/alpha) + v^(1/alpha)), given that the sum is at most 1.
 * In logarithms, as a small alpha makes both powers 0. */
static double draw_share(io_rng *g, double alpha)
{
    for (;;) {
        double x = log(1 - io_rng_uniform(g, 0, 1)) / alpha, y = log(1 - io_rng_uniform(g, 0, 1)) / alpha;
        double top = fmax(x, y), sum = top + log(exp(x - top) + exp(y - top));
        if (sum <= 0) return exp(x - sum);
    }
}

static void blend(float *to, const float *from, int64_t n, float share)
{
    for (int64_t i = 0; i < n; i++) to[i] = share * to[i] + (1 - share) * from[i];
}

/* The batch holds the images as they were and the data set the targets, so rows may be overwritten one by one. */
void io_mix(const peft_loader *l, const io_batch *b, float *images, float *targets)
{
    int64_t classes = l->data->classes;
    for (int64_t k = 0; k < b->count && b->count > 1; k++) {
        io_rng g = io_rng_make(IO_RNG_MIXUP, (uint64_t)l->o.seed, b->epoch, peft_dataset_id(l->data, b->sample[k]));
        int64_t next = (k + 1) % b->count, i = b->sample[next];
        float share = (float)draw_share(&g, l->o.mixup);
        blend(images + k * l->floats, b->images + next * l->floats, l->floats, share);
        if (!targets) continue;
        for (int64_t c = 0; c < classes; c++) {
            float other = l->data->target ? l->data->target[i * classes + c] : l->data->label[i] == c;
            blend(targets + k * classes + c, &other, 1, share);
        }
    }
}
