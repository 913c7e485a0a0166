/* SPDX-License-Identifier: Apache-2.0
 * double_adaptors.c -- gradients of an adaptor's loss by its tensors against numerical derivatives, for every kind that
 * trains by gradients, beside several methods and heads. An error is relative to the largest gradient entry of its
 * tensor, or to 1e-4 of the adaptor's largest where that is more. */
#include "core/tta/adaptor.h"
#include "differences.h"
#include "tiny.h"

enum { BATCH = 4, ELEMENTS = 5 };

/* Factors of the heads' parameters: with small logits the entropy is flat, with large ones it is 0. */
static const double head_factor[] = { 4, 4, 1, 4 };
static const tiny_spec models[] = {
    { .backbone = "image_size=16,patch=8,width=24,depth=3,heads=3,classes=5", .method = "lora" },
    { .backbone = "image_size=16,patch=8,width=24,depth=2,heads=3,classes=5,registers=2,norm_pre=true,layer_scale=true",
      .method = "ept", .model = "classes=3,head=bn_linear" },
    { .backbone = "image_size=16,patch=8,width=24,depth=2,heads=3,classes=5,pool=mean", .method = "ln_tune",
      .model = "classes=3,head=mlp,head_layers=1" },
    { .backbone = "image_size=16,patch=8,width=24,depth=2,heads=3,classes=5", .method = "vpt",
      .model = "classes=3,head=patch_linear" } };

static double loss_of(void *user)
{
    peft_adaptor *a = user;
    pf_exec_run(&a->net.exec, 0, a->net.loss_end);
    return pf_exec_data(&a->net.exec, a->net.loss)[0];
}

/* The largest error of the gradients by some elements of each tensor. */
static double worst_error(peft_adaptor *a)
{
    double worst = 0, floor = 0;
    for (size_t i = 0; i < a->params.count; i++)
        floor = fmax(floor, 1e-4 * largest(a->params.item[i]->grad.data, a->trained[i].count));
    ck_assert(floor > 0);
    for (size_t i = 0; i < a->params.count; i++) {
        const pf_param *p = a->params.item[i];
        const int64_t n = a->trained[i].count;
        const pk_real *g = p->grad.data;
        for (int k = 0; k < ELEMENTS; k++) {
            const int64_t at = (int64_t)(fabs(tiny_random(tiny_stream(p->name), (uint64_t)k)) * (double)n);
            const double unit = fmax(largest(g, n), floor);
            worst = fmax(worst, slope_error(loss_of, a, (pk_real *)p->value.data + at, g[at], unit));
        }
    }
    return worst;
}

static double check(const tiny_spec *spec, const char *kind)
{
    tiny t = tiny_make(spec);
    peft_adaptor *a;
    for (size_t i = 0; i < t.model->params.count; i++) {
        peft_tensor *p = &t.model->params.item[i]->value;
        for (int64_t k = 0; k < peft_tensor_count(p); k++) ((pk_real *)p->data)[k] *= head_factor[spec - models];
    }
    peft_options *o = tiny_options(t.ctx, "kind=%s,batch=%d,lr=0,executor=naive", kind, BATCH);
    OK(peft_adaptor_create(t.model, o, &a));
    peft_options_free(o);
    tiny_batch b = tiny_batch_make(t.model, BATCH, 0), training = tiny_batch_make(t.model, BATCH, 70);
    peft_tensor *images = tiny_tensor(t.ctx, PEFT_F64, 4, BATCH, 3, 16, 16), *logits;
    int64_t dims[1 + PF_MAX_RANK] = { BATCH };
    memcpy(dims + 1, t.model->output.dim, (size_t)t.model->output.ndim * sizeof *dims);
    OK(peft_tensor_create(t.ctx, PEFT_F64, 1 + t.model->output.ndim, dims, &logits));
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(images));
    for (int i = 0; i < 2 && a->taps; i++) OK(peft_adaptor_source(a, training.images));
    OK(peft_adaptor_predict(a, images, logits));
    const double error = worst_error(a);
    peft_tensor_free(images);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    tiny_batch_free(&training);
    peft_adaptor_free(a);
    tiny_free(&t);
    return error;
}

START_TEST(gradients_of_adaptors_are_derivatives)
{
    double worst = 0;
    int kinds = 0;
    for (size_t k = 0; pf_tta_kinds[k]; k++) {
        if (!pf_tta_kinds[k]->trains) continue;
        kinds++;
        for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
            const double error = check(&models[i], pf_tta_kinds[k]->name);
            ck_assert_msg(error <= 1e-6, "kind %s, model %zu: relative error %g", pf_tta_kinds[k]->name, i, error);
            worst = fmax(worst, error);
        }
    }
    ck_assert_int_ge(kinds, 2);
    printf("%d kinds: largest relative error of a gradient %.2g\n", kinds, worst);
}
END_TEST

SUITE_MAIN("adaptors in double", gradients_of_adaptors_are_derivatives)
