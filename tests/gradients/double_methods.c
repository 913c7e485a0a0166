/* SPDX-License-Identifier: Apache-2.0
 * double_methods.c -- gradients of every method (built-in and registered) against numerical derivatives of the loss, on
 * several backbones, heads and losses. An error is relative to the largest gradient entry of its tensor, or to 1e-4 of
 * the model's largest where that is more. */
#include "differences.h"
#include "method_model.h"

enum { BATCH = 3, MANY = PARTIAL ? 3 : 12, FEW = PARTIAL ? 1 : 4 };

/* A network and a loss. */
typedef struct form {
    const char *backbone;                /* options */
    int classes;
    const char *model, *trainer;         /* options */
    int elements;                        /* how many elements of each tensor are checked */
} form;
static const form forms[] = {
    { "image_size=16,patch=4,depth=2", 3, "", "loss=ce", MANY },
    { "image_size=16,patch=8,depth=3,layer_scale=true,registers=2,norm_pre=true", 3, "head=bn_linear",
      "label_smoothing=0.2", FEW },
    { "image_size=16,patch=8,depth=2,pool=mean,act=quickgelu", 3, "head=mlp,head_layers=2",
      "class_weights=[1,2,0.5]", FEW },
    { "image_size=16,patch=8,depth=2,qkv_bias=false", 2, "pool=mean", "loss=bce_sum", FEW },
    { "image_size=16,patch=8,depth=2,registers=2", 3, "head=patch_linear", "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,pool=mean", 3, "head=patch_linear", "loss=bce", FEW },
    { "image_size=16,patch=4,depth=2,class_token=false,pool=mean,final_norm=before,gate=last,act=gelu_tanh", 3, "",
      "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,qk_norm=true,attn_norm=true,mlp_norm=true,proj_bias=false,swiglu=true", 3, "",
      "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,class_token=false,registers=1,pool=mean,final_norm=both,qk_norm=true", 3,
      "head=patch_linear", "loss=ce_dice,ignore_index=1,dice_squared=true", FEW },
    { "image_size=16,patch=8,depth=2", 3, "head=seg_linear", "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,registers=1", 3, "head=setr_naive,head_width=4", "loss=bce", FEW },
    { "image_size=16,patch=8,depth=2", 3, "head=setr_pup,head_width=4", "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,pool=mean", 3, "head=seg_mla,head_width=4", "loss=ce", FEW },
    { "image_size=16,patch=8,depth=2,rope=dinov3,rope_rotate_half=true,pos_embed=false,registers=1", 3, "", "loss=ce",
      FEW },
    { "image_size=16,patch=8,depth=2,rope=mixed,rope_grid_indexing=xy,no_embed_class=true", 3, "pool=mean", "loss=ce",
      FEW },
    { "image_size=16,patch=8,depth=2,class_token=false,registers=1,pool=attention,rope=axial,swiglu=true", 3, "",
      "loss=ce", FEW },
    { "image_size=16x24,patch=8,depth=2,rope=dinov3,registers=1", 3, "head=setr_pup,head_width=4", "loss=ce", FEW },
    { "image_size=24x8,patch=8,depth=2,rope=mixed", 3, "head=patch_linear", "loss=ce", FEW } };

/* The loss as a function of a parameter that node `from` reads first; `forward` nodes are of the forward pass. */
typedef struct slope { peft_trainer *t; uint32_t from, forward; } slope;

static double loss_of(void *user)
{
    slope *s = user;
    pf_compiled *net = &s->t->net;
    forward_again(&net->exec, s->from, s->forward);
    return pf_exec_data(&net->exec, net->loss)[0];
}

/* Computes the gradients of one batch, with labels of the kind that the loss takes. */
static void backward(peft_trainer *t, const tiny_batch *b)
{
    OK(peft_trainer_backward(t, b->images, t->loss.kind->labels == PF_LABEL_CLASS ? b->labels : b->targets, b->ids));
}

/* The gradients of all parameters, concatenated, by a trainer with the usual (planned) executor; the caller frees
 * them. */
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

/* The element with the next largest |g| after element `before` (-1: the largest of all); equal ones in order of
 * index. */
static int64_t next_largest(const pk_real *g, int64_t n, int64_t before)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        double a = fabs((double)g[i]), bound = before < 0 ? INFINITY : fabs((double)g[before]);
        if (a > bound || (a == bound && i <= before)) continue;
        if (best < 0 || a > fabs((double)g[best])) best = i;
    }
    return best;
}

/* Checks `elements` elements of p, or all if it has no more: a third where the gradient g is largest, the others at
 * random. Returns the largest error in units of `unit`. */
static double check_tensor(slope *s, peft_param *p, const pk_real *g, double unit, int elements)
{
    int64_t n = peft_tensor_count(&p->value), large = -1;
    double worst = 0;
    forward_whole(&s->t->net.exec, s->forward);    /* values of the last perturbed tensor are outdated */
    s->from = first_reader(&s->t->net.exec, p);
    for (int k = 0; k < elements && k < n; k++) {
        const bool by_size = k < elements / 3 || n <= elements;
        large = by_size ? next_largest(g, n, large) : -1;
        int64_t index = large >= 0 ? large :
                        (int64_t)(fabs(tiny_random(tiny_stream(p->name), (uint64_t)k)) * (double)n);
        double error = slope_error(loss_of, s, (pk_real *)p->value.data + index, g[index], unit);
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

/* Checks the gradients of all parameters; returns the largest error. */
static double check_model(tiny *t, const form *f, const char *what)
{
    tiny_batch b = tiny_first_batch(t->model, BATCH);
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

START_TEST(gradients_of_every_method_are_derivatives)
{
    peft_context *ctx = tiny_plain_context();
    double worst = 0;
    for (size_t m = 0; m < tiny_method_count(); m++)
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            char what[80];
            snprintf(what, sizeof what, "%s, form %zu", tiny_method_name(m), i);
            const form *f = &forms[i];
            if (!method_fits(f->backbone, tiny_method_name(m))) continue;
            tiny t = method_model(ctx, f->backbone, tiny_method_name(m), NULL, f->classes, f->model);
            ck_assert_msg(t.model, "%s: %s", what, peft_last_error());
            worst = fmax(worst, check_model(&t, f, what));
            method_model_free(&t);
        }
    printf("%zu methods: largest relative error of a gradient %.2g\n", tiny_method_count(), worst);
    peft_context_free(ctx);
}
END_TEST

/* With each boolean option of each method set to the opposite of its default, where the method accepts that. */
START_TEST(gradients_with_every_boolean_option_are_derivatives)
{
    peft_context *ctx = tiny_plain_context();
    const form f = { "image_size=16,patch=8,depth=2", 3, "", "loss=ce", FEW };
    int checked = 0;
    for (size_t m = 0; m < tiny_method_count(); m++)
        for (const peft_option *o = tiny_method(m)->opts; o && o->name; o++) {
            char what[120], other[80];
            if (o->type != 'b') continue;
            snprintf(other, sizeof other, "%s=%s", o->name, strcmp(o->fallback, "true") ? "true" : "false");
            snprintf(what, sizeof what, "%s with %s", tiny_method_name(m), other);
            tiny t = method_model(ctx, f.backbone, tiny_method_name(m), other, f.classes, f.model);
            if (t.model) {
                check_model(&t, &f, what);
                checked++;
            }
            method_model_free(&t);
        }
    printf("%d boolean options\n", checked);
    peft_context_free(ctx);
}
END_TEST

/* Options with which a method computes something else. Models without a norm before block 0, and with one. */
START_TEST(gradients_with_other_options_are_derivatives)
{
    static const char *const others[][2] = {
        { "vfpt", "fraction=1,transform=all" }, { "vfpt", "transform=hidden,location=last" },
        { "vfpt", "fraction=0.7,transform=sequence" }, { "vfpt", "transform=learned" },
        { "vfpt", "tokens=4,location=random" }, { "vfpt", "fraction=0.7,dropout=0.4" },
        { "vfpt", "location=random,transform=learned,dropout=0.3" }, { "vfpt", "fourier_layers=1" },
        { "cvpt", "insert=1" }, { "cvpt", "insert=2,dropout=0.3" }, { "cvpt", "insert=4" }, { "cvpt", "insert=5" },
        { "dvpt", "form=paper" }, { "dvpt", "form=paper,share=1,pool=class" }, { "dvpt", "pool=patches" },
        { "apt", "dropout=0.3" }, { "e2vpt", "mask_tokens=trained" }, { "e2vpt", "mask_pieces=trained,pieces=5" },
        { "e2vpt", "mask_tokens=trained,mask_pieces=trained,kv_shared=false,dropout=0.3" },
        { "e2vpt", "mask_tokens=[1,0,1],mask_pieces=trained,deep=false" },
        { "vpt", "tokens=4,rank=2" }, { "vpt", "tokens=3,rank=1,deep=false,project=5" },
        { "vpt", "tokens=4,rank=3,shared=true,dropout=0.3" } };
    static const form networks[] = {
        { "image_size=16,patch=8,depth=2", 3, "", "loss=ce", FEW },
        { "image_size=16,patch=8,depth=2,registers=1,norm_pre=true,pool=mean", 3, "", "loss=ce", FEW } };
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (size_t k = 0; k < sizeof networks / sizeof *networks; k++) {
            char what[120];
            const form *f = &networks[k];
            snprintf(what, sizeof what, "%s with %s, network %zu", others[i][0], others[i][1], k);
            tiny t = method_model(ctx, f->backbone, others[i][0], others[i][1], f->classes, f->model);
            ck_assert_msg(t.model, "%s: %s", what, peft_last_error());
            check_model(&t, f, what);
            method_model_free(&t);
        }
    peft_context_free(ctx);
}
END_TEST

/* Methods that adapt linear layers, with layers, biases and norms other than by default, of a gated MLP too. */
START_TEST(gradients_of_other_layers_are_derivatives)
{
    static const char *const plain[][2] = {
        { "lora", "targets=[attn.qkv,0.attn.q,mlp.fc1],bias=lora_only" },
        { "lora", "targets=[attn.q,attn.v],bias=lora_only,dora=true" }, { "lora", "bias=all,layers=1" },
        { "ia3", "targets=[attn.qkv,attn.proj,mlp.fc1,patch_embed.proj],feedforward=[attn.proj,1.mlp.fc1]" },
        { "ia3", "targets=[attn.q,attn.v,mlp.fc2],feedforward=[attn.v]" }, { "ia3", "layers=1" },
        { "vera", "targets=[attn.qkv,attn.q,mlp.fc1,mlp.fc2,patch_embed.proj]" },
        { "oft", "block_size=4,targets=[attn.qkv,mlp.fc1,1.mlp.fc2],share=true" },
        { "oft", "block_size=0,blocks=6,terms=0,targets=[attn.q,attn.v,attn.proj]" },
        { "ln_tune", "targets=[norm1,norm]" }, { "ln_tune", "targets=[1.norm2]" } };
    static const char *const gated[][2] = {
        { "lora", "targets=[mlp.fc1_g,mlp.fc1_x],bias=lora_only,dora=true" },
        { "lora", "targets=[1.mlp.fc1_x,mlp.fc2]" },
        { "vera", "targets=[mlp.fc1_g,mlp.fc1_x]" }, { "oft", "targets=[mlp.fc1_g,mlp.fc1_x],block_size=8" },
        { "ia3", "targets=[mlp.fc1_g,mlp.fc1_x],feedforward=[mlp.fc1_x]" } };
    static const form networks[] = { { "image_size=16,patch=8,depth=2", 3, "", "loss=ce", FEW },
                                     { "image_size=16,patch=8,depth=2,swiglu=true", 3, "", "loss=ce", FEW } };
    enum { PLAIN = sizeof plain / sizeof *plain, GATED = sizeof gated / sizeof *gated };
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < PLAIN + GATED; i++) {
        const char *const *row = i < PLAIN ? plain[i] : gated[i - PLAIN];
        const form *f = &networks[i >= PLAIN];
        char what[160];
        snprintf(what, sizeof what, "%s with %s", row[0], row[1]);
        tiny t = method_model(ctx, f->backbone, row[0], row[1], f->classes, f->model);
        ck_assert_msg(t.model, "%s: %s", what, peft_last_error());
        check_model(&t, f, what);
        method_model_free(&t);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("methods in double", gradients_of_other_layers_are_derivatives, gradients_of_every_method_are_derivatives,
           gradients_with_every_boolean_option_are_derivatives, gradients_with_other_options_are_derivatives)
