/* SPDX-License-Identifier: Apache-2.0
 * evaluate.c -- peft_trainer_evaluate (logits in evaluation mode), and the short functions of peft/trainer.h about
 * inputs, logits and description. */
#include <string.h>
#include "core/graph/report/report.h"
#include "core/train/trainer.h"

/* Runs t->eval on chunks of its batch size, which is 1 for a trainer with a feature cache, else that of the trainer or,
 * under a memory limit, a divisor of it. A smaller chunk is filled up with zeros. */
peft_status peft_trainer_evaluate(peft_trainer *t, const peft_tensor *images, peft_tensor *logits)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(pf_trainer_ready(t));
    /* elements of an image and of its logits; samples in a run of t->eval */
    const int64_t image = pf_trainer_image_elements(t), out = pf_shape_count(&t->model->output), chunk = t->eval.batch;
    PF_TRY(pf_check_images(t->model, images, t->batch, &n));
    PF_TRY(pf_check_result(&t->model->output, logits, n));
    PF_TRY(pf_method_inputs_bind(&t->method_inputs, &t->eval, n));          /* fails here, before anything changes */
    const pk_real *pixels = pf_as_real(images, t->images);
    PF_TRY(pf_check_pixels(pixels, image, NULL, n));
    pf_forward_end(t);
    for (int64_t i = 0; i < n; i += chunk) {
        const int64_t samples = chunk < n - i ? chunk : n - i;
        const pk_real *read = pixels + i * image;
        if (samples < chunk) {                           /* the last chunk; those before it have been read */
            read = memmove(t->images, read, (size_t)(samples * image) * sizeof(pk_real));
            memset(t->images + samples * image, 0, (size_t)((chunk - samples) * image) * sizeof(pk_real));
        }
        PF_TRY(pf_method_inputs_bind_from(&t->method_inputs, &t->eval, n, i));
        pf_exec_bind_input(&t->eval.exec, t->eval.images, read);
        pf_exec_run(&t->eval.exec, 0, t->eval.exec.g.nodes);
        memcpy((pk_real *)logits->data + i * out, pf_exec_data(&t->eval.exec, t->eval.logits),
               (size_t)(samples * out) * sizeof(pk_real));
    }
    return PEFT_OK;
}

peft_status peft_trainer_input(peft_trainer *t, const char *name, const peft_tensor *value)
{
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL: expected a pointer");
    return pf_method_inputs_set(&t->method_inputs, name, value);
}

const peft_tensor *peft_trainer_logits(const peft_trainer *t)
{
    return t && t->logits_view.data ? &t->logits_view : NULL;
}

void peft_trainer_describe(const peft_trainer *t, peft_text_fn fn, void *user)
{
    if (!t || !fn) return;
    if (t->front.crossings) pf_exec_describe(&t->front.exec, fn, user);
    pf_exec_describe(&t->net.exec, fn, user);
}
