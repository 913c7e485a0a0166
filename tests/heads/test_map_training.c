/* SPDX-License-Identifier: Apache-2.0
 * test_map_training.c -- trainers of models whose output is a map: every loss learns, batches of fewer samples, threads
 * and executors give the same bits, labels that are ignored change nothing, options of losses in states. */
#include "tiny_bits.h"

enum { N = 3, GRID = 4, PIXELS = GRID * GRID, CLASSES = 3 };

static tiny make(void)
{
    return tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=3,head=patch_linear" });
}

/* The labels or targets that the loss of a trainer takes; for soft_ce distributions. */
static peft_tensor *labels_of(const peft_trainer *t, tiny_batch *b)
{
    if (t->loss.kind->labels == PF_LABEL_CLASS) return b->labels;
    float *target = peft_tensor_data(b->targets);
    const int64_t *label = peft_tensor_data(b->labels);
    for (int i = 0; t->loss.kind == &pf_loss_soft_ce && i < N * PIXELS; i++)
        for (int c = 0; c < CLASSES; c++) target[i * CLASSES + c] = c == label[i];
    return b->targets;
}

START_TEST(every_loss_learns_a_map)
{
    for (size_t k = 0; pf_losses[k]; k++) {
        tiny t = make();
        tiny_batch b = tiny_first_batch(t.model, N);
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.02,loss=%s", N, pf_losses[k]->name);
        peft_tensor *labels = labels_of(x, &b);
        OK(peft_trainer_step(x, b.images, labels, NULL));
        const double first = peft_trainer_get(x, "loss");
        const size_t held = peft_context_memory_used(t.ctx);
        for (int i = 0; i < 60; i++) OK(peft_trainer_step(x, b.images, labels, NULL));
        ck_assert_msg(peft_trainer_get(x, "loss") < 0.7 * first, "%s: %g after %g", pf_losses[k]->name,
                      peft_trainer_get(x, "loss"), first);
        ck_assert_uint_eq(peft_context_memory_used(t.ctx), held);
        peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 4, N, GRID, GRID, CLASSES);
        OK(peft_trainer_evaluate(x, b.images, logits));
        tiny_finite(logits, pf_losses[k]->name);
        peft_tensor_free(logits);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* The gradients after a backward pass of a new trainer, as bits. */
static tiny_bits gradients(const char *loss, const char *more, int batch)
{
    tiny t = make();
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,loss=%s%s", batch, loss, more);
    tiny_bits bits = { 0 };
    OK(peft_trainer_backward(x, b.images, labels_of(x, &b), NULL));
    const double value = peft_trainer_get(x, "loss");
    tiny_bits_add(&bits, "loss", &value, sizeof value);
    tiny_bits_grads(&bits, t.model);
    peft_trainer_free(x);
    tiny_batch_free(&b);
    tiny_free(&t);
    return bits;
}

START_TEST(batches_threads_and_executors_give_the_same_bits)
{
    for (size_t k = 0; pf_losses[k]; k++) {
        const char *loss = pf_losses[k]->name;
        tiny_bits want = gradients(loss, "", N);
        static const struct { const char *options; int batch; } others[] = {
            { "", N + 2 }, { ",threads=3", N }, { ",executor=naive", N } };
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            tiny_bits got = gradients(loss, others[i].options, others[i].batch);
            tiny_same(&want, &got, loss);
        }
        tiny_bits_free(&want);
    }
}
END_TEST

/* Labels -1 are an error unless ignore_index names them. A batch of them alone changes nothing, not even the moments;
 * it counts as seen. */
START_TEST(ignored_labels_change_nothing)
{
    static const char *const losses[] = { "ce", "focal", "dice", "ce_dice" };
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
        tiny t = make();
        tiny_batch b = tiny_first_batch(t.model, N);
        int64_t *label = peft_tensor_data(b.labels);
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,loss=%s,ignore_index=-1,weight_decay=0.1", N, losses[k]);
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        tiny_bits before = { 0 }, after = { 0 };
        tiny_bits_training(&before, x);
        label[5] = CLASSES;
        FAILS(PEFT_E_INVALID, "labels[0][1][1]: given 3, expected 0 to 2, or -1 (ignore_index)",
              peft_trainer_step(x, b.images, b.labels, NULL));
        for (int i = 0; i < N * PIXELS; i++) label[i] = -1;
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        tiny_bits_training(&after, x);
        tiny_same(&before, &after, losses[k]);
        ck_assert(peft_trainer_get(x, "samples") == 2 * N && peft_trainer_get(x, "step") == 1);
        label[7] = 1;
        OK(peft_trainer_step(x, b.images, b.labels, NULL));
        ck_assert(peft_trainer_get(x, "step") == 2 && peft_trainer_get(x, "loss") > 0);
        tiny_bits_free(&before);
        peft_trainer_free(x);
        x = tiny_trainer(t.model, "batch=%d,loss=%s", N, losses[k]);
        FAILS(PEFT_E_INVALID, "given -1, expected 0 to 2; option ignore_index names a label that is left out",
              peft_trainer_step(x, b.images, b.labels, NULL));
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* Trainers refuse an ignore_index that is no integer and options that their loss does not read; a state keeps those it
 * reads. */
START_TEST(options_of_losses)
{
    tiny t = make();
    static const struct { const char *options, *wrong; } refused[] = {
        { "ignore_index=many", "ignore_index: given 'many', expected an integer" },
        { "ignore_index=1.5", "ignore_index: given '1.5', expected an integer" },
        { "loss=bce,ignore_index=-1", "ignore_index" }, { "loss=ce,dice_batch=true", "dice_batch" },
        { "loss=bce_dice,dice_background=false", "dice_background" }, { "loss=dice,class_weights=\"1,1,2\"",
        "class_weights" }, { "loss=dice,dice_smooth=-1", "dice_smooth" },
        { "loss=ce_dice,ce_weight=0,dice_weight=0", "ce_weight and dice_weight: given 0, so that loss=ce_dice is "
          "always 0 and nothing is learnt; expected for one of them a number above 0" },
        { "loss=bce_dice,ce_weight=0,dice_weight=0", "so that loss=bce_dice is always 0" },
        { "loss=focal,focal_alpha=0", "focal_alpha: given 0, so that loss=focal is always 0" },
        { "loss=focal_bce,focal_alpha=0", "so that loss=focal_bce is always 0" } };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", refused[i].options);
        peft_trainer *x;
        FAILS(PEFT_E_OPTION, refused[i].wrong, peft_trainer_create(t.model, o, &x));
        peft_options_free(o);
    }
    const char *path = tiny_path("state");
    peft_trainer *x = tiny_trainer(t.model, "loss=ce_dice,dice_background=false,ignore_index=-1");
    OK(peft_trainer_save(x, path));
    peft_trainer_free(x);
    x = tiny_trainer(t.model, "loss=ce_dice,dice_background=no,ignore_index=-1,ce_weight=1.0");
    OK(peft_trainer_restore(x, path));
    peft_trainer_free(x);
    static const char *const others[] = { "dice_background=false,ignore_index=255", "ignore_index=-1",
                                          "dice_background=false,ignore_index=-1,dice_weight=2" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        x = tiny_trainer(t.model, "loss=ce_dice,%s", others[i]);
        FAILS(PEFT_E_MISMATCH, "the state was saved with", peft_trainer_restore(x, path));
        peft_trainer_free(x);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("map training", every_loss_learns_a_map, batches_threads_and_executors_give_the_same_bits,
           ignored_labels_change_nothing, options_of_losses)
