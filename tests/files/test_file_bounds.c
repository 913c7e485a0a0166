/* SPDX-License-Identifier: Apache-2.0
 * test_file_bounds.c -- a small file whose options describe large tensors is refused before they are allocated: files
 * of adapters and models, and directories of Hugging Face's PEFT. */
#include "hf/peft_dirs.h"
#include "tiny_files.h"

/* Loading returned PEFT_E_FORMAT with a message that contains text, and allocated less than 512 KiB. before: bytes in
 * use in ctx before the call. */
static void check_refusal(peft_context *ctx, peft_status s, const char *text, size_t before, const char *who)
{
    ck_assert_msg(s == PEFT_E_FORMAT && strstr(peft_last_error(), text), "%s: %s: %s", who, peft_status_name(s),
                  peft_last_error());
    const size_t peak = peft_context_memory_peak(ctx);
    ck_assert_msg(peak - before < 1 << 19, "%s: %zu bytes allocated", who, peak - before);
}

START_TEST(adapters_with_options_of_huge_tensors_are_refused)
{
    /* options: put in place of the file's; tensor: which the message names. NULL: a tensor is cut instead */
    static const struct { const char *method, *options, *tensor; } rows[] = {
        { "ept", "length=1000000", "prompt" }, { "vpt", "tokens=10000,project=65536", "prompt_embeddings" },
        { "lora", "r=4096,targets=[attn.q,attn.v]", "blocks.0.attn.q.lora_A.weight" },
        { "lora", "r=2,rank_pattern=\"blocks.2.attn.v=4096\"", "blocks.2.attn.v.lora_A.weight" },
        { "adapter", "bottleneck=65536", "blocks.0.adapter.down.weight" }, { "prefix", "tokens=10000", "prefix" },
        { "adaptformer", "bottleneck=65536", "blocks.0.adaptmlp.down_proj.weight" }, { "full", "", NULL } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .method = rows[i].method });
        peft_adapter *a = NULL;
        peft_model *m = NULL;
        OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
        OK(peft_model_save(t.model, tiny_path("model")));
        for (int is_model = 0; is_model < 2; is_model++) {
            const char *kind = is_model ? "model" : "adapter";
            tiny_change c = { SET_META, "libpeft.adapter.0.options", rows[i].options };
            if (!rows[i].tensor) c = (tiny_change){ CUT, "patch_embed.proj.weight", NULL };
            tiny_edit(tiny_path(kind), tiny_path("large"), &c);
            /* A new context, whose peak memory is that of loading. */
            peft_context *ctx = tiny_plain_context();
            peft_backbone *b = tiny_default_backbone(ctx);
            peft_backbone_fingerprint(b);            /* now, so that loading allocates nothing for it */
            const size_t before = peft_context_memory_used(ctx);
            const char *path = tiny_path("large");
            const peft_status s = is_model ? peft_model_load(b, path, &m) : peft_adapter_load(b, path, &a);
            check_refusal(ctx, s, rows[i].tensor ? rows[i].tensor : "patch_embed.proj.weight", before, rows[i].method);
            ck_assert(!a && !m);
            peft_backbone_free(b);
            peft_context_free(ctx);
        }
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

START_TEST(models_with_options_of_huge_heads_are_refused)
{
    /* options, and the tensor that the message names; bn_linear is not huge, but the file lacks its tensors */
    static const char *const options[][2] = { { "classes=16000000", "head.weight" },
        { "classes=3,head=mlp,head_layers=64", "head.projection.0.weight" },
        { "classes=3,head=bn_linear", "head.0." } };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
        peft_model *m = NULL;
        OK(peft_model_save(t.model, tiny_path("model")));
        tiny_edit(tiny_path("model"), tiny_path("large"),
                  &(tiny_change){ SET_META, "libpeft.model.options", options[i][0] });
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = tiny_default_backbone(ctx);
        peft_backbone_fingerprint(b);            /* now, so that loading allocates nothing for it */
        const size_t before = peft_context_memory_used(ctx);
        check_refusal(ctx, peft_model_load(b, tiny_path("large"), &m), options[i][1], before, options[i][0]);
        peft_backbone_free(b);
        peft_context_free(ctx);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* The configuration gives a rank, or the classifier's shape a number of classes, that the tensors are too small for. */
START_TEST(peft_directories_of_huge_ranks_or_classes_are_refused)
{
    static const char with_head[] = "{\"peft_type\": \"LORA\", \"r\": 4, \"target_modules\": [\"query\", \"value\"], "
                                    "\"modules_to_save\": [\"classifier\"]";
    static const char big[] = "{\"peft_type\": \"LORA\", \"r\": 4096, \"target_modules\": [\"query\", \"value\"]";
    for (int head = 0; head < 2; head++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = small_backbone(ctx, "");
        peft_dir *d = peft_dir_new(ctx, "dir");
        char config[200];
        peft_adapter *a = NULL;
        peft_model *m = NULL;
        for (int l = 0; l < 3; l++)
            for (int v = 0; v < 2; v++) {
                const char *name = v ? "value" : "query";
                peft_dir_tensor(d, "4x48", FRONT "vit.encoder.layer.%d.attention.attention.%s.lora_A.weight", l, name);
                peft_dir_tensor(d, "48x4", FRONT "vit.encoder.layer.%d.attention.attention.%s.lora_B.weight", l, name);
            }
        if (head) peft_dir_tensor(d, "100000x1", FRONT "classifier.weight");
        snprintf(config, sizeof config, "%s}", head ? with_head : big);
        peft_dir_write(d, config);
        const size_t before = peft_context_memory_used(ctx);
        check_refusal(ctx, head ? peft_model_load_hf(b, d->path, &m) : peft_adapter_load_hf(b, d->path, &a),
                      "more elements than", before, head ? "classifier" : "rank");
        ck_assert(!a && !m);
        peft_dir_free(d);
        peft_backbone_free(b);
        peft_context_free(ctx);
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("file_bounds", adapters_with_options_of_huge_tensors_are_refused,
           models_with_options_of_huge_heads_are_refused, peft_directories_of_huge_ranks_or_classes_are_refused)
