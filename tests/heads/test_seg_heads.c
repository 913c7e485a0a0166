/* SPDX-License-Identifier: Apache-2.0
 * test_seg_heads.c -- heads that predict a class for each pixel of the model's input: shapes, refusals, files, and the
 * same bits whatever executor, threads, memory limit and cache. test_seg_golden.c compares their numbers. */
#include "tiny_bits.h"
#include <math.h>
#include <peft/maps.h>

enum { SIDE = 16, N = 3, CLASSES = 3 };                   /* pixels of an image's side; images */
static const char *const heads[] = { "classes=3,head=seg_linear", "classes=3,head=setr_naive,head_width=4",
    "classes=3,head=setr_pup,head_width=4", "classes=3,head=seg_mla,head_width=4" };
enum { HEADS = sizeof heads / sizeof *heads };
#define EACH_HEAD(h) for (int h = 0; h < HEADS; h++)

START_TEST(logits_and_labels_are_maps_of_the_input)
{
    EACH_HEAD(h) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = heads[h] });
        int64_t dims[PEFT_MAX_DIMS];
        ck_assert(peft_model_output(t.model, dims) == 3 && dims[0] == SIDE && dims[1] == SIDE && dims[2] == CLASSES);
        tiny_batch b = tiny_first_batch(t.model, N);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d", N);
        peft_session *s = tiny_session(t.model, "batch=%d", N);
        peft_tensor *one = tiny_tensor(t.ctx, PEFT_I64, 1, N), *patches = tiny_tensor(t.ctx, PEFT_F32, 4, N, 4, 4, 3),
            *logits = tiny_logits(t.model, N);
        FAILS(PEFT_E_SHAPE, "labels: given [3], expected [3, 16, 16]", peft_trainer_step(r, b.images, one, NULL));
        FAILS(PEFT_E_SHAPE, "expected [3, 16, 16, 3]", peft_session_predict(s, b.images, patches));
        FAILS(PEFT_E_UNSUPPORTED, "reads patch tokens", peft_session_features(s, b.images, logits));
        ((int64_t *)peft_tensor_data(b.labels))[SIDE * SIDE + SIDE + 2] = CLASSES;
        FAILS(PEFT_E_INVALID, "labels[1][1][2]: given 3, expected 0 to 2",
              peft_trainer_step(r, b.images, b.labels, NULL));
        const int multi_label = 0;                        /* softmax */
        OK(peft_session_probabilities(s, b.images, multi_label, logits));
        const float *p = peft_tensor_cdata(logits);
        for (int i = 0; i < N * SIDE * SIDE; i++)
            ck_assert_float_eq_tol(p[3 * i] + p[3 * i + 1] + p[3 * i + 2], 1, 1e-6f);
        peft_tensor_free(one);
        peft_tensor_free(patches);
        peft_tensor_free(logits);
        peft_session_free(s);
        peft_trainer_free(r);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* Pixel (y, x) of the map of 4 x 4 enlarged to 16 x 16, by the definition of bilinear interpolation. */
static double enlarged(const float *map, int y, int x, int c)
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const double v = fmin(fmax((y + 0.5) / 4 - 0.5, 0), 3), u = fmin(fmax((x + 0.5) / 4 - 0.5, 0), 3);
            sum += fmax(1 - fabs(v - i), 0) * fmax(1 - fabs(u - j), 0) * (double)map[(i * 4 + j) * CLASSES + c];
        }
    return sum;
}

/* With the tokens of vpt and dvpt, which never reach the map. */
START_TEST(seg_linear_is_patch_linear_enlarged)
{
    static const char *const methods[] = { NULL, "vpt", "dvpt", "ept" };
    for (int k = 0; k < 4; k++) {
        tiny large = tiny_make(&(tiny_spec){ .method = methods[k], .model = heads[0] }),
            small = tiny_make(&(tiny_spec){ .method = methods[k], .model = "classes=3,head=patch_linear" });
        for (size_t i = 0; i < peft_model_param_count(large.model); i++) {
            const peft_tensor *from = peft_param_value(peft_model_param(large.model, i));
            memcpy(peft_tensor_data(peft_param_value(peft_model_param(small.model, i))), from->data,
                   pf_tensor_bytes(from));
        }
        tiny_batch b = tiny_first_batch(large.model, N);
        peft_tensor *pixels = tiny_logits(large.model, N), *patches = tiny_tensor(large.ctx, PEFT_F32, 4, N, 4, 4, 3);
        peft_session *s = tiny_session(large.model, "batch=%d", N), *p = tiny_session(small.model, "batch=%d", N);
        OK(peft_session_predict(s, b.images, pixels));
        OK(peft_session_predict(p, b.images, patches));
        const float *x = peft_tensor_cdata(pixels), *map = peft_tensor_cdata(patches);
        for (int i = 0; i < N * SIDE * SIDE * CLASSES; i++) {
            const int pixel = i / CLASSES % (SIDE * SIDE);
            const double want = enlarged(map + i / (SIDE * SIDE * CLASSES) * 4 * 4 * CLASSES, pixel / SIDE,
                                         pixel % SIDE, i % CLASSES);
            ck_assert_double_eq_tol((double)x[i], want, 1e-5);
        }
        peft_session_free(s);
        peft_session_free(p);
        peft_tensor_free(pixels);
        peft_tensor_free(patches);
        tiny_batch_free(&b);
        tiny_free(&large);
        tiny_free(&small);
    }
}
END_TEST

/* Steps on batches of 4 down to 1 images with evaluation. bytes: of arena and scratch of the training graph. */
static tiny_bits record(const tiny_spec *spec, const char *options, double *bytes)
{
    tiny t = tiny_make(spec);
    tiny_bits bits = { 0 };
    peft_trainer *r = tiny_trainer(t.model, "batch=4,lr=1e-2%s", options);
    *bytes = (double)pf_exec_bytes(&r->net.exec);
    for (int n = 4; n >= 1; n--) {
        tiny_batch b = tiny_batch_make(t.model, n, 2 * n);
        peft_tensor *logits = tiny_logits(t.model, n);
        OK(peft_trainer_backward(r, b.images, b.labels, b.ids));
        tiny_bits_tensor(&bits, "training logits", peft_trainer_logits(r));
        tiny_bits_grads(&bits, t.model);
        OK(peft_trainer_update(r));
        OK(peft_trainer_evaluate(r, b.images, logits));
        tiny_bits_tensor(&bits, "logits", logits);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
    }
    tiny_bits_training(&bits, r);
    peft_trainer_free(r);
    tiny_bits_logits(&bits, t.model);
    tiny_free(&t);
    return bits;
}

/* limit: 0 to 1, of the plan that the options have without a limit. */
START_TEST(executors_threads_limits_and_caches_give_the_same_bits)
{
    static const struct { const char *method, *options; double limit; } ways[] = {
        { "lora", ",executor=naive", 0 }, { "lora", ",threads=3", 0 }, { "lora", "", 0.9 }, { "vpt", "", 0.9 },
        { NULL, ",cache_features=4000000", 0 }, { NULL, ",executor=naive", 0 },
        { "full", ",executor=naive,threads=2", 0 }, { "ept", ",keep=f32,threads=2", 0.95 } };
    EACH_HEAD(h) for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const tiny_spec spec = { .threads = 1, .method = ways[i].method, .model = heads[h] };
        char options[96], limit[48] = "";
        double bytes, limited;
        tiny_bits plain = record(&spec, "", &bytes);
        if (ways[i].limit > 0) snprintf(limit, sizeof limit, ",memory_limit=%.0f", ways[i].limit * bytes);
        snprintf(options, sizeof options, "%s%s", ways[i].options, limit);
        tiny_bits other = record(&spec, options, &limited);
        tiny_same(&plain, &other, heads[h]);
        if (ways[i].limit > 0) ck_assert_double_le(limited, ways[i].limit * bytes);
        tiny_bits_free(&plain);
    }
}
END_TEST

/* Each method with one of the heads. */
START_TEST(every_method_gives_the_same_bits_in_the_naive_executor)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        const tiny_spec spec = { .method = tiny_method_name(i), .model = heads[i % HEADS] };
        double bytes;
        if (tiny_method(i)->network) continue;            /* it makes the logits itself */
        tiny_bits plain = record(&spec, "", &bytes), naive = record(&spec, ",executor=naive,threads=2", &bytes);
        tiny_same(&plain, &naive, spec.method);
        tiny_bits_free(&plain);
    }
}
END_TEST

START_TEST(files_hold_head_and_statistics)
{
    EACH_HEAD(h) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = heads[h] });
        peft_trainer *r = tiny_trainer(t.model, "batch=2,lr=0.01");
        tiny_step(r, 2, 0);
        tiny_step(r, 1, 2);                               /* batch norm has a row for each pixel */
        peft_trainer_free(r);
        const char *path = tiny_path("seg.safetensors");
        peft_model *loaded;
        OK(peft_model_save(t.model, path));
        OK(peft_model_load(t.backbone, path, &loaded));
        tiny_bits saved = { 0 }, read = { 0 };
        tiny_bits_model(&saved, t.model);
        tiny_bits_logits(&saved, t.model);
        tiny_bits_model(&read, loaded);
        tiny_bits_logits(&read, loaded);
        tiny_same(&saved, &read, heads[h]);
        tiny_bits_free(&saved);
        peft_model_free(loaded);
        peft_backbone *merged;
        FAILS(PEFT_E_UNSUPPORTED, "cannot be merged", peft_model_merge(t.model, &merged));
        FAILS(PEFT_E_UNSUPPORTED, "has no form in PEFT", peft_model_save_hf(t.model, tiny_path("hf"), NULL));
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

static void refuse_model(const char *message, const char *options)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    peft_options *o = tiny_options(ctx, "classes=3,%s", options);
    peft_model *m;
    FAILS(PEFT_E_OPTION, message, peft_model_create(b, o, &m));
    peft_options_free(o);
    peft_backbone_free(b);
    peft_context_free(ctx);
}

START_TEST(options_without_meaning_are_refused)
{
    static const char blocks[] = "expected auto, or one to 4 numbers of blocks from 0 to 2 in rising order";
    refuse_model("pool: given 'mean', which has no effect", "head=setr_pup,pool=mean");
    refuse_model("head_width: given '8', which has no effect", "head=seg_linear,head_width=8");
    refuse_model("head_blocks: given '[0, 1]', which has no effect", "head=setr_pup,head_blocks=[0, 1]");
    refuse_model("head_width: given 5, expected an even number", "head=seg_mla,head_width=5");
    refuse_model("head_init", "head=seg_mla,head_init=large");
    refuse_model(blocks, "head=seg_mla,head_blocks=[1, 1]");
    refuse_model(blocks, "head=seg_mla,head_blocks=[2, 1]");
    refuse_model(blocks, "head=seg_mla,head_blocks=[0, 3]");
    refuse_model(blocks, "head=seg_mla,head_blocks=[-1]");
    refuse_model(blocks, "head=seg_mla,head_blocks=first");
    refuse_model(blocks, "head=seg_mla,head_blocks=[]");
}
END_TEST

/* The blocks that seg_mla reads by default, and those given: their tensors, and that no other block reaches the map. */
START_TEST(seg_mla_reads_the_blocks_it_is_told)
{
    static const struct { const char *depth, *given; int levels, last; } rows[] = {
        { "depth=12", "", 4, 11 }, { "depth=2", "", 2, 1 }, { "depth=6", ",head_blocks=[1, 3]", 2, 3 } };
    static const int64_t of_12[] = { 2, 5, 8, 11 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char head[96];
        snprintf(head, sizeof head, "%s%s", heads[3], rows[i].given);
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].depth, .method = "bitfit", .model = head });
        ck_assert_int_eq(t.model->spec.blocks, rows[i].levels);
        if (!i) ck_assert_mem_eq(t.model->spec.block, of_12, sizeof of_12);
        char name[48];
        snprintf(name, sizeof name, "head.level.%d.proj.weight", rows[i].levels - 1);
        ck_assert_ptr_nonnull(peft_model_find_param(t.model, name));
        snprintf(name, sizeof name, "head.level.%d.proj.weight", rows[i].levels);
        ck_assert_ptr_null(peft_model_find_param(t.model, name));
        tiny_batch b = tiny_first_batch(t.model, 2);
        peft_trainer *r = tiny_trainer(t.model, "batch=2");
        OK(peft_trainer_backward(r, b.images, b.labels, NULL));
        for (int l = 0; l < (int)t.backbone->shape.depth; l++) {
            double largest = 0;
            snprintf(name, sizeof name, "blocks.%d.mlp.fc2.bias", l);
            const peft_tensor *g = peft_param_grad(peft_model_find_param(t.model, name));
            const float *x = peft_tensor_cdata(g);
            for (int64_t k = 0; k < peft_tensor_count(g); k++) largest = fmax(largest, fabs((double)x[k]));
            ck_assert_msg((largest > 0) == (l <= rows[i].last), "%s: gradient of %s %g", head, name, largest);
        }
        peft_trainer_free(r);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

static void refuse_adaptor(peft_model *m, const char *kind, const char *message)
{
    peft_adaptor *a;
    peft_options *o = tiny_options(m->backbone->ctx, "kind=%s,batch=2", kind);
    FAILS(PEFT_E_UNSUPPORTED, message, peft_adaptor_create(m, o, &a));
    peft_options_free(o);
}

START_TEST(maps_and_adaptation_refuse_what_they_cannot_do)
{
    EACH_HEAD(h) {
        tiny t = tiny_make(&(tiny_spec){ .model = heads[h] });
        static const char *const kinds[] = { "cam", "occlusion" };
        for (int k = 0; k < 2; k++) {
            peft_maps *maps;
            peft_options *o = tiny_options(t.ctx, "kind=%s", kinds[k]);
            FAILS(PEFT_E_UNSUPPORTED, "predicts a map of classes", peft_maps_create(t.model, o, &maps));
            peft_options_free(o);
        }
        refuse_adaptor(t.model, "t3a", "pooled feature");
        refuse_adaptor(t.model, "foa", "does not read it");
        if (t.model->head->reads == PF_READS_BLOCKS) {
            refuse_adaptor(t.model, "foa_bp", "reads the tokens of several blocks");
            peft_options *o = tiny_options(t.ctx, "taps=feature");
            peft_session *s;
            FAILS(PEFT_E_NOTFOUND, "taps 'feature'", peft_session_create(t.model, o, &s));
            peft_options_free(o);
        }
        tiny_free(&t);
    }
}
END_TEST

/* A map of one pixel and one image are one row, which batch norm cannot train on; two images, or four pixels, can. */
START_TEST(batch_norm_needs_two_rows)
{
    static const struct { int side, batch; } rows[] = { { 8, 1 }, { 8, 2 }, { 16, 1 } };
    for (int i = 0; i < 3; i++) {
        char more[60];
        snprintf(more, sizeof more, "patch=8,image_size=%d", rows[i].side);
        tiny t = tiny_make(&(tiny_spec){ .more = more, .model = "classes=3,head=setr_pup,head_width=4" });
        peft_options *o = tiny_options(t.ctx, "batch=%d", rows[i].batch);
        peft_trainer *x = NULL;
        if (i) OK(peft_trainer_create(t.model, o, &x));
        else FAILS(PEFT_E_SHAPE, "expected two rows or more, samples times pixels of a map, as batch norm cannot "
                   "train on one: take a larger batch or, with maps, a larger image",
                   peft_trainer_create(t.model, o, &x));
        peft_trainer_free(x);
        peft_options_free(o);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("heads of pixels", logits_and_labels_are_maps_of_the_input, seg_linear_is_patch_linear_enlarged,
           executors_threads_limits_and_caches_give_the_same_bits,
           every_method_gives_the_same_bits_in_the_naive_executor, files_hold_head_and_statistics,
           options_without_meaning_are_refused, seg_mla_reads_the_blocks_it_is_told,
           maps_and_adaptation_refuse_what_they_cannot_do, batch_norm_needs_two_rows)
