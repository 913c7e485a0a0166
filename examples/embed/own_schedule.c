/* SPDX-License-Identifier: Apache-2.0
 * own_schedule.c -- data made in memory, and a learning rate that the program sets before each step: cosine with warm
 * restarts (Loshchilov and Hutter, ICLR 2017).
 *
 *   own_schedule BACKBONE [LR]   LR: the largest learning rate, 0.001 */
#include <math.h>
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); return 1; } } while (0)
enum { BATCH = 8, BATCHES = 4, PERIOD = 10 };           /* samples a batch, batches an epoch, steps to a restart */
typedef struct { int64_t side; double largest; } run;   /* the image's side in pixels; the largest learning rate */

/* Makes batch number `batch`, the same in every epoch, and returns its size; 0 after the last one. The images have
 * stripes across (class 0) or down (class 1), with a period of 4 to 11 pixels. images [BATCH,3,S,S]: planes of red,
 * green and blue, normalised; labels [BATCH]. */
static int64_t stripes(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                       void *user)
{
    const double two_pi = 6.283185;
    const int64_t side = ((const run *)user)->side;
    float *x = peft_tensor_data(images);
    int64_t *y = peft_tensor_data(labels);
    (void)epoch;
    if (batch == BATCHES) return 0;
    for (int64_t i = 0; i < BATCH; i++) {
        const double stripe_period = 4 + (double)((batch * BATCH + i) % 8);      /* pixels */
        y[i] = i % 2;
        ids[i] = batch * BATCH + i;
        for (int64_t p = 0; p < 3 * side * side; p++) {
            const int64_t row = p / side % side, column = p % side;
            *x++ = (float)sin(two_pi * (double)(y[i] ? column : row) / stripe_period);
        }
    }
    return BATCH;
}

/* Called after each step: sets the rate of the next one. A result other than 0 ends the training. */
static int next_rate(peft_trainer *t, void *user)
{
    const double largest = ((const run *)user)->largest;
    const int64_t step = (int64_t)peft_trainer_get(t, "step");
    if (step % PERIOD == 0)
        printf("step %2d: rate %.5f, loss %.4f\n", (int)step, peft_trainer_get(t, "lr"), peft_trainer_get(t, "loss"));
    return peft_trainer_set_lr(t, largest * 0.5 * (1 + cos(3.14159265 * (double)(step % PERIOD) / PERIOD))) != PEFT_OK;
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_backbone *vit;
    peft_adapter *vpt;
    peft_options *o;
    peft_model *model;
    peft_trainer *trainer;
    run r = { .largest = argc > 2 ? atof(argv[2]) : 0.001 };
    if (argc < 2) return fprintf(stderr, "usage: own_schedule BACKBONE [LR]\n"), 2;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));
    r.side = peft_backbone_get(vit, "image_size");
    TRY(peft_adapter_create(vit, "vpt", NULL, &vpt));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, "classes=2"));
    TRY(peft_model_create(vit, o, &model));
    TRY(peft_model_attach(model, vpt));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, "batch=8,schedule=constant"));
    TRY(peft_trainer_create(model, o, &trainer));
    TRY(peft_trainer_set_lr(trainer, r.largest));
    const int64_t epochs = 10;
    TRY(peft_trainer_fit(trainer, epochs, stripes, next_rate, &r));
    return 0;                                           /* a short program leaves freeing to the system */
}
