/* SPDX-License-Identifier: Apache-2.0
 * adaptors.h -- fixture of the tests of adaptors: adaptors of small models, made of options as text, and calls on
 * batches of random images. The tests loop over all kinds (peft_adaptor_kind_name). */
#ifndef ADAPTORS_H
#define ADAPTORS_H
#include "core/tta/adaptor.h"
#include "tiny.h"

enum { ADAPT_BATCH = 6 };

/* Runs the following statement for every kind; name is its name. */
#define FOR_KINDS(name) for (size_t k_ = 0; k_ < peft_adaptor_kind_count(); k_++) \
    for (const char *name = peft_adaptor_kind_name(k_); name; name = NULL)

/* Further options with which a kind changes much in few batches. */
static inline const char *quick(const char *kind)
{
    static const char *const options[][2] = { { "tent", ",lr=0.05" }, { "t3a", ",filter=3" },
                                              { "vptta", ",size=3,bank=3,nearest=2" } };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(kind, options[i][0])) return options[i][1];
    return "";
}

__attribute__((format(printf, 2, 3)))
static inline peft_adaptor *adaptor_make(peft_model *m, const char *format, ...)
{
    va_list ap;
    peft_adaptor *a;
    va_start(ap, format);
    peft_options *o = tiny_options_v(m->backbone->ctx, format, ap);
    va_end(ap);
    OK(peft_adaptor_create(m, o, &a));
    peft_options_free(o);
    return a;
}

/* Asserts that no adaptor can be made with these options. */
static inline void adaptor_refused(peft_model *m, peft_status status, const char *text, const char *options)
{
    peft_adaptor *a = NULL;
    peft_options *o = tiny_options(m->backbone->ctx, "%s", options);
    FAILS(status, text, peft_adaptor_create(m, o, &a));
    ck_assert_ptr_null(a);
    peft_options_free(o);
}

/* Test images are brighter than the training images and have less contrast. */
static inline tiny_batch shifted_batch(const peft_model *m, int n, int first)
{
    tiny_batch b = tiny_batch_make(m, n, first);
    float *x = peft_tensor_data(b.images);
    for (int64_t i = 0; i < peft_tensor_count(b.images); i++) x[i] = 0.4f * x[i] + 1.2f;
    return b;
}

/* If the kind needs them, gives the training images first .. first + n - 1. These are tiny_batch's images from 500 on,
 * so that they are other ones than the test images of adapt_on. */
static inline void give_source(peft_adaptor *a, int n, int first)
{
    if (!a->taps) return;
    tiny_batch b = tiny_batch_make(a->model, n, 500 + first);
    OK(peft_adaptor_source(a, b.images));
    tiny_batch_free(&b);
}

/* An adaptor of this kind that can predict: it has statistics of training images if it needs them. */
static inline peft_adaptor *ready_adaptor(peft_model *m, const char *kind, const char *more)
{
    peft_adaptor *a = adaptor_make(m, "kind=%s,batch=%d%s%s", kind, ADAPT_BATCH, quick(kind), more);
    give_source(a, ADAPT_BATCH, 0);
    return a;
}

/* A new tensor with the logits of shifted images first .. first + n - 1, on which a adapts. */
static inline peft_tensor *adapt_on(peft_adaptor *a, int n, int first)
{
    int64_t dims[1 + PF_MAX_RANK] = { n };
    peft_tensor *logits;
    tiny_batch b = shifted_batch(a->model, n, first);
    memcpy(dims + 1, a->model->output.dim, (size_t)a->model->output.ndim * sizeof *dims);
    OK(peft_tensor_create(a->ctx, PEFT_F32, 1 + a->model->output.ndim, dims, &logits));
    OK(peft_adaptor_predict(a, b.images, logits));
    tiny_batch_free(&b);
    return logits;
}

/* For peft_adaptor_describe; user: char [LINE_BYTES], empty at first, gets the first line. */
enum { LINE_BYTES = 200 };
static inline void keep_first_line(const char *line, void *user)
{
    if (!*(char *)user) snprintf(user, LINE_BYTES, "%s", line);
}

/* Asserts that two tensors have the same bytes, and frees both. */
static inline void same_tensors(peft_tensor *x, peft_tensor *y, const char *what)
{
    ck_assert_int_eq(peft_tensor_count(x), peft_tensor_count(y));
    ck_assert_msg(!memcmp(peft_tensor_cdata(x), peft_tensor_cdata(y), pf_tensor_bytes(x)), "%s: other bits", what);
    peft_tensor_free(x);
    peft_tensor_free(y);
}

static inline double figure(const peft_adaptor *a, const char *name)
{
    double v;
    OK(peft_adaptor_get_float(a, name, &v));
    return v;
}

/* Asserts that x and y give the same bits on a few batches, the last of which is smaller. */
static inline void same_adaptation(peft_adaptor *x, peft_adaptor *y, int first, const char *what)
{
    for (int i = 0; i < 3; i++) {
        const int n = i == 2 ? ADAPT_BATCH / 2 : ADAPT_BATCH;
        same_tensors(adapt_on(x, n, first + 10 * i), adapt_on(y, n, first + 10 * i), what);
    }
}
#endif
