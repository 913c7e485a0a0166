/* SPDX-License-Identifier: Apache-2.0
 * test_counts.c -- the numbers of trained parameters in README.md, of ViT-B/16 at 224 pixels with default options; and
 * the initial values of vfpt, cvpt, dvpt and apt. */
#include <math.h>
#include "tiny.h"

#ifndef PEFT_SOURCE_DIR
#  error "compile with -DPEFT_SOURCE_DIR"
#endif

/* The number in the last column of README's row of this method. */
static int64_t documented(const char *method)
{
    char line[1024], front[64];
    int64_t count = -1;
    FILE *f = fopen(PEFT_SOURCE_DIR "/README.md", "r");
    ck_assert_ptr_nonnull(f);
    snprintf(front, sizeof front, "| [`%s`](docs/methods/", method);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, front, strlen(front))) continue;
        char *end = strrchr(line, '|'), *digit = end;
        ck_assert_ptr_nonnull(end);
        *end = 0;
        digit = strrchr(line, '|');
        ck_assert_ptr_nonnull(digit);
        for (count = 0; *digit; digit++) if (*digit >= '0' && *digit <= '9') count = 10 * count + (*digit - '0');
    }
    fclose(f);
    ck_assert_msg(count >= 0, "README.md has no row of %s", method);
    return count;
}

/* Of methods whose count does not depend on the MLP, which is small here. */
START_TEST(readme_has_the_numbers_of_parameters)
{
    static const char *const methods[] = { "linear", "cls_tune", "ept", "lora", "vpt", "vfpt", "cvpt", "dvpt", "apt",
                                           "prefix", "vp", "adapter", "adaptformer", "attnscale_dra" };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, "image_size=224,patch=16,width=768,mlp=8,depth=12,heads=12", NULL);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        peft_adapter *a;
        int64_t count = 0;
        OK(peft_adapter_create(b, methods[m], NULL, &a));
        for (size_t i = 0; i < a->params.count; i++) count += peft_tensor_count(&a->params.item[i]->value);
        ck_assert_msg(count == documented(methods[m]), "%s: %lld parameters, README.md says %lld", methods[m],
                      (long long)count, (long long)documented(methods[m]));
        peft_adapter_free(a);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

/* Tensors whose names contain `name` begin uniformly in -size .. size, normally with the deviation size, or at zero. */
typedef struct start { const char *method, *options, *name; enum { UNIFORM, NORMAL, ZERO } kind; double size; } start;

static void check_start(const pf_param *p, const start *s)
{
    const pk_real *x = p->value.data;
    const int64_t n = peft_tensor_count(&p->value);
    double square = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        square += (double)x[i] * (double)x[i] / (double)n;
        most = fmax(most, fabs((double)x[i]));
    }
    const double deviation = s->kind == NORMAL ? s->size : s->size / sqrt(3), tolerance = 4 / sqrt((double)n);
    if (s->kind == ZERO) ck_assert_msg(most == 0, "%s: %g", p->name, most);
    else ck_assert_msg(fabs(sqrt(square) / deviation - 1) <= tolerance, "%s, %s: deviation %g, expected %g", s->method,
                       p->name, sqrt(square), deviation);
    if (s->kind == UNIFORM) ck_assert_msg(most <= s->size * 1.000001, "%s: %g, at most %g", p->name, most, s->size);
}

/* The numbers of docs/methods/vpt.md, of ViT-B/16, and that prompts begin with the variance that they have without
 * factors. */
START_TEST(factors_of_prompts_have_the_documented_size_and_scale)
{
    enum { WIDTH = 768, DEPTH = 12, TOKENS = 10, RANK = 4, PATCH = 3 * 16 * 16 };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, "image_size=224,patch=16,width=768,mlp=8,depth=12,heads=12", NULL);
    peft_adapter *a;
    peft_options *o = tiny_options(ctx, "rank=%d", RANK);
    OK(peft_adapter_create(b, "vpt", o, &a));
    int64_t count = 0;
    for (size_t i = 0; i < a->params.count; i++) count += peft_tensor_count(&a->params.item[i]->value);
    ck_assert_int_eq(count, DEPTH * RANK * (TOKENS + WIDTH));
    const pk_real *u = peft_tensor_cdata(peft_param_value(peft_sys_find_declared(a, "deep_prompt_embeddings.u"))),
                  *v = peft_tensor_cdata(peft_param_value(peft_sys_find_declared(a, "deep_prompt_embeddings.v")));
    double square = 0;
    for (int64_t row = 0; row < (DEPTH - 1) * TOKENS; row++)
        for (int64_t c = 0; c < WIDTH; c++) {
            double sum = 0;
            for (int64_t j = 0; j < RANK; j++)
                sum += (double)u[row * RANK + j] * (double)v[(row / TOKENS * RANK + j) * WIDTH + c];
            square += sum * sum / ((DEPTH - 1) * TOKENS * WIDTH);
        }
    /* tolerance: U has 11 * 10 * 4 values, whose squares have the mean 1/4 and are distributed as chi^2 */
    const double variance = 2.0 / (PATCH + WIDTH), tolerance = 4 * sqrt(2.0 / ((DEPTH - 1) * TOKENS * RANK));
    ck_assert_msg(fabs(square / variance - 1) <= tolerance, "variance %g, expected %g", square, variance);
    peft_options_free(o);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

START_TEST(initial_values_are_those_of_the_papers)
{
    enum { WIDTH = 192, DEPTH = 2, TOKENS = 10, INNER = 20, RANK = 5, PATCH = 3 * 8 * 8 };         /* of TINY_WIDE */
    const start starts[] = {
        { "vpt", "rank=5", "deep_prompt_embeddings.u", NORMAL, 1 / sqrt(RANK) },
        { "vpt", "rank=5", "deep_prompt_embeddings.v", UNIFORM, sqrt(6.0 / (PATCH + WIDTH)) },
        { "vfpt", NULL, "prompt_embeddings", UNIFORM, sqrt(6.0 / (PATCH + WIDTH)) },
        { "cvpt", NULL, "Prompt_Tokens", UNIFORM, sqrt(6.0 / (WIDTH * (TOKENS + DEPTH))) },
        { "dvpt", NULL, "prompt_token", NORMAL, 1 },
        { "dvpt", NULL, "prompt_positional_embedding", NORMAL, 1 / sqrt(WIDTH) },
        { "dvpt", NULL, "key_proj_d", UNIFORM, 1 / sqrt(WIDTH) },
        { "dvpt", NULL, "key_proj_u", UNIFORM, 1 / sqrt(INNER) }, { "dvpt", NULL, "gate", ZERO, 0 },
        { "apt", NULL, "mm_tokens", NORMAL, 0.02 }, { "apt", NULL, "mm.0", NORMAL, 1 },
        { "apt", NULL, "mm.1", ZERO, 0 }, { "apt", NULL, "scale", ZERO, 0 } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, TINY_WIDE, NULL);
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
        peft_adapter *a;
        int found = 0;
        peft_options *o = tiny_options(ctx, "%s", starts[k].options ? starts[k].options : "");
        OK(peft_adapter_create(b, starts[k].method, o, &a));
        peft_options_free(o);
        for (size_t i = 0; i < a->params.count; i++) {
            if (!strstr(a->params.item[i]->name, starts[k].name)) continue;
            check_start(a->params.item[i], &starts[k]);
            found++;
        }
        ck_assert_msg(found, "%s: no tensor %s", starts[k].method, starts[k].name);
        peft_adapter_free(a);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("counts", readme_has_the_numbers_of_parameters, factors_of_prompts_have_the_documented_size_and_scale,
           initial_values_are_those_of_the_papers)
