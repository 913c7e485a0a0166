/* SPDX-License-Identifier: Apache-2.0
 * backbone_pair.h -- two backbones of the same values, one with matrices of another type than f32, and the comparison
 * of all that is computed with them, bit for bit. */
#ifndef BACKBONE_PAIR_H
#define BACKBONE_PAIR_H
#include "tiny_files.h"

/* Widths that are no multiple of the vector size, with a gated MLP and LayerScale; and common widths. */
static const char *const shapes[] __attribute__((unused)) = {
    "image_size=16,patch=4,width=42,depth=2,heads=3,classes=5,mlp=50,layer_scale=true,swiglu=true,registers=1,"
    "norm_pre=true",
    "image_size=32,patch=8,width=96,depth=2,heads=3,classes=5" };

/* backbone[0] has matrices of another type than f32; backbone[1] was loaded from an f32 file with the same values. */
typedef struct pair { peft_context *ctx; peft_backbone *backbone[2]; peft_dtype type; } pair;

static inline void pair_free(pair *p)
{
    for (int i = 0; i < 2; i++) peft_backbone_free(p->backbone[i]);
    peft_context_free(p->ctx);
    tiny_clean();
}

/* Records the pooled feature, a value inside the network that a session gives by name (tap). */
static inline void add_feature(tiny_bits *bits, peft_model *m)
{
    tiny_batch b = tiny_batch_make(m, 2, 30);
    peft_session *s = tiny_session(m, "batch=2,taps=feature");
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 2, (int)m->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_bits_tensor(bits, "feature", tiny_tap(s, "feature"));
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
}

/* The status of a merge, and the merged weights if the method can be merged. */
static inline void add_merged(tiny_bits *bits, peft_model *m)
{
    peft_backbone *merged = NULL;
    const peft_status s = peft_model_merge(m, &merged);
    tiny_bits_add(bits, "merge", &s, sizeof s);
    for (size_t i = 0; !s && i < merged->weights; i++)
        tiny_bits_tensor_named(bits, "merged ", merged->weight[i].name, &merged->weight[i].tensor);
    peft_backbone_free(merged);
}

/* Records logits, features, three training steps (two of them with fewer samples), their results and the merge. */
static inline void train(tiny_bits *bits, peft_backbone *b, const char *method, const char *options)
{
    peft_model *m = tiny_model(b, tiny_head(method, NULL));
    peft_adapter *a = method ? tiny_adapter(b, method, options) : NULL;
    if (a) OK(peft_model_attach(m, a));
    tiny_perturb(m);
    tiny_bits_logits(bits, m);
    if (tiny_has_taps(a)) add_feature(bits, m);
    peft_trainer *t = tiny_trainer(m, "batch=4,lr=0.01");
    tiny_step(t, 4, 0);
    tiny_step(t, 3, 4);
    tiny_step(t, 1, 7);
    tiny_bits_training(bits, t);
    peft_trainer_free(t);
    add_merged(bits, m);
    peft_adapter_free(a);
    peft_model_free(m);
}

/* Trains with both backbones and compares the results. method NULL: only the head is trained. */
static inline void check_same_training(const pair *p, const char *method, const char *options)
{
    char name[200];
    tiny_bits bits[2] = { { 0 } };
    snprintf(name, sizeof name, "%s %s on %s, %s", method ? method : "head", options, p->ctx->kernels->name,
             pf_dtype_name(p->type));
    for (int i = 0; i < 2; i++) train(&bits[i], p->backbone[i], method, options);
    tiny_same(&bits[0], &bits[1], name);
    tiny_bits_free(&bits[0]);
}
#endif
