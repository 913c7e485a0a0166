/* SPDX-License-Identifier: Apache-2.0
 * peft_dirs.h -- writes directories of Hugging Face's PEFT library for tests: safetensors files with tensors of given
 * names, and the text of adapter_config.json. */
#ifndef PEFT_DIRS_H
#define PEFT_DIRS_H
#include "core/interop/hf_dir.h"
#include "tiny_bits.h"

/* FRONT: what PEFT puts in front of every name. CONFIG: the text of adapter_config.json, further fields after targets.
 * QV: that of LoRA on query and value. */
#define FRONT PF_PEFT_FRONT
#define CONFIG(targets, ...) \
    "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 6, \"target_modules\": " targets __VA_ARGS__ "}"
#define QV CONFIG("[\"query\", \"value\"]")

/* A small backbone with 5 classes; more: further options, from a comma on. */
static inline peft_backbone *small_backbone(peft_context *ctx, const char *more)
{
    peft_options *o = tiny_options(ctx, "image_size=16,patch=4,width=48,depth=3,heads=3,mlp=192,classes=5%s", more);
    peft_backbone *b;
    OK(peft_backbone_create(ctx, o, &b));
    peft_options_free(o);
    return b;
}

/* A tensor of a directory, kept to compare with what is loaded. */
typedef struct peft_dir_entry { char name[160]; float *data; int64_t count; } peft_dir_entry;
/* A directory that a test writes: its path, the file of tensors, and the tensors in it. */
typedef struct peft_dir { char path[160]; pf_st_out *out; peft_dir_entry made[64]; size_t count; } peft_dir;

/* Makes the folder `name` in the test's temporary folder. */
static inline peft_dir *peft_dir_new(peft_context *ctx, const char *name)
{
    peft_dir *d = calloc(1, sizeof *d);
    ck_assert_ptr_nonnull(d);
    snprintf(d->path, sizeof d->path, "%s", tiny_path(name));
    ck_assert(!mkdir(d->path, 0777) || access(d->path, W_OK) == 0);
    OK(pf_st_out_create(ctx, &d->out));
    OK(pf_st_out_meta(d->out, "format", "pt"));
    return d;
}

/* Adds an f32 tensor of shape dims, such as "2x48"; its values are random numbers that depend on the name. */
__attribute__((format(printf, 3, 4)))
static inline void peft_dir_tensor(peft_dir *d, const char *dims, const char *format, ...)
{
    peft_dir_entry *t = &d->made[d->count++];
    int64_t dim[PEFT_MAX_DIMS];
    int ndim = 0;
    va_list ap;
    ck_assert_uint_le(d->count, 64);
    va_start(ap, format);
    vsnprintf(t->name, sizeof t->name, format, ap);
    va_end(ap);
    t->count = 1;
    for (char *p = (char *)(uintptr_t)dims; *p; ) {
        t->count *= dim[ndim++] = strtol(p, &p, 10);
        if (*p == 'x') p++;
    }
    t->data = malloc((size_t)t->count * sizeof *t->data);
    ck_assert_ptr_nonnull(t->data);
    for (int64_t i = 0; i < t->count; i++) t->data[i] = (float)(0.2 * tiny_random(tiny_stream(t->name), (uint64_t)i));
    OK(pf_st_out_tensor(d->out, t->name, PEFT_F32, ndim, dim, t->data));
}

/* Writes a text file into the directory. */
static inline void peft_dir_text(const peft_dir *d, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Writes the tensors and the configuration. */
static inline void peft_dir_write(peft_dir *d, const char *config)
{
    char path[200];
    snprintf(path, sizeof path, "%s/" PF_PEFT_TENSORS, d->path);
    OK(pf_st_out_write(d->out, path));
    peft_dir_text(d, PF_PEFT_CONFIG, config);
}

/* Asserts that a parameter has the values of tensor i. */
static inline void peft_dir_same(const peft_dir *d, size_t i, const peft_param *p, const char *who)
{
    const peft_tensor *v = peft_param_value((peft_param *)(uintptr_t)p);
    ck_assert_msg(v && peft_tensor_count(v) == d->made[i].count
                  && !memcmp(peft_tensor_cdata(v), d->made[i].data, (size_t)d->made[i].count * sizeof(float)),
                  "%s: the parameter differs from '%s' in the file", who, d->made[i].name);
}

static inline void peft_dir_free(peft_dir *d)
{
    for (size_t i = 0; i < d->count; i++) free(d->made[i].data);
    pf_st_out_free(d->out);
    free(d);
}

/* A new adapter of b. */
static inline peft_adapter *adapter_of(peft_backbone *b, const char *method, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_adapter *a;
    OK(peft_adapter_create(b, method, o, &a));
    peft_options_free(o);
    return a;
}

/* The contents of a file, NUL-terminated; the caller frees them. */
static inline char *peft_dir_file(const char *dir, const char *name, size_t *size)
{
    char path[240];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    *size = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}
#endif
