/* SPDX-License-Identifier: Apache-2.0
 * cache_fixture.h -- fixture of the tests of the feature cache: short trainings with and without a cache, and reading
 * and writing of whole cache files. */
#ifndef CACHE_FIXTURE_H
#define CACHE_FIXTURE_H
#include "failing_alloc.h"
#include "tiny_bits.h"

enum { HEADER = 128, SAMPLES = 8 };                      /* bytes of the cache file's header; samples of a training */

/* Trains two epochs of SAMPLES samples, four a step; records the state in bits and the cache hits in *hits (NULL: not
 * wanted). Fails if the trainer cannot be created. */
static inline peft_status train(const tiny_spec *spec, const char *options, tiny_bits *bits, double *hits)
{
    tiny t = tiny_make(spec);
    peft_trainer *x = NULL;
    peft_options *o = tiny_options(t.ctx, "batch=4,lr=1e-2%s%s", *options ? "," : "", options);
    peft_status s = peft_trainer_create(t.model, o, &x);
    for (int step = 0; !s && step < 4; step++) {
        const int first = step % 2 * 4;                      /* samples 0 to 3, then 4 to 7 */
        tiny_batch b = tiny_batch_make(t.model, 4, first);
        OK(peft_trainer_step(x, b.images, b.labels, b.ids));
        tiny_batch_free(&b);
    }
    if (!s) tiny_bits_training(bits, x);
    if (!s && hits) *hits = peft_trainer_get(x, "cache_hits");
    peft_trainer_free(x);
    peft_options_free(o);
    tiny_free(&t);
    return s;
}

/* The state after such a training; the number of cache hits in *hits. */
static inline tiny_bits trained_hits(const tiny_spec *spec, const char *options, double *hits)
{
    tiny_bits bits = { 0 };
    OK(train(spec, options, &bits, hits));
    return bits;
}

/* The same without the number of hits. */
static inline tiny_bits trained(const tiny_spec *spec, const char *options)
{
    return trained_hits(spec, options, NULL);
}

/* Trainer options for a cache file; limit: its size in bytes, and further options after a comma, such as
 * "5000,cache_type=f16". The last two results stay valid. */
static inline const char *cache_with(const char *path, const char *limit)
{
    static char text[2][256];
    static int calls;
    char *p = text[calls++ % 2];
    snprintf(p, sizeof text[0], "cache_file=\"%s\",cache_features=%s", path, limit);
    return p;
}

/* Trainer options for a cache file that holds all samples of a training. */
static inline const char *cache_at(const char *path) { return cache_with(path, "4000000"); }

/* The bytes of a file; the reader frees data. */
typedef struct { char *data; size_t size; } contents;

static inline contents read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    contents c = { .size = (size_t)ftell(f) };
    rewind(f);
    c.data = malloc(c.size + 1);
    ck_assert_uint_eq(fread(c.data, 1, c.size, f), c.size);
    fclose(f);
    return c;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* Asserts that two records are equal; frees b, which may be the result of a call. */
static inline void same(const tiny_bits *a, tiny_bits b, const char *who) { tiny_same(a, &b, who); }

/* Creating a trainer with these options fails with this status and a message that contains word. */
static inline void refused(const tiny_spec *spec, const char *options, peft_status status, const char *word)
{
    tiny_bits none = { 0 };
    peft_status s = train(spec, options, &none, NULL);
    ck_assert_msg(s == status && strstr(peft_last_error(), word), "%s(%s) on %s with %s: %s: %s", spec->method,
                  spec->adapter ? spec->adapter : "", spec->more ? spec->more : "", options, peft_status_name(s),
                  peft_last_error());
}

/* Creates a tiny model in ctx and trains two steps, the second without images; arg: the trainer's options. */
static inline peft_status train_in_context(peft_context *ctx, void *arg)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL;
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    peft_trainer *x = NULL;
    peft_tensor *images = NULL, *labels = NULL;
    const int64_t ids[2] = { 3, 9 };
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=8,depth=2,heads=2");
    if (!s) s = peft_backbone_create(ctx, o, &b);
    peft_options_free(o), o = NULL;
    if (!s) s = peft_adapter_create(b, "linear", NULL, &a);
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "classes=2");
    if (!s) s = peft_model_create(b, o, &m);
    peft_options_free(o), o = NULL;
    if (!s) s = peft_model_attach(m, a);
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, arg);
    if (!s) s = peft_trainer_create(m, o, &x);
    if (!s) s = peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 2, 3, 8, 8 }, &images);
    if (!s) s = peft_tensor_create(ctx, PEFT_I64, 1, (int64_t[]){ 2 }, &labels);
    for (int i = 0; i < 2 && !s; i++) s = peft_trainer_step(x, i ? NULL : images, labels, ids);
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_trainer_free(x);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_options_free(o);
    return s;
}

/* The model of most tests: its whole backbone is frozen, so that the cache keeps the features that the head reads. */
static const tiny_spec linear_probe __attribute__((unused)) = { .method = "linear" };
#endif
