/* SPDX-License-Identifier: Apache-2.0
 * tiny_bits.h -- records the tensors of a model, trainer or backbone as bytes, and asserts that two records are equal
 * in every bit. */
#ifndef TINY_BITS_H
#define TINY_BITS_H
#include "tiny.h"

/* data: a sequence of records, each a tiny_record followed by its `bytes` bytes. */
typedef struct tiny_bits { char *data; size_t size; } tiny_bits;
typedef struct tiny_record { char name[112]; size_t bytes; } tiny_record;

/* Appends a record of `bytes` bytes whose name is `kind` followed by `name`, such as "moment1 " and "head.weight". */
static inline void tiny_bits_add_named(tiny_bits *b, const char *kind, const char *name, const void *data, size_t bytes)
{
    tiny_record r = { .bytes = bytes };
    snprintf(r.name, sizeof r.name, "%s%s", kind, name);
    b->data = realloc(b->data, b->size + sizeof r + bytes);
    ck_assert_ptr_nonnull(b->data);
    memcpy(b->data + b->size, &r, sizeof r);
    memcpy(b->data + b->size + sizeof r, data, bytes);
    b->size += sizeof r + bytes;
}

static inline void tiny_bits_add(tiny_bits *b, const char *name, const void *data, size_t bytes)
{
    tiny_bits_add_named(b, "", name, data, bytes);
}

static inline void tiny_bits_tensor_named(tiny_bits *b, const char *kind, const char *name, const peft_tensor *t)
{
    tiny_bits_add_named(b, kind, name, peft_tensor_cdata(t), pf_tensor_bytes(t));
}

static inline void tiny_bits_tensor(tiny_bits *b, const char *name, const peft_tensor *t)
{
    tiny_bits_add(b, name, peft_tensor_cdata(t), pf_tensor_bytes(t));
}

/* Appends the tensor's values converted to f32. */
static inline void tiny_bits_values(tiny_bits *b, const char *name, const peft_tensor *t)
{
    const int64_t n = peft_tensor_count(t);
    float *x = malloc((size_t)n * sizeof *x);
    OK(peft_tensor_to_f32(t, x, n));
    tiny_bits_add(b, name, x, (size_t)n * sizeof *x);
    free(x);
}

/* Appends the gradients of all parameters. */
static inline void tiny_bits_grads(tiny_bits *b, peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        tiny_bits_tensor_named(b, "gradient ", peft_param_name(p), peft_param_grad(p));
    }
}

/* Appends all parameters and buffers. */
static inline void tiny_bits_model(tiny_bits *b, peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        tiny_bits_tensor_named(b, "parameter ", peft_param_name(p), peft_param_value(p));
    }
    for (size_t i = 0; i < peft_model_buffer_count(m); i++) {
        const char *name = peft_model_buffer_name(m, i);
        tiny_bits_tensor_named(b, "buffer ", name, peft_model_find_buffer(m, name));
    }
}

/* Appends the model, the optimiser's moments and the step count. */
static inline void tiny_bits_training(tiny_bits *b, const peft_trainer *t)
{
    tiny_bits_model(b, t->model);
    for (size_t i = 0; i < t->trained_count; i++) {
        size_t bytes = (size_t)t->trained[i].count * sizeof(pk_real);
        if (t->trained[i].m) tiny_bits_add_named(b, "moment1 ", t->trained[i].p->name, t->trained[i].m, bytes);
        if (t->trained[i].v) tiny_bits_add_named(b, "moment2 ", t->trained[i].p->name, t->trained[i].v, bytes);
    }
    tiny_bits_add(b, "step", &t->step, sizeof t->step);
}

static inline void tiny_bits_free(tiny_bits *b)
{
    free(b->data);
    *b = (tiny_bits){ 0 };
}

/* Asserts that a and b hold the same records; frees b. `who` names the comparison in messages. */
static inline void tiny_same(const tiny_bits *a, tiny_bits *b, const char *who)
{
    for (size_t offset = 0; offset < a->size && offset < b->size;) {
        tiny_record x, y;
        memcpy(&x, a->data + offset, sizeof x);
        memcpy(&y, b->data + offset, sizeof y);
        ck_assert_msg(!strcmp(x.name, y.name) && x.bytes == y.bytes, "%s: '%s' in one, '%s' in the other", who, x.name,
                      y.name);
        offset += sizeof x;
        ck_assert_msg(!memcmp(a->data + offset, b->data + offset, x.bytes), "%s: %s differs", who, x.name);
        offset += x.bytes;
    }
    ck_assert_msg(a->size == b->size, "%s: %zu bytes in one, %zu in the other", who, a->size, b->size);
    tiny_bits_free(b);
}

/* A new tensor for the logits of n samples of the model. */
static inline peft_tensor *tiny_logits(const peft_model *m, int n)
{
    int64_t dims[PEFT_MAX_DIMS] = { n };
    peft_tensor *t;
    memcpy(dims + 1, m->output.dim, (size_t)m->output.ndim * sizeof *dims);
    OK(peft_tensor_create(m->backbone->ctx, PEFT_F32, 1 + m->output.ndim, dims, &t));
    return t;
}

/* Appends the model's logits for n images, computed by `threads` threads (0: the context's number) in this
 * arithmetic. */
static inline void tiny_bits_predict_in(tiny_bits *bits, peft_model *m, int n, int threads, const char *compute)
{
    const int first_sample = 30;                              /* an arbitrary choice */
    tiny_batch b = tiny_batch_make(m, n, first_sample);
    peft_session *s = tiny_session(m, "batch=%d,threads=%d,compute=%s", n, threads, compute);
    peft_tensor *logits = tiny_logits(m, n);
    OK(peft_session_predict(s, b.images, logits));
    tiny_finite(logits, "logits");
    tiny_bits_tensor(bits, "logits", logits);
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
}
static inline void tiny_bits_predict(tiny_bits *bits, peft_model *m, int n, int threads)
{
    tiny_bits_predict_in(bits, m, n, threads, "f32");
}

/* The same for two images and the context's number of threads. */
static inline void tiny_bits_logits(tiny_bits *bits, peft_model *m)
{
    const int images = 2, threads_of_context = 0;
    tiny_bits_predict(bits, m, images, threads_of_context);
}

/* Asserts that tensors, fingerprint and logits (with the backbone's own head, if it has one) of two backbones are
 * equal. */
static inline void tiny_same_backbone(peft_backbone *a, peft_backbone *b, const char *who)
{
    tiny_bits bits[2] = { { 0 } };
    for (int i = 0; i < 2; i++) {
        peft_backbone *x = i ? b : a;
        for (size_t k = 0; k < x->weights; k++) tiny_bits_values(&bits[i], x->weight[k].name, &x->weight[k].tensor);
        /* classes=0: the backbone's own head */
        peft_model *m = tiny_model(x, x->shape.classes ? "classes=0" : "classes=2");
        tiny_bits_logits(&bits[i], m);
        peft_model_free(m);
    }
    tiny_same(&bits[0], &bits[1], who);
    tiny_bits_free(&bits[0]);
    ck_assert_str_eq(peft_backbone_fingerprint(a), peft_backbone_fingerprint(b));
}
#endif
