/* SPDX-License-Identifier: Apache-2.0
 * test_captured.c -- a trainer and a session keep the settings that the context had when they were made: whatever is
 * set on the context later, they compute the same bits, also for batch sizes that come up later. */
#include "tiny_bits.h"

static void change(peft_context *ctx)
{
    OK(peft_context_set_isa(ctx, strcmp(peft_context_isa(ctx), "ref") ? "ref" : "auto"));
    OK(peft_context_set_gemm(ctx, "cblas"));
    OK(peft_context_set_seed(ctx, 99));
    OK(peft_context_set_threads(ctx, 3));
}

static void restore(peft_context *ctx)
{
    OK(peft_context_set_isa(ctx, "auto"));
    OK(peft_context_set_gemm(ctx, "own"));
    OK(peft_context_set_seed(ctx, 7));
    OK(peft_context_set_threads(ctx, 1));
}

static tiny_bits trained(const char *options, bool changed)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "dropout=0.3" });
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,%s", options);
    peft_session *s = tiny_session(t.model, "batch=%d", 2);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3), *seen = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    tiny_batch b = tiny_batch_make(t.model, 2, 3);
    if (changed) change(t.ctx);
    for (int i = 0; i < 3; i++) {
        tiny_step(x, 4, 4 * i);
        tiny_step(x, i + 1, 20 + i);
    }
    OK(peft_session_predict(s, b.images, logits));
    OK(peft_trainer_evaluate(x, b.images, seen));
    tiny_bits_training(&bits, x);
    tiny_bits_tensor(&bits, "predicted", "", logits);
    tiny_bits_tensor(&bits, "evaluated", "", seen);
    restore(t.ctx);
    tiny_batch_free(&b);
    peft_tensor_free(logits);
    peft_tensor_free(seen);
    peft_session_free(s);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

START_TEST(settings_of_the_making)
{
    static const char *const options[] = { "optimizer=adamw", "optimizer=sgd,clip_norm=0.1", "cache_features=100000",
                                           "accumulate=2,schedule=cosine,steps=5" };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        tiny_bits plain = trained(options[i], false), changed = trained(options[i], true);
        tiny_same(&plain, &changed, options[i]);
        tiny_bits_free(&plain);
    }
}
END_TEST

SUITE_MAIN("captured", settings_of_the_making)
