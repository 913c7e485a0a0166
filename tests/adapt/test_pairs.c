/* SPDX-License-Identifier: Apache-2.0
 * test_pairs.c -- every ordered pair of methods on one model. Either attaching the second is refused with a message
 * that names both; or the model trains, predicts the same after save and load, and merges to the same network (or is
 * refused to merge, with a reason). The results are printed as a table. */
#include "tiny_bits.h"

enum { METHODS = 32 };
static const double largest_drift = 5e-6;                /* relative difference of logits that merging may cause */

/* WORKS: trains and loads, one of the two cannot be merged. MERGED: merges too. NO_ATTACH: refused when attached.
 * NO_MERGE: each can be merged alone, the pair is refused. */
typedef enum { WORKS, MERGED, NO_ATTACH, NO_MERGE } outcome;
static const char letter[] = { [WORKS] = 'o', [MERGED] = 'm', [NO_ATTACH] = '-', [NO_MERGE] = 'r' };

/* A model with this method alone can be merged: it has a merge function, or it only trains copies of the backbone's
 * weights, which need none. */
static bool can_be_merged(const char *method)
{
    const peft_method *m = tiny_method_named(method);
    static const char *const unfreezes[] = { "linear", "full", "partial", "bitfit", "ln_tune", "cls_tune" };
    for (size_t i = 0; i < sizeof unfreezes / sizeof *unfreezes; i++) if (!strcmp(method, unfreezes[i])) return true;
    return m->merge != NULL;
}

/* The model predicts the same bits after it was saved and loaded. */
static void check_save_and_load(const tiny *t, const char *who)
{
    tiny_bits want = { 0 }, got = { 0 };
    peft_model *loaded;
    tiny_bits_logits(&want, t->model);
    OK(peft_model_save(t->model, tiny_path("pair")));
    OK(peft_model_load(t->backbone, tiny_path("pair"), &loaded));
    tiny_bits_logits(&got, loaded);
    tiny_same(&want, &got, who);
    tiny_bits_free(&want);
    peft_model_free(loaded);
}

/* Merges and compares, or checks that the refusal names one of the methods or the head. */
static outcome check_merge(const tiny *t, const char *first, const char *second)
{
    peft_backbone *merged = NULL;
    double drift = -1;
    const peft_status s = peft_model_merge(t->model, &merged);
    if (s) {
        const char *why = peft_last_error();
        ck_assert_msg(s == PEFT_E_UNSUPPORTED && !merged, "%s, %s: merge: %s", first, second, why);
        ck_assert_msg(strstr(why, first) || strstr(why, second) || strstr(why, "head"), "%s, %s: merge: %s", first,
                      second, why);
        return can_be_merged(first) && can_be_merged(second) ? NO_MERGE : WORKS;
    }
    peft_tensor *const random_images = NULL;
    OK(peft_model_merge_drift(t->model, merged, random_images, NULL, &drift));
    ck_assert_msg(drift >= 0 && drift < largest_drift, "%s, then %s: drift of merging %g", first, second, drift);
    peft_backbone_free(merged);
    return MERGED;
}

/* more: further options of the backbone; options: of the first method. */
static outcome check_pair(const char *first, const char *second, const char *more, const char *options)
{
    const tiny_spec spec = { .method = first, .more = more, .adapter = options };
    char who[128];
    tiny t = tiny_make(&spec);
    peft_adapter *b = tiny_adapter(t.backbone, second, NULL);
    snprintf(who, sizeof who, "%s, then %s", first, second);
    const size_t count = peft_model_param_count(t.model);
    const peft_status s = peft_model_attach(t.model, b);
    outcome result = NO_ATTACH;
    if (s) {
        ck_assert_msg(s == PEFT_E_STATE && strstr(peft_last_error(), first) && strstr(peft_last_error(), second),
                      "%s: %s: %s", who, peft_status_name(s), peft_last_error());
        ck_assert_uint_eq(peft_model_param_count(t.model), count);
    } else {
        tiny_perturb(t.model);
        peft_trainer *r = tiny_trainer(t.model, "batch=3,lr=1e-2");
        for (int i = 0; i < 3; i++) tiny_step(r, 3, 3 * i);
        peft_trainer_free(r);
        check_save_and_load(&t, who);
        result = check_merge(&t, first, second);
    }
    peft_adapter_free(b);
    tiny_free(&t);
    return result;
}

static void print_table(outcome got[METHODS][METHODS], size_t n, const char *title)
{
    printf("%s; rows are attached first. m: merges to the same network; o: works, one of the two cannot be merged; "
           "r: works, merging the pair is refused; -: refused when attached\n", title);
    for (size_t i = 0; i < n; i++) {
        printf("%-14s", tiny_method_name(i));
        for (size_t k = 0; k < n; k++) printf(" %c", letter[got[i][k]]);
        printf("\n");
    }
}

static void check_every_pair(const char *more, const char *title)
{
    outcome got[METHODS][METHODS];
    const size_t n = tiny_method_count();
    int count[4] = { 0 };
    ck_assert_uint_le(n, METHODS);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            got[i][k] = check_pair(tiny_method_name(i), tiny_method_name(k), more, NULL);
            count[got[i][k]]++;
        }
    print_table(got, n, title);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_msg((got[i][k] == NO_ATTACH) == (got[k][i] == NO_ATTACH), "%s and %s: refused in one order only",
                          tiny_method_name(i), tiny_method_name(k));
    ck_assert(count[WORKS] && count[MERGED] && count[NO_ATTACH] && count[NO_MERGE]);
    tiny_clean();
}

START_TEST(pairs_on_a_vit) { check_every_pair(NULL, "ViT"); }
END_TEST
START_TEST(pairs_on_a_vit_with_layer_scale_and_registers)
{
    check_every_pair("layer_scale=true,registers=2,pool=mean", "ViT with LayerScale, registers, mean pooling");
}
END_TEST

/* LoRA and DoRA with a method that unfreezes the same weights: merging takes the unfrozen weights first. */
START_TEST(lora_and_dora_on_unfrozen_weights_merge)
{
    static const char *const unfrozen[] = { "full", "partial", "bitfit", "cls_tune" };
    static const char *const lora[] = { "dora=true,targets=[attn.qkv,mlp.fc1]", "targets=[patch_embed.proj,mlp.fc2]" };
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) ck_assert_int_eq(check_pair("lora", unfrozen[i], NULL, lora[k]), MERGED);
    tiny_clean();
}
END_TEST

SUITE_MAIN("pairs", pairs_on_a_vit, pairs_on_a_vit_with_layer_scale_and_registers,
           lora_and_dora_on_unfrozen_weights_merge)
