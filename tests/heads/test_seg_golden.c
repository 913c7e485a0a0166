/* SPDX-License-Identifier: Apache-2.0
 * test_seg_golden.c -- heads that predict a class for each pixel against golden/seg_heads.safetensors, which
 * golden/seg_heads.py computes in float64 with PyTorch: logits, loss, gradients of head and prompts and running
 * statistics of a training pass, and the logits of inference after it. */
#include "tiny.h"
#include <math.h>
#include "core/format/safetensors.h"

#ifndef PEFT_SOURCE_DIR
#  error "compile with -DPEFT_SOURCE_DIR"
#endif
#ifdef PF_REAL_DOUBLE
static const double tolerance = 1e-11;
#else
static const double tolerance = 1e-5;    /* of the largest element of a tensor */
#endif
/* A gradient that is zero but for rounding, as that of a bias before batch norm, is compared with this part of the
 * network's largest: the limit is then 1e-7 of that, the rounding of one f32 number. */
static const double rounding = 1e-2;

enum { SAMPLES = 2, CLASSES = 3, STEP = 23 };      /* STEP: of the logits every 23rd is in the file */

/* A network of the file: its name there, and options. */
typedef struct { const char *name, *backbone, *head; } network;
static const network networks[] = {
    { "linear", "image_size=32,patch=16", "head=seg_linear" },
    { "linear14", "image_size=42,patch=14", "head=seg_linear" },
    { "naive", "image_size=32,patch=16", "head=setr_naive,head_width=6" },
    { "pup", "image_size=32,patch=16", "head=setr_pup,head_width=4" },
    { "pup14", "image_size=28,patch=14", "head=setr_pup,head_width=4" },
    { "mla", "image_size=32,patch=16", "head=seg_mla,head_width=4" },
    { "mla2", "image_size=32,patch=8", "head=seg_mla,head_width=6,head_blocks=[1, 3]" },
    { "wide", "image_size=32x48,patch=16", "head=setr_pup,head_width=4" },
    { "high", "image_size=48x16,patch=8", "head=seg_mla,head_width=4,head_blocks=[1, 4]" } };

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

/* Fills a tensor with the numbers of its name, as `number` of the script does. */
static void fill(peft_tensor *t, const char *name)
{
    const bool scale = ends_with(name, "running_var") || (ends_with(name, ".weight") && t->ndim == 1);
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++)
        x[i] = (float)((scale ? 1 : 0) + 0.3 * tiny_random(tiny_stream(name), (uint64_t)i));
}

static tiny make(const network *n)
{
    tiny t = { .ctx = tiny_plain_context() };
    peft_options *o = tiny_options(t.ctx, "width=12,depth=5,heads=2,mlp=16,%s", n->backbone);
    OK(peft_backbone_create(t.ctx, o, &t.backbone));
    peft_options_free(o);
    for (size_t i = 0; i < t.backbone->weights; i++)
        fill(&t.backbone->weight[i].tensor, t.backbone->weight[i].name);
    char head[96];
    snprintf(head, sizeof head, "classes=%d,%s", CLASSES, n->head);
    t.model = tiny_model(t.backbone, head);
    t.adapter = tiny_adapter(t.backbone, "vpt", "tokens=2");
    OK(peft_model_attach(t.model, t.adapter));
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        peft_param *p = peft_model_param(t.model, i);
        fill(peft_param_value(p), peft_param_name(p));
    }
    for (size_t i = 0; i < peft_model_buffer_count(t.model); i++) {
        const char *name = peft_model_buffer_name(t.model, i);
        fill(peft_model_find_buffer(t.model, name), name);
    }
    return t;
}

static tiny_batch batch_of(const peft_model *m)
{
    tiny_batch b = tiny_first_batch(m, SAMPLES);
    const uint64_t images = tiny_stream("images"), labels = tiny_stream("labels");
    for (int64_t i = 0; i < peft_tensor_count(b.images); i++)
        ((float *)peft_tensor_data(b.images))[i] = (float)(0.3 * tiny_random(images, (uint64_t)i));
    for (int64_t i = 0; i < peft_tensor_count(b.labels); i++)
        ((int64_t *)peft_tensor_data(b.labels))[i] = (int64_t)((tiny_random(labels, (uint64_t)i) + 1) / 2 * CLASSES);
    return b;
}

/* The largest element of the tensors of the network whose names begin with kind. */
static double largest_of(const pf_st *file, const network *n, const char *kind)
{
    char start[64];
    double largest = 0, x;
    snprintf(start, sizeof start, "%s.%s", n->name, kind);
    for (size_t k = 0; k < pf_st_count(file); k++) {
        const pf_st_tensor *t = pf_st_at(file, k);
        for (size_t i = 0; i < t->bytes && !strncmp(t->name, start, strlen(start)); i += sizeof x) {
            memcpy(&x, (const char *)t->data + i, sizeof x);
            largest = fmax(largest, fabs(x));
        }
    }
    return largest;
}

/* x, of which the file has elements 0, step, 2 step, .., has the values of the file's tensor. */
static void check(const pf_st *file, const network *n, const char *kind, const char *name, const pk_real *x,
                  int64_t count, int step)
{
    char key[160];
    snprintf(key, sizeof key, "%s.%s%s", n->name, kind, name);
    const pf_st_tensor *t = pf_st_find(file, key);
    ck_assert_msg(t != NULL, "%s: not in the file", key);
    const int64_t kept = (count + step - 1) / step;
    double largest = rounding * largest_of(file, n, kind), want;
    ck_assert_msg(t->type == PEFT_F64 && (int64_t)t->bytes == kept * (int64_t)sizeof want, "%s: another shape", key);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < kept; i++) {
            memcpy(&want, (const char *)t->data + i * (int64_t)sizeof want, sizeof want);
            if (!pass) largest = fmax(largest, fabs(want));
            else ck_assert_msg(fabs((double)x[i * step] - want) <= tolerance * largest,
                               "%s, element %d: %.17g, expected %.17g", key, (int)i, (double)x[i * step], want);
        }
}

static void check_tensor(const pf_st *file, const network *n, const char *kind, const char *name,
                         const peft_tensor *t)
{
    check(file, n, kind, name, peft_tensor_cdata(t), peft_tensor_count(t), 1);
}

static void check_network(const pf_st *file, const network *n)
{
    tiny t = make(n);
    tiny_batch b = batch_of(t.model);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d", SAMPLES);
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    const pk_real loss = (pk_real)peft_trainer_get(r, "loss");
    const peft_tensor *logits = peft_trainer_logits(r);
    check(file, n, "loss", "", &loss, 1, 1);
    check(file, n, "logits", "", peft_tensor_cdata(logits), peft_tensor_count(logits), STEP);
    size_t params = 0, buffers = 0;
    for (; params < peft_model_param_count(t.model); params++) {
        peft_param *p = peft_model_param(t.model, params);
        check_tensor(file, n, "grad.", peft_param_name(p), peft_param_grad(p));
    }
    for (; buffers < peft_model_buffer_count(t.model); buffers++) {
        const char *name = peft_model_buffer_name(t.model, buffers);
        check_tensor(file, n, "buffer.", name, peft_model_find_buffer(t.model, name));
    }
    size_t in_file = 0;
    for (size_t i = 0; i < pf_st_count(file); i++) {
        const char *name = pf_st_at(file, i)->name;
        in_file += !strncmp(name, n->name, strlen(n->name)) && name[strlen(n->name)] == '.';
    }
    ck_assert_uint_eq(in_file, params + buffers + 3);                    /* beside loss, logits and eval */
    peft_tensor *inferred;
    OK(peft_tensor_create(t.ctx, PF_REAL, logits->ndim, logits->dim, &inferred));
    OK(peft_trainer_evaluate(r, b.images, inferred));
    check(file, n, "eval", "", peft_tensor_cdata(inferred), peft_tensor_count(inferred), STEP);
    peft_tensor_free(inferred);
    peft_trainer_free(r);
    tiny_batch_free(&b);
    tiny_free(&t);
}

START_TEST(heads_of_pixels_match_pytorch)
{
    peft_context *ctx = tiny_plain_context();
    pf_st *file;
    OK(pf_st_open(ctx, PEFT_SOURCE_DIR "/tests/heads/golden/seg_heads.safetensors", &file));
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) check_network(file, &networks[i]);
    pf_st_close(file);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("heads of pixels against PyTorch", heads_of_pixels_match_pytorch)
