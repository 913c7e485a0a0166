/* SPDX-License-Identifier: Apache-2.0
 * double_methods.c -- every method of the library's table and one registered beside them, on tiny backbones of every
 * kind, under every head and loss: the trainer's gradients are the slopes of its loss. A method added later is checked
 * without a word here. Errors are measured against the tensor's largest gradient entry, and 1e-4 of the model's largest
 * where that is more. */
#include "differences.h"
#include "method_model.h"

enum { BATCH = 3, MANY = 12, FEW = 4 };

typedef struct form { const char *backbone; int classes; const char *model, *trainer; int elements; } form;
static const form forms[] = {
    { "image_size=16,patch=4,depth=2", 3, "", "loss=ce", MANY },
    { "image_size=16,patch=8,depth=3,layer_scale=true,registers=2,norm_pre=true", 3, "head=bn_linear",
      "label_smoothing=0.2", FEW },
    { "image_size=16,patch=8,depth=2,pool=mean,act=quickgelu", 3, "head=mlp,head_layers=2",
      "class_weights=[1,2,0.5]", FEW },
    { "image_size=16,patch=8,depth=2,qkv_bias=false", 2, "pool=mean", "loss=bce_sum", FEW },
    { "image_size=16,patch=8,depth=2,registers=2", 3, "head=patch_linear", "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,pool=mean", 3, "head=patch_linear", "loss=bce", FEW } };

typedef struct slope { peft_trainer *t; uint32_t from, forward; } slope;

static double loss_of(void *user)
{
    slope *s = user;
    pf_compiled *net = &s->t->net;
    forward_again(&net->exec, s->from, s->forward);
    return pf_exec_data(&net->exec, net->loss)[0];
}

static void backward(peft_trainer *t, const tiny_batch *b)
{
    OK(peft_trainer_backward(t, b->images, t->loss.kind->labels == PF_LABEL_CLASS ? b->labels : b->targets, b->ids));
}

/* The gradients of all parameters one after the other, by a trainer that is gone afterwards. */
static pk_real *gradients(peft_model *m, const char *options, const tiny_batch *b)
{
    peft_trainer *t = tiny_trainer(m, "batch=%d,%s", BATCH, options);
    backward(t, b);
    pk_real *all = malloc((size_t)peft_model_trainable_count(m) * sizeof *all), *to = all;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_tensor *g = peft_param_grad(peft_model_param(m, i));
        memcpy(to, peft_tensor_cdata(g), pf_tensor_bytes(g));
        to += peft_tensor_count(g);
    }
    peft_trainer_free(t);
    return all;
}

/* The element whose |g| is largest after that of element `before` (-1: largest of all); equal ones go by index. */
static int64_t next_largest(const pk_real *g, int64_t n, int64_t before)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        double a = fabs((double)g[i]), top = before < 0 ? INFINITY : fabs((double)g[before]);
        if (a > top || (a == top && i <= before)) continue;
        if (best < 0 || a > fabs((double)g[best])) best = i;
    }
    return best;
}

/* A third of the elements where the gradient is largest, the others at random. */
static double check_tensor(slope *s, peft_param *p, const pk_real *g, double unit, int elements)
{
    int64_t n = peft_tensor_count(&p->value), large = -1;
    double worst = 0;
    forward_whole(&s->t->net.exec, s->forward);           /* the last tensor's last change is still in there */
    s->from = first_reader(&s->t->net.exec, p);
    for (int k = 0; k < elements && k < n; k++) {
        large = k < elements / 3 || n <= elements ? next_largest(g, n, large) : -1;
        int64_t at = large >= 0 ? large : (int64_t)(fabs(tiny_random(tiny_stream(p->name), (uint64_t)k)) * (double)n);
        double error = slope_error(loss_of, s, (pk_real *)p->value.data + at, g[at], unit);
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

static double check_model(tiny *t, const form *f, const char *what)
{
    tiny_batch b = tiny_batch_make(t->model, BATCH, 0);
    pk_real *grad = gradients(t->model, f->trainer, &b), *g = grad;
    slope s = { .t = tiny_trainer(t->model, "batch=%d,executor=naive,%s", BATCH, f->trainer) };
    backward(s.t, &b);
    s.forward = forward_nodes(&s.t->net.exec);
    double worst = 0, floor = 1e-4 * largest(grad, peft_model_trainable_count(t->model));
    for (size_t i = 0; i < peft_model_param_count(t->model); i++) {
        peft_param *p = peft_model_param(t->model, i);
        int64_t n = peft_tensor_count(&p->value);
        double error = check_tensor(&s, p, g, fmax(largest(g, n), floor), f->elements);
        ck_assert_msg(error <= 1e-6, "%s, %s: relative error %g", what, p->name, error);
        worst = fmax(worst, error);
        g += n;
    }
    free(grad);
    peft_trainer_free(s.t);
    tiny_batch_free(&b);
    return worst;
}

START_TEST(every_method)
{
    peft_context *ctx = tiny_context(NULL, 1);
    double worst = 0;
    for (size_t m = 0; m < tiny_method_count(); m++)
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            char what[80];
            snprintf(what, sizeof what, "%s, form %zu", tiny_method_name(m), i);
            const form *f = &forms[i];
            tiny t = method_model(ctx, f->backbone, tiny_method_name(m), NULL, f->classes, f->model);
            ck_assert_msg(t.model, "%s: %s", what, peft_last_error());
            worst = fmax(worst, check_model(&t, f, what));
            method_model_free(&t);
        }
    printf("%zu methods: largest relative error of a gradient %.2g\n", tiny_method_count(), worst);
    peft_context_free(ctx);
}
END_TEST

/* Each switch of each method turned to its other side, where that is allowed. */
START_TEST(every_switch)
{
    peft_context *ctx = tiny_context(NULL, 1);
    const form f = { "image_size=16,patch=8,depth=2", 3, "", "loss=ce", FEW };
    int switches = 0;
    for (size_t m = 0; m < tiny_method_count(); m++)
        for (const peft_option *o = tiny_method(m)->opts; o && o->name; o++) {
            char what[120], other[80];
            if (o->type != 'b') continue;
            snprintf(other, sizeof other, "%s=%s", o->name, strcmp(o->fallback, "true") ? "true" : "false");
            snprintf(what, sizeof what, "%s with %s", tiny_method_name(m), other);
            tiny t = method_model(ctx, f.backbone, tiny_method_name(m), other, f.classes, f.model);
            if (t.model) {
                check_model(&t, &f, what);
                switches++;
            }
            method_model_free(&t);
        }
    printf("%d switches\n", switches);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("methods in double", every_method, every_switch)
