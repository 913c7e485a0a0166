/* SPDX-License-Identifier: Apache-2.0
 * step.c -- one training step: forward (forward.c), loss and backward; update/ does the rest. The gradient on the
 * logits is that of the table of losses, of the application's loss function, or given by the application. */
#include <math.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/train/trainer.h"

/* Sets *n to the number of samples of a batch. images may be NULL only where the ids say which features of the cache to
 * use and where nothing but the cached part of the graph reads images. */
static peft_status count_batch(const peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                               const int64_t *ids, int64_t *n)
{
    if (images || !t->front.crossings || t->reads_images) return pf_check_images(t->model, images, t->batch, n);
    if (!ids)
        return pf_fail(PEFT_E_INVALID, "images and sample_ids are both NULL: expected images, or the ids of samples "
                       "that are in the cache");
    if (!labels) return pf_fail(PEFT_E_INVALID, "labels is NULL: expected a tensor");
    if (labels->ndim < 1 || labels->dim[0] < 1 || labels->dim[0] > t->batch)
        return pf_fail(PEFT_E_SHAPE, "labels: given %lld samples, expected 1 to %lld",
                       labels->ndim < 1 ? 0LL : (long long)labels->dim[0], (long long)t->batch);
    *n = labels->dim[0];
    return PEFT_OK;
}

/* No label of this batch has an effect: there is no gradient, and running statistics, momentum and parameters stay. */
static peft_status pass_without_labels(peft_trainer *t, int64_t n)
{
    if (!t->warned_labels)
        pf_log(t->ctx, 1, "a batch at step %lld has no label that counts (class weight 0, or not judged): it changes "
               "nothing; further ones are not reported", (long long)t->step);
    t->warned_labels = true;
    pf_pending_add(t, n, false);
    return PEFT_OK;
}

/* What is known of this pass is not to be used: running statistics are as before the passes since the last update,
 * which are dropped. */
static peft_status drop(peft_trainer *t, peft_status s)
{
    pf_pending_buffers(t, true);
    t->pending = t->batches = 0;
    return s;
}

/* The gradient of the loss by the logits, which the backward pass begins with. */
static peft_tensor gradient_view(const peft_trainer *t)
{
    peft_tensor v = t->logits_view;
    v.data = pf_exec_data(&t->net.exec, t->net.exec.g.node[t->net.loss_node].out[1]);
    return v;
}

/* The application's loss of the logits, and its gradient. */
static peft_status own_loss(peft_trainer *t, const peft_tensor *labels, double *loss)
{
    peft_tensor gradient = gradient_view(t);
    const int64_t count = peft_tensor_count(&gradient);
    memset(gradient.data, 0, (size_t)count * sizeof(pk_real));
    *loss = NAN;
    pf_error_watch();
    t->inside = "loss function";
    const int stop = t->own.fn(&t->logits_view, labels, &gradient, loss, t->own.user);
    t->inside = NULL;
    if (stop) {
        const peft_status s = pf_stopped(t, "loss function", stop);
        pf_pending_buffers(t, true);
        if (t->batches) pf_pending_rewind(t);
        return s;
    }
    if (pf_finite(gradient.data, count)) return PEFT_OK;
    return drop(t, pf_fail(PEFT_E_NONFINITE, "loss function at step %lld: the gradient holds NaN or Inf; gradients "
                           "dropped, nothing updated", (long long)t->step));
}

/* The backward pass from the gradient that gradient_view shows; counts the pass. */
static peft_status finish(peft_trainer *t, double loss)
{
    const double start = pf_trainer_now();
    const int64_t n = t->forwarded;
    t->loss_sum = loss + (t->pending ? t->loss_sum : 0);
    t->last_loss = t->loss_sum / (double)(t->pending + 1);
    if (!isfinite(loss))
        return drop(t, pf_fail(PEFT_E_NONFINITE, "the loss is %s at step %lld: gradients dropped, nothing updated",
                               isnan(loss) ? "NaN" : "infinite", (long long)t->step));
    pf_exec_run(&t->net.exec, t->net.loss_node + 1, t->net.exec.g.nodes);
    t->seconds += pf_trainer_now() - start;
    pf_pending_add(t, n, true);
    return PEFT_OK;
}

/* One pass over a checked batch of n. */
static peft_status pass(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *ids,
                        int64_t n)
{
    pf_exec *e = &t->net.exec;
    const uint32_t at = t->net.loss_node;
    if (t->own.fn) {
        double loss;
        PF_TRY(pf_forward(t, images, ids, n, t->targets, false));
        PF_TRY(own_loss(t, labels, &loss));
        return finish(t, loss);
    }
    PF_TRY(pf_forward(t, images, ids, n, t->loss.kind->labels == PF_LABEL_CLASS ? labels->data
                      : pf_trainer_reals(labels, t->targets), false));
    pf_exec_run(e, at, at + 1);
    return finish(t, (double)pf_exec_data(e, t->net.loss)[0]);
}

peft_status peft_trainer_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                                  const int64_t *sample_ids)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    pf_labels l;
    PF_TRY(pf_trainer_ready(t));
    PF_TRY(count_batch(t, images, labels, sample_ids, &n));
    if (!t->own.fn) {
        PF_TRY(pf_labels_fit(&l, t->loss.kind->labels, labels, n, &t->model->output));
        PF_TRY(t->loss.kind->check(&l));
        if (!t->loss.kind->counts(&t->loss, &l)) return pass_without_labels(t, n);
    }
    const peft_status s = pass(t, images, labels, sample_ids, n);
    pf_forward_end(t);
    return s;
}

peft_status peft_trainer_set_loss(peft_trainer *t, peft_loss_fn fn, void *user)
{
    PF_TRY(pf_trainer_ready(t));
    t->own = (pf_own_loss){ fn, user };
    return PEFT_OK;
}

peft_status peft_trainer_forward(peft_trainer *t, const peft_tensor *images, const int64_t *sample_ids)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(pf_trainer_ready(t));
    PF_TRY(pf_check_images(t->model, images, t->batch, &n));
    const peft_status s = pf_forward(t, images, sample_ids, n, t->targets, true);
    if (s) pf_forward_end(t);
    return s;
}

peft_status peft_trainer_backward_logits(peft_trainer *t, const peft_tensor *gradient, double loss)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    if (!t->forwarded)
        return pf_fail(PEFT_E_STATE, "no logits to go back from: call peft_trainer_forward first, and nothing that "
                       "computes with this trainer between the two");
    PF_TRY(pf_check_samples(&t->model->output, "gradient", gradient, t->forwarded));
    const int64_t count = peft_tensor_count(gradient);
    peft_status s;
    if (!pf_finite(gradient->data, count))
        s = drop(t, pf_fail(PEFT_E_NONFINITE, "gradient: holds NaN or Inf at step %lld; gradients dropped, nothing "
                            "updated", (long long)t->step));
    else {
        memcpy(gradient_view(t).data, gradient->data, (size_t)count * sizeof(pk_real));
        s = finish(t, loss);
    }
    pf_forward_end(t);
    return s;
}

peft_status peft_trainer_step(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                              const int64_t *sample_ids)
{
    PF_TRY(peft_trainer_backward(t, images, labels, sample_ids));
    return pf_pending_count(t) >= t->accumulate ? peft_trainer_update(t) : PEFT_OK;
}
