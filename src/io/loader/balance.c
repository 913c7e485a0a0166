/* SPDX-License-Identifier: Apache-2.0
 * balance.c -- the order of an epoch with the option balanced: as many samples as the data set has, of each class
 * equally many. */
#include "io/loader/loader.h"
#include "io/rng.h"

/* Lists the samples of each class: l->member[l->first_of[c]] to l->member[l->first_of[c + 1] - 1]. */
peft_status io_balance_init(peft_loader *l)
{
    const int64_t n = l->data->count, classes = l->data->classes;
    l->repeat = io_alloc(l->ctx, n, sizeof *l->repeat);
    l->member = io_alloc(l->ctx, n, sizeof *l->member);
    l->first_of = io_alloc(l->ctx, classes + 2, sizeof *l->first_of);
    l->present = io_alloc(l->ctx, classes, sizeof *l->present);
    if (!l->repeat || !l->member || !l->first_of || !l->present) return io_nomem("loader");
    int64_t *end = l->first_of + 1;                           /* end[c]: first the number of samples of class c - 1 */
    for (int64_t i = 0; i < n; i++) end[l->data->label[i] + 1]++;
    for (int64_t c = 0; c < classes; c++) end[c + 1] += end[c];
    for (int64_t i = 0; i < n; i++) l->member[end[l->data->label[i]]++] = i;
    return PEFT_OK;
}

void io_balance_free(peft_loader *l)
{
    peft_sys_free(l->ctx, l->repeat);
    peft_sys_free(l->ctx, l->member);
    peft_sys_free(l->ctx, l->first_of);
    peft_sys_free(l->ctx, l->present);
}

/* Writes `wanted` samples of class c to order, each as its number plus count * (how often it was drawn before). All
 * samples of the class are drawn once, in random order, before one is drawn again. */
static void draw_class(peft_loader *l, int64_t epoch, int64_t c, int64_t wanted, int64_t *order)
{
    io_rng g = io_rng_make(IO_RNG_BALANCE, (uint64_t)l->options.seed, epoch, c + 1);
    int64_t *member = l->member + l->first_of[c], size = l->first_of[c + 1] - l->first_of[c];
    for (int64_t i = 0; i < size; i++) l->repeat[i] = member[i];             /* scratch: member keeps its order */
    for (int64_t k = 0; k < wanted; k++) {
        if (k % size == 0) io_rng_shuffle(&g, l->repeat, size);
        order[k] = l->repeat[k % size] + l->data->count * (k / size);
    }
}

/* The classes that get one sample more than the others, where the numbers cannot be equal, differ between epochs. */
void io_balance_order(peft_loader *l, int64_t epoch)
{
    io_rng g = io_rng_make(IO_RNG_BALANCE, (uint64_t)l->options.seed, epoch, 0);
    const int64_t n = l->data->count;
    int64_t classes = 0, used = 0;
    for (int64_t c = 0; c < l->data->classes; c++)
        if (l->first_of[c + 1] > l->first_of[c]) l->present[classes++] = c;
    io_rng_shuffle(&g, l->present, classes);
    for (int64_t k = 0; k < classes; k++) {
        const int64_t wanted = n / classes + (k < n % classes);
        draw_class(l, epoch, l->present[k], wanted, l->order + used);
        used += wanted;
    }
    io_rng_shuffle(&g, l->order, n);
    for (int64_t k = 0; k < n; k++) {
        l->repeat[k] = l->order[k] / n;
        l->order[k] %= n;
    }
}
