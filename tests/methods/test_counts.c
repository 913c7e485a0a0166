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
typedef struct start { const char *method, *name; enum { UNIFORM, NORMAL, ZERO } kind; double size; } start;

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

START_TEST(initial_values_are_those_of_the_papers)
{
    enum { WIDTH = 192, DEPTH = 2, TOKENS = 10, INNER = 20, PATCH = 3 * 8 * 8 };         /* of TINY_WIDE */
    const start starts[] = {
        { "vfpt", "prompt_embeddings", UNIFORM, sqrt(6.0 / (PATCH + WIDTH)) },
        { "cvpt", "Prompt_Tokens", UNIFORM, sqrt(6.0 / (WIDTH * (TOKENS + DEPTH))) },
        { "dvpt", "prompt_token", NORMAL, 1 },
        { "dvpt", "prompt_positional_embedding", NORMAL, 1 / sqrt(WIDTH) },
        { "dvpt", "key_proj_d", UNIFORM, 1 / sqrt(WIDTH) }, { "dvpt", "key_proj_u", UNIFORM, 1 / sqrt(INNER) },
        { "dvpt", "gate", ZERO, 0 }, { "apt", "mm_tokens", NORMAL, 0.02 }, { "apt", "mm.0", NORMAL, 1 },
        { "apt", "mm.1", ZERO, 0 }, { "apt", "scale", ZERO, 0 } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, TINY_WIDE, NULL);
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
        peft_adapter *a;
        int found = 0;
        OK(peft_adapter_create(b, starts[k].method, NULL, &a));
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

SUITE_MAIN("counts", readme_has_the_numbers_of_parameters, initial_values_are_those_of_the_papers)
