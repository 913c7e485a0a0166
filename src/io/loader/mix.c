/* SPDX-License-Identifier: Apache-2.0
 * mix.c -- mixup (Zhang et al., ICLR 2018): blends every sample of a batch and its targets with the next one. */
#include "io/loader/loader.h"
#include "io/rng.h"
#include <math.h>

/* A draw from Beta(alpha, alpha) by Joehnk's method: u^(1/alpha) / (u^(1/alpha) + v^(1/alpha)) for uniform u and v,
 * drawn again while the sum is above 1. Computed with logarithms (x, y, log_sum), since with a small alpha both powers
 * would be rounded to 0. 1 - io_rng_uniform(g, 0, 1) lies in (0, 1], so that its logarithm is finite. */
static double draw_share(io_rng *g, double alpha)
{
    for (;;) {
        double x = log(1 - io_rng_uniform(g, 0, 1)) / alpha, y = log(1 - io_rng_uniform(g, 0, 1)) / alpha;
        double larger = fmax(x, y), log_sum = larger + log(exp(x - larger) + exp(y - larger));
        if (log_sum <= 0) return exp(x - log_sum);
    }
}

/* to[i], i < n, becomes share * to[i] + (1 - share) * from[i]. */
static void blend(float *to, const float *from, int64_t n, float share)
{
    for (int64_t i = 0; i < n; i++) to[i] = share * to[i] + (1 - share) * from[i];
}

/* Rows of images and targets are overwritten one by one, because the rows to blend with are read from elsewhere: images
 * from b, targets from the data set. */
void io_mixup(const peft_loader *l, const io_batch *b, float *images, float *targets)
{
    int64_t classes = l->data->classes;
    for (int64_t k = 0; k < b->count && b->count > 1; k++) {
        const int64_t id = peft_dataset_id(l->data, b->sample[k]);
        io_rng g = io_rng_make(IO_RNG_MIXUP, (uint64_t)l->options.seed, io_epoch_key(b, k), id);
        int64_t next = (k + 1) % b->count, i = b->sample[next];
        float share = (float)draw_share(&g, l->options.mixup);
        blend(images + k * l->floats, b->images + next * l->floats, l->floats, share);
        if (!targets) continue;
        for (int64_t c = 0; c < classes; c++) {
            float other = l->data->target ? l->data->target[i * classes + c] : l->data->label[i] == c;
            float *target = targets + k * classes + c;
            if (*target < 0 || other < 0) *target = IO_NOT_JUDGED;           /* no blend with what is not known */
            else blend(target, &other, 1, share);
        }
    }
}
