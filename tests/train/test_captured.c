/* SPDX-License-Identifier: Apache-2.0
 * test_captured.c -- a trainer and a session keep the settings that the context had at their creation: later changes of
 * the context change no bit, also not of batch sizes used later. */
#include "tiny_bits.h"

typedef enum { KEPT, CHANGED } settings;         /* of the context, after trainer and session are created */

/* Sets every setting that a trainer or a session captures to another value. */
static void change_settings(peft_context *ctx)
{
    OK(peft_context_set_isa(ctx, strcmp(peft_context_isa(ctx), "ref") ? "ref" : "auto"));
    OK(peft_context_set_gemm(ctx, "cblas"));
    OK(peft_context_set_seed(ctx, 99));
    OK(peft_context_set_threads(ctx, 3));
}

/* To those of tiny_make, which uses this context again for the next model. */
static void restore_settings(peft_context *ctx)
{
    OK(peft_context_set_isa(ctx, "auto"));
    OK(peft_context_set_gemm(ctx, "own"));
    OK(peft_context_set_seed(ctx, 7));
    OK(peft_context_set_threads(ctx, 1));
}

/* The bits of a short training, a prediction and an evaluation. options: of the trainer. */
static tiny_bits train(const char *options, settings later)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "dropout=0.3" });
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,%s", options);
    peft_session *s = tiny_session(t.model, "batch=%d", 2);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3), *evaluated = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    tiny_batch b = tiny_batch_make(t.model, 2, 3);
    if (later == CHANGED) change_settings(t.ctx);
    for (int i = 0; i < 3; i++) {
        tiny_step(x, 4, 4 * i);
        tiny_step(x, i + 1, 20 + i);
    }
    OK(peft_session_predict(s, b.images, logits));
    OK(peft_trainer_evaluate(x, b.images, evaluated));
    tiny_bits_training(&bits, x);
    tiny_bits_tensor(&bits, "predicted", logits);
    tiny_bits_tensor(&bits, "evaluated", evaluated);
    restore_settings(t.ctx);
    tiny_batch_free(&b);
    peft_tensor_free(logits);
    peft_tensor_free(evaluated);
    peft_session_free(s);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

START_TEST(later_changes_of_the_context_have_no_effect)
{
    static const char *const options[] = { "optimizer=adamw", "optimizer=sgd,clip_norm=0.1", "cache_features=100000",
                                           "accumulate=2,schedule=cosine,steps=5" };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        tiny_bits kept = train(options[i], KEPT), changed = train(options[i], CHANGED);
        tiny_same(&kept, &changed, options[i]);
        tiny_bits_free(&kept);
    }
}
END_TEST

SUITE_MAIN("captured", later_changes_of_the_context_have_no_effect)
