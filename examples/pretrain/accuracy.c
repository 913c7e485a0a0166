/* SPDX-License-Identifier: Apache-2.0
 * accuracy.c -- predicts a data set in batches and counts correct predictions (accuracy.h). */
#include "accuracy.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/settings.h"

enum { BATCH = 50 };

evaluator open_evaluator(peft_context *ctx, peft_model *m, peft_dataset *d, peft_transform *t)
{
    evaluator e;
    const int64_t n = BATCH;
    peft_options *o = empty_options(ctx);
    must(peft_options_set_int(o, "batch", n));
    must(peft_session_create(m, o, &e.session));
    peft_options_free(o);
    must(peft_loader_create(d, t, "batch=50", &e.loader));    /* 50: BATCH */
    e.images = new_images(ctx, t, n);
    must(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ n, peft_model_classes(m) }, &e.logits));
    must(peft_tensor_create(ctx, PEFT_I64, 1, &n, &e.labels));
    return e;
}

/* Counts the rows of logits [n, classes] whose largest value is at the label. */
static int64_t count_right(const float *logits, const int64_t *labels, int64_t n, int64_t classes)
{
    int64_t right = 0;
    for (int64_t i = 0; i < n; i++, logits += classes) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) if (logits[c] > logits[best]) best = c;
        right += best == labels[i];
    }
    return right;
}

double test_accuracy(evaluator *e)
{
    const int64_t epoch = 0;                                  /* any: the loader does not shuffle */
    int64_t right = 0, total = 0, n;                          /* n: images in a batch, < BATCH in the last one */
    for (int64_t i = 0; i < peft_loader_batches(e->loader); i++, total += n) {
        must(peft_loader_read(e->loader, epoch, i, e->images, e->labels, NULL, &n));
        must(peft_session_predict(e->session, e->images, e->logits));
        right += count_right(peft_tensor_cdata(e->logits), peft_tensor_cdata(e->labels), n,
                             peft_tensor_dim(e->logits, 1));
    }
    return (double)right / (double)total;
}

void close_evaluator(evaluator *e)
{
    peft_session_free(e->session);
    peft_loader_free(e->loader);
    peft_tensor_free(e->images);
    peft_tensor_free(e->labels);
    peft_tensor_free(e->logits);
}
