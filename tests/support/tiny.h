/* SPDX-License-Identifier: Apache-2.0
 * tiny.h -- fixture of the tests of models and training: small random backbones, adapters, models, trainers, sessions
 * and batches, and a temporary folder. */
#ifndef TINY_H
#define TINY_H
#include <ftw.h>
#include <peft/peft.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/store/state.h"
#include "core/train/trainer.h"
#include "gated_prompt.h"
#include "masked_prompt.h"
#include "methods/methods.h"
#include "suite.h"

#define OK(call) \
    do { \
        peft_status s_ = (call); \
        ck_assert_msg(s_ == PEFT_OK, "%s: %s: %s", #call, peft_status_name(s_), peft_last_error()); \
    } while (0)
/* Asserts that the call fails with this status and a message that contains text. */
#define FAILS(status, text, call) \
    do { \
        peft_status s_ = (call); \
        ck_assert_msg(s_ == (status), "%s: %s, expected %s", #call, peft_status_name(s_), #status); \
        ck_assert_msg(strstr(peft_last_error(), text) != NULL, "%s: no '%s' in: %s", #call, text, peft_last_error()); \
    } while (0)

/* Asserts that the call returns NULL and that its message contains text. First clears an earlier message. */
#define REFUSES(text, call) \
    do { \
        ck_assert_msg(peft_set_error(PEFT_OK, "") == PEFT_OK && (call) == NULL, "%s: not NULL", #call); \
        ck_assert_msg(strstr(peft_last_error(), text) != NULL, "%s: no '%s' in: %s", #call, text, peft_last_error()); \
    } while (0)

/* --- options ---------------------------------------------------------------------------------- */
/* New options, parsed from a text "name=value,..." that is formatted as by printf. */
static inline peft_options *tiny_options_v(peft_context *ctx, const char *format, va_list ap)
{
    char text[8192];
    peft_options *o;
    ck_assert_int_lt(vsnprintf(text, sizeof text, format, ap), (int)sizeof text);
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, text));
    return o;
}

__attribute__((format(printf, 2, 3)))
static inline peft_options *tiny_options(peft_context *ctx, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    peft_options *o = tiny_options_v(ctx, format, ap);
    va_end(ap);
    return o;
}

/* --- methods: the library's, and two that are registered as an application would do ---------------- */
static inline peft_context *tiny_register(peft_context *ctx)
{
    OK(peft_sys_register_method(ctx, &gated_prompt, PEFT_METHOD_ABI));
    OK(peft_sys_register_method(ctx, &masked_prompt, PEFT_METHOD_ABI));
    return ctx;
}
/* Method i of the library's and then the two others, i < tiny_method_count(). */
static inline size_t tiny_method_count(void) { return peft_method_count() + 2; }
static inline const peft_method *tiny_method(size_t i)
{
    if (i < peft_method_count()) return pf_methods[i];
    return i == peft_method_count() ? &gated_prompt : &masked_prompt;
}
static inline const char *tiny_method_name(size_t i) { return tiny_method(i)->name; }
static inline const peft_method *tiny_method_named(const char *name)
{
    const peft_method *m = pf_method_in(pf_methods, name);
    if (m) return m;
    return !strcmp(name, gated_prompt.name) ? &gated_prompt : &masked_prompt;
}
/* Option i of a method; NULL after the last. */
static inline const peft_option *tiny_method_option(const char *name, size_t i)
{
    const peft_option *o = tiny_method_named(name)->opts;
    for (; o && o->name && i; i--) o++;
    return o && o->name ? o : NULL;
}

static inline bool tiny_has_option(const char *method, const char *name)
{
    const peft_option *row;
    for (size_t i = 0; (row = tiny_method_option(method, i)); i++) if (!strcmp(row->name, name)) return true;
    return false;
}

/* The options `more` (NULL: none); size options of the method that `more` does not set get the small values of this
 * table. */
static inline peft_options *tiny_method_options(peft_context *ctx, const char *method, const char *more)
{
    static const char *const small[][2] = {
        { "length", "3" }, { "tokens", "3" }, { "prompts", "3" }, { "r", "2" }, { "bottleneck", "6" },
        { "hidden", "6" }, { "width", "3" }, { "reduction", "4" }, { "side_image", "16" }, { "classes", "3" } };
    peft_options *o = tiny_options(ctx, "%s", more ? more : "");
    const peft_option *row;
    for (size_t i = 0; (row = tiny_method_option(method, i)); i++)
        for (size_t k = 0; k < sizeof small / sizeof *small; k++)
            if (!strcmp(row->name, small[k][0]) && row->type == 'i' && !pf_options_has(o, row->name))
                OK(peft_options_set_string(o, row->name, small[k][1]));
    return o;
}

/* --- a backbone, a method, a model ------------------------------------------------------------ */
#define TINY_BACKBONE "image_size=16,patch=4,width=48,depth=3,heads=3,classes=5"
/* A network so wide that the library splits its operations into several tasks of the thread pool. */
#define TINY_WIDE     "image_size=64,patch=8,width=192,depth=2,heads=3,classes=5"

typedef struct tiny_spec {
    const char *isa;                     /* NULL: the best that the CPU has */
    int threads;                         /* 0: one thread */
    const char *backbone, *more;         /* options of the backbone (NULL: TINY_BACKBONE), and further ones */
    const char *method, *adapter;        /* the method (NULL: no adapter) and its options */
    const char *model;                   /* options of the model; NULL: "classes=3" */
} tiny_spec;

typedef struct tiny { peft_context *ctx; peft_backbone *backbone; peft_adapter *adapter; peft_model *model; } tiny;

/* isa NULL: the best that the CPU has. */
static inline peft_context *tiny_context(const char *isa, int threads)
{
    peft_context *ctx;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    OK(peft_context_set_threads(ctx, threads ? threads : 1));
    OK(peft_context_set_seed(ctx, 7));
    if (isa) OK(peft_context_set_isa(ctx, isa));
    OK(peft_context_set_gemm(ctx, "own"));                   /* with plain C kernels "auto" would choose the BLAS */
    return tiny_register(ctx);
}

/* One thread, the best instruction set. */
static inline peft_context *tiny_plain_context(void) { return tiny_context(NULL, 1); }

/* first: options of the backbone (NULL: TINY_BACKBONE); more: further ones, or NULL. */
static inline peft_backbone *tiny_backbone(peft_context *ctx, const char *first, const char *more)
{
    peft_backbone *b;
    const char *comma = more && *more ? "," : "";
    peft_options *o = tiny_options(ctx, "%s%s%s", first ? first : TINY_BACKBONE, comma, more ? more : "");
    OK(peft_backbone_create(ctx, o, &b));
    peft_options_free(o);
    return b;
}

/* A backbone of TINY_BACKBONE. */
static inline peft_backbone *tiny_default_backbone(peft_context *ctx) { return tiny_backbone(ctx, NULL, NULL); }

/* options: those of the method, or NULL; its sizes are small (tiny_method_options). */
static inline peft_adapter *tiny_adapter(peft_backbone *b, const char *method, const char *options)
{
    peft_adapter *a;
    peft_options *o = tiny_method_options(b->ctx, method, options);
    OK(peft_adapter_create(b, method, o, &a));
    peft_options_free(o);
    return a;
}

/* options NULL: "classes=3". */
static inline peft_model *tiny_model(peft_backbone *b, const char *options)
{
    peft_model *m;
    peft_options *o = tiny_options(b->ctx, "%s", options ? options : "classes=3");
    OK(peft_model_create(b, o, &m));
    peft_options_free(o);
    return m;
}

/* Options of the model: `options`, or those with the head that a method with a side network needs. */
static inline const char *tiny_head(const char *method, const char *options)
{
    return method && tiny_method_named(method)->network ? "classes=3,head=side_encoder" : options;
}

/* A tap is an intermediate value that a session returns by name (peft_session_tap). A method that replaces the
 * backbone's network by its own (side network) has no taps. */
static inline bool tiny_has_taps(const peft_adapter *a) { return !a || !a->method->network; }

/* Pseudorandom number i of a stream, in -1..1. */
static inline double tiny_random(uint64_t stream, uint64_t i)
{
    uint64_t x = (stream + 1) * 0xBF58476D1CE4E5B9u ^ (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 31) * 0x94D049BB133111EBu;
    x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9u;
    return (double)((x ^ x >> 32) >> 11) / 0x1p52 - 1;
}

/* The stream of a tensor's name, a hash: tensors of different names get different random numbers. */
static inline uint64_t tiny_stream(const char *name)
{
    uint64_t h = 5381;
    for (; *name; name++) h = h * 33 + (unsigned char)*name;
    return h;
}

/* Adds pseudorandom numbers in -amplitude..amplitude to a tensor; they depend on the name only. */
static inline void tiny_perturb_tensor(peft_tensor *t, const char *name, double amplitude)
{
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++)
        x[i] += (pk_real)(amplitude * tiny_random(tiny_stream(name), (uint64_t)i));
}

/* Adds pseudorandom numbers to all parameters: an initial zero would hide errors in what it is multiplied with. */
static inline void tiny_perturb(peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        tiny_perturb_tensor(peft_param_value(p), peft_param_name(p), 0.05);
    }
}

/* Sets context and backbone of t. Those of the last call are used again if s asks for the same, since drawing random
 * weights takes most of a test's time. */
static inline void tiny_base(const tiny_spec *s, tiny *t)
{
    static char cached_key[256];
    static tiny cached;
    char key[sizeof cached_key];
    snprintf(key, sizeof key, "%s %d %s %s", s->isa ? s->isa : "", s->threads, s->backbone ? s->backbone : "",
             s->more ? s->more : "");
    if (strcmp(key, cached_key)) {
        peft_backbone_free(cached.backbone);
        peft_context_free(cached.ctx);
        cached.ctx = tiny_context(s->isa, s->threads);
        cached.backbone = tiny_backbone(cached.ctx, s->backbone, s->more);
        memcpy(cached_key, key, sizeof cached_key);
    }
    t->ctx = pf_context_retain(cached.ctx);
    t->backbone = pf_backbone_retain(cached.backbone);
}

/* The objects of a spec; all parameters have random values. */
static inline tiny tiny_make(const tiny_spec *s)
{
    tiny t = { 0 };
    tiny_base(s, &t);
    t.model = tiny_model(t.backbone, tiny_head(s->method, s->model));
    if (s->method) {
        t.adapter = tiny_adapter(t.backbone, s->method, s->adapter);
        OK(peft_model_attach(t.model, t.adapter));
    }
    tiny_perturb(t.model);
    return t;
}

static inline void tiny_free(tiny *t)
{
    peft_adapter_free(t->adapter);
    peft_model_free(t->model);
    peft_backbone_free(t->backbone);
    peft_context_free(t->ctx);
}

__attribute__((format(printf, 2, 3)))
static inline peft_trainer *tiny_trainer(peft_model *m, const char *format, ...)
{
    va_list ap;
    peft_trainer *t;
    va_start(ap, format);
    peft_options *o = tiny_options_v(m->backbone->ctx, format, ap);
    va_end(ap);
    OK(peft_trainer_create(m, o, &t));
    peft_options_free(o);
    return t;
}

__attribute__((format(printf, 2, 3)))
static inline peft_session *tiny_session(peft_model *m, const char *format, ...)
{
    va_list ap;
    peft_session *s;
    va_start(ap, format);
    peft_options *o = tiny_options_v(m->backbone->ctx, format, ap);
    va_end(ap);
    OK(peft_session_create(m, o, &s));
    peft_options_free(o);
    return s;
}

/* Asserts that the session has the tap. */
static inline const peft_tensor *tiny_tap(peft_session *s, const char *name)
{
    const peft_tensor *t = peft_session_tap(s, name);
    ck_assert_msg(t != NULL, "tap %s: %s", name, peft_last_error());
    return t;
}

/* --- data ------------------------------------------------------------------------------------- */
/* A new tensor of zeros; its ndim extents follow as int. */
static inline peft_tensor *tiny_tensor(peft_context *ctx, peft_dtype type, int ndim, ...)
{
    int64_t dims[PEFT_MAX_DIMS];
    peft_tensor *t;
    va_list ap;
    va_start(ap, ndim);
    for (int i = 0; i < ndim; i++) dims[i] = va_arg(ap, int);
    va_end(ap);
    OK(peft_tensor_create(ctx, type, ndim, dims, &t));
    return t;
}

/* Up to 16 images with the sample ids first, first + 1, ..., labels for the loss ce and targets for bce, in the shape
 * of the model's output (for a model without a head: one class). */
typedef struct tiny_batch { peft_tensor *images, *labels, *targets; int64_t ids[16]; } tiny_batch;

static inline tiny_batch tiny_batch_make(const peft_model *m, int n, int first)
{
    const pf_grid sides = m->backbone->shape.image;
    const pf_shape out = m->classes ? m->output : pf_shape_of(1, (int64_t)1);
    const int64_t image_size = 3 * sides.h * sides.w, classes = out.dim[out.ndim - 1];
    const int64_t outputs = pf_shape_count(&out) / classes;             /* predictions for one image */
    peft_context *ctx = m->backbone->ctx;
    int64_t dims[1 + PF_MAX_RANK] = { n };
    memcpy(dims + 1, out.dim, (size_t)out.ndim * sizeof *dims);
    tiny_batch b = { .images = tiny_tensor(ctx, PEFT_F32, 4, n, 3, (int)sides.h, (int)sides.w) };
    OK(peft_tensor_create(ctx, PEFT_I64, out.ndim, dims, &b.labels));
    OK(peft_tensor_create(ctx, PEFT_F32, 1 + out.ndim, dims, &b.targets));
    float *x = peft_tensor_data(b.images), *y = peft_tensor_data(b.targets);
    int64_t *label = peft_tensor_data(b.labels);
    for (int64_t i = 0; i < n; i++) {
        uint64_t sample = (uint64_t)(first + i);
        for (int64_t k = 0; k < image_size; k++)
            x[i * image_size + k] = (float)(2 * tiny_random(sample, (uint64_t)k));
        for (int64_t c = 0; c < outputs * classes; c++)
            y[i * outputs * classes + c] = tiny_random(sample + 1000, (uint64_t)c) > 0;
        for (int64_t k = 0; k < outputs; k++)
            label[i * outputs + k] = ((int64_t)(sample * 7 + 1) + k * 5) % classes;
        b.ids[i] = (int64_t)sample;
    }
    return b;
}

/* The same with the sample ids 0, 1, ..., n - 1. */
static inline tiny_batch tiny_first_batch(const peft_model *m, int n) { return tiny_batch_make(m, n, 0); }

static inline void tiny_batch_free(tiny_batch *b)
{
    peft_tensor_free(b->images);
    peft_tensor_free(b->labels);
    peft_tensor_free(b->targets);
}

/* One training step on samples first .. first + n - 1. */
static inline void tiny_step(peft_trainer *t, int n, int first)
{
    tiny_batch b = tiny_batch_make(t->model, n, first);
    OK(peft_trainer_step(t, b.images, t->loss.kind->labels == PF_LABEL_CLASS ? b.labels : b.targets, b.ids));
    tiny_batch_free(&b);
}

/* Asserts that no element is NaN or Inf; `who` names the tensor in the message. */
static inline void tiny_finite(const peft_tensor *t, const char *who)
{
    ck_assert_msg(pf_finite(peft_tensor_cdata(t), peft_tensor_count(t)), "%s: NaN or Inf", who);
}

/* --- files ------------------------------------------------------------------------------------ */
static char tiny_folder[64];

/* The path of `name` in this test's temporary folder, created at the first call. The last four results stay valid. */
static inline const char *tiny_path(const char *name)
{
    static char path[4][128];
    static int calls;
    if (!*tiny_folder) {
        bool memory = !access("/dev/shm", W_OK);
        snprintf(tiny_folder, sizeof tiny_folder, "%s/peft-tiny-XXXXXX", memory ? "/dev/shm" : "/tmp");
        ck_assert_ptr_nonnull(mkdtemp(tiny_folder));
    }
    snprintf(path[++calls % 4], sizeof path[0], "%s/%s", tiny_folder, name);
    return path[calls % 4];
}

/* Called by nftw for each file and folder. */
static inline int tiny_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* Removes the temporary folder. */
static inline void tiny_clean(void)
{
    if (*tiny_folder) nftw(tiny_folder, tiny_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *tiny_folder = 0;
}
#endif
