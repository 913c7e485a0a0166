/* SPDX-License-Identifier: Apache-2.0
 * test_cache_file.c -- cache files: training from a file that an earlier training wrote gives the same bits; half
 * precision; files of another model, other files, and files in use are refused. */
#include <math.h>
#include <sys/wait.h>
#include "cache_fixture.h"

/* --- files of an earlier training --------------------------------------------------------------- */
START_TEST(training_from_a_file_is_bit_equal)
{
    static const char *const methods[] = { "linear", "partial", "fpt", "lora" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const tiny_spec spec = { .method = methods[i] }, other = { .method = methods[i], .model = "classes=2" };
        const char *path = tiny_path(methods[i]);
        double hits;
        tiny_bits plain = trained(&spec, "");
        same(&plain, trained_hits(&spec, cache_at(path), &hits), methods[i]);
        ck_assert(hits == SAMPLES);
        contents first = read_file(path), again;
        same(&plain, trained_hits(&spec, cache_at(path), &hits), methods[i]);
        ck_assert(hits == 2 * SAMPLES);
        same(&plain, trained_hits(&spec, cache_with(path, "4000000,executor=naive,threads=2"), &hits), methods[i]);
        if (strcmp(methods[i], "fpt")) {                                     /* its parameters depend on the classes */
            tiny_bits others = trained(&other, "");
            same(&others, trained_hits(&other, cache_at(path), &hits), methods[i]);
            ck_assert(hits == 2 * SAMPLES);
            tiny_bits_free(&others);
        }
        again = read_file(path);
        ck_assert(first.size == again.size && !memcmp(first.data, again.data, first.size));
        free(first.data);
        free(again.data);
        tiny_bits_free(&plain);
    }
    tiny_clean();
}
END_TEST

START_TEST(a_training_from_a_file_needs_no_images)
{
    const char *path = tiny_path("known");
    tiny_bits made = trained(&linear_probe, cache_at(path)), bits = { 0 };
    tiny t = tiny_make(&linear_probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,%s", cache_at(path));
    ck_assert(peft_trainer_get(x, "cache_samples") == SAMPLES);
    for (int step = 0; step < 4; step++) {
        tiny_batch b = tiny_batch_make(t.model, 4, step % 2 * 4);
        OK(peft_trainer_step(x, NULL, b.labels, b.ids));
        tiny_batch_free(&b);
    }
    tiny_bits_training(&bits, x);
    tiny_same(&made, &bits, "no images");
    tiny_bits_free(&made);
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

enum { LOGITS = 4 * 3 };                                 /* images of a step, classes */

/* The logits of the first training step. */
static void first_logits(const char *options, float logits[LOGITS])
{
    tiny t = tiny_make(&linear_probe);
    tiny_batch b = tiny_first_batch(t.model, 4);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2%s", options);
    OK(peft_trainer_step(x, b.images, b.labels, b.ids));
    memcpy(logits, peft_tensor_cdata(peft_trainer_logits(x)), LOGITS * sizeof *logits);
    peft_trainer_free(x);
    tiny_batch_free(&b);
    tiny_free(&t);
}

/* With f16 every feature is rounded, cached or new: so a file changes no bit either. */
START_TEST(features_in_half_precision)
{
    const char *path = tiny_path("half");
    float full[LOGITS], half[LOGITS], largest = 0;
    tiny_bits memory = trained(&linear_probe, "cache_features=4000000,cache_type=f16");
    same(&memory, trained(&linear_probe, cache_with(path, "4000000,cache_type=f16")), "f16, new file");
    same(&memory, trained(&linear_probe, cache_with(path, "4000000,cache_type=f16")), "f16, old file");
    same(&memory, trained(&linear_probe, "cache_features=1,cache_type=f16"), "f16, limit too small");
    contents file = read_file(path);
    /* a record: 32 bytes, 48 features of 2 bytes, and up to 63 bytes of padding */
    ck_assert_uint_le(file.size, HEADER + SAMPLES * (32 + 48 * 2 + 63));
    free(file.data);
    tiny_bits_free(&memory);
    first_logits("", full);
    first_logits(",cache_features=1000,cache_type=f16", half);
    for (int i = 0; i < LOGITS; i++) largest = fmaxf(largest, fabsf(full[i] - half[i]));
    ck_assert_msg(largest > 0 && largest < 2e-3f, "logits differ by %g", (double)largest);
    tiny_clean();
}
END_TEST

/* --- files that are refused ---------------------------------------------------------------------- */
/* A file is for one frozen part: another method, backbone or setting of the part needs another file. */
START_TEST(files_of_other_features_are_refused)
{
    /* other_features: models whose frozen part differs from that of `base`; same_features: it does not */
    static const tiny_spec other_features[] = {
        { .method = "fpt", .adapter = "layers=1-2" }, { .method = "fpt", .adapter = "ratio=0.5" },
        { .method = "fpt", .adapter = "importance=class_token" }, { .method = "fpt", .more = "image_size=20" },
        { .method = "fpt", .more = "seed=5" }, { .method = "fpt", .more = "heads=6" },
        { .method = "fpt", .more = "act=quickgelu" }, { .method = "linear" } };
    static const tiny_spec base = { .method = "fpt" }, same_features[] = {
        { .method = "fpt", .adapter = "tokens=5,dropout=0.5" }, { .method = "fpt", .adapter = "reduction=2" } };
    const char *path = tiny_path("fpt");
    tiny_bits made = trained(&base, cache_at(path));
    contents before = read_file(path);
    for (size_t i = 0; i < sizeof other_features / sizeof *other_features; i++)
        refused(&other_features[i], cache_at(path), PEFT_E_MISMATCH, "remove the file");
    refused(&base, cache_with(path, "4000000,cache_type=f16"), PEFT_E_MISMATCH, "cache_type");
    for (size_t i = 0; i < sizeof same_features / sizeof *same_features; i++) {
        double hits;
        tiny_bits bits = trained_hits(&same_features[i], cache_at(path), &hits);
        ck_assert(hits == 2 * SAMPLES);
        tiny_bits_free(&bits);
    }
    contents after = read_file(path);
    ck_assert(before.size == after.size && !memcmp(before.data, after.data, before.size));
    free(before.data);
    free(after.data);
    tiny_bits_free(&made);
    tiny_clean();
}
END_TEST

/* Kernels of another instruction set or GEMM round differently. */
START_TEST(files_of_other_kernels_are_refused)
{
    const tiny_spec best = { .method = "linear" }, plain = { .method = "linear", .isa = "ref" };
    const char *path = tiny_path("kernels");
    tiny t = tiny_make(&best);
    /* the CPU has an instruction set beside "ref" */
    const bool has_other = strcmp(peft_context_isa(t.ctx), "ref");
    tiny_free(&t);
    tiny_bits made = trained(&best, cache_at(path));
    if (has_other) refused(&plain, cache_at(path), PEFT_E_MISMATCH,
                        "'ref, own', which rounds otherwise; remove the file");
    t = tiny_make(&best);
    OK(peft_context_set_gemm(t.ctx, "cblas"));
    refused(&best, cache_at(path), PEFT_E_MISMATCH, "cblas', which rounds otherwise");
    OK(peft_context_set_gemm(t.ctx, "own"));
    tiny_free(&t);
    same(&made, trained(&best, cache_at(path)), "the same kernels");
    tiny_bits_free(&made);
    tiny_clean();
}
END_TEST

/* One weight of the backbone changes in its last bit. */
START_TEST(a_file_is_refused_when_a_weight_changed)
{
    const char *path = tiny_path("weight");
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    peft_adapter *a = tiny_adapter(b, "linear", NULL);
    peft_model *m = tiny_model(b, NULL);
    OK(peft_model_attach(m, a));
    peft_trainer *x = tiny_trainer(m, "%s", cache_at(path));
    peft_trainer_free(x);
    uint32_t *word = pf_backbone_find(b, "blocks.1.mlp.fc2.bias")->data;
    word[7] ^= 1;
    peft_options *o = tiny_options(ctx, "%s", cache_at(path));
    FAILS(PEFT_E_MISMATCH, "remove the file", peft_trainer_create(m, o, &x));
    word[7] ^= 1;
    OK(peft_trainer_create(m, o, &x));
    peft_trainer_free(x);
    peft_options_free(o);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(files_that_are_no_cache_are_refused_and_left_alone)
{
    const char *path = tiny_path("other"), *folder = tiny_path("folder");
    const tiny_spec no_frozen_part = { .method = "vp" };     /* visual prompts change the image itself */
    static const char important[] = "an important text";
    write_file(path, important, sizeof important);
    refused(&linear_probe, cache_at(path), PEFT_E_FORMAT, "is not a feature cache");
    contents text = read_file(path);
    ck_assert(text.size == sizeof important && !memcmp(text.data, important, sizeof important));
    free(text.data);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    refused(&linear_probe, cache_at(folder), PEFT_E_IO, folder);
    refused(&linear_probe, cache_at("/nowhere/file"), PEFT_E_IO, "/nowhere/file");
    refused(&linear_probe, cache_at("/dev/null"), PEFT_E_IO, "regular");
    refused(&linear_probe, cache_with(tiny_path("new"), "0"), PEFT_E_OPTION, "cache_features");
    refused(&linear_probe, cache_with(tiny_path("new"), "100"), PEFT_E_OPTION, "for one sample");
    refused(&linear_probe, "cache_features=1000,cache_type=i8", PEFT_E_OPTION, "f16");
    refused(&no_frozen_part, cache_at(tiny_path("new")), PEFT_E_OPTION, "kept");
    tiny_clean();
}
END_TEST

START_TEST(a_file_in_use_is_refused)
{
    const char *path = tiny_path("two");
    tiny t = tiny_make(&linear_probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", cache_at(path));
    refused(&linear_probe, cache_at(path), PEFT_E_STATE, "in use");
    pid_t child = fork();
    if (!child) {                                            /* in use in another process */
        tiny other = tiny_make(&linear_probe);
        peft_options *o = tiny_options(other.ctx, "%s", cache_at(path));
        peft_trainer *y;
        _exit(peft_trainer_create(other.model, o, &y) == PEFT_E_STATE ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tiny_step(x, 4, 0);
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_bits bits = trained(&linear_probe, cache_at(path));
    tiny_bits_free(&bits);
    tiny_clean();
}
END_TEST

SUITE_MAIN("cache_file", training_from_a_file_is_bit_equal, a_training_from_a_file_needs_no_images,
           features_in_half_precision, files_of_other_kernels_are_refused, files_of_other_features_are_refused,
           a_file_is_refused_when_a_weight_changed, files_that_are_no_cache_are_refused_and_left_alone,
           a_file_in_use_is_refused)
