/* SPDX-License-Identifier: Apache-2.0
 * step.c -- the passes of a training step: forward (forward.c), loss and backward; update/update.c does the rest. The
 * gradient of the logits comes from a loss of the options, from the application's loss function, or from the
 * application itself (peft_trainer_backward_logits). */
#include <math.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/train/trainer.h"

/* Checks a batch and sets *n to its number of samples. images may be NULL if features are cached, sample_ids are given,
 * and no node after the frozen prefix reads images. */
static peft_status count_batch(const peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                               const int64_t *ids, int64_t *n)
{
    if (images || !t->front.crossings || t->net_reads_images) return pf_check_images(t->model, images, t->batch, n);
    if (!ids)
        return pf_fail(PEFT_E_INVALID, "images and sample_ids are both NULL: expected images, or the ids of samples "
                       "that are in the feature cache");
    if (!labels) return pf_fail(PEFT_E_INVALID, "labels is NULL: expected a tensor");
    if (labels->ndim < 1 || labels->dim[0] < 1 || labels->dim[0] > t->batch)
        return pf_fail(PEFT_E_SHAPE, "labels: given %lld samples, expected 1 to %lld",
                       labels->ndim < 1 ? 0LL : (long long)labels->dim[0], (long long)t->batch);
    *n = labels->dim[0];
    return PEFT_OK;
}

/* Counts a batch without a label that counts: each has class weight 0, is the option ignore_index, or is a target of -1
 * ("not judged", loss=bce). It is not computed, so that neither gradients nor running statistics change. */
static peft_status pass_without_labels(peft_trainer *t, int64_t n)
{
    if (!t->warned_no_label)
        pf_warn(t->ctx, "a batch at step %lld has no label that counts (class weight 0, ignored, or not judged): it "
                "changes nothing. Further such batches are not reported", (long long)t->step);
    t->warned_no_label = true;
    pf_pending_add_without_pass(t, n);
    return PEFT_OK;
}

/* Discards this pass and all pending ones, and restores the running statistics from before them. Returns s, the error
 * to report. */
static peft_status discard(peft_trainer *t, peft_status s)
{
    pf_pending_restore_buffers(t);
    t->pending = t->batches = 0;
    return s;
}

/* A view of the gradient of the logits in the graph (output 1 of the loss node), from which the backward pass
 * starts. */
static peft_tensor gradient_view(const peft_trainer *t)
{
    peft_tensor v = t->logits_view;
    v.data = pf_exec_data(&t->net.exec, t->net.exec.g.node[t->net.loss_node].out[1]);
    return v;
}

/* Calls the application's loss function, which sets *loss and the gradient of the logits. If it fails, this pass and
 * all pending ones are discarded, and the position in the data is as before them. */
static peft_status call_custom_loss(peft_trainer *t, const peft_tensor *labels, double *loss)
{
    peft_tensor gradient = gradient_view(t);
    const int64_t count = peft_tensor_count(&gradient);
    memset(gradient.data, 0, (size_t)count * sizeof(pk_real));
    *loss = NAN;
    pf_clear_failure();
    t->callback = "loss function";
    pk_float_restore(&t->caller_mode);
    const int returned = t->custom_loss.fn(&t->logits_view, labels, &gradient, loss, t->custom_loss.user);
    pk_float_default();
    t->callback = NULL;
    if (returned) {
        const peft_status s = pf_callback_failed(t, "loss function", returned);
        pf_pending_restore_buffers(t);                 /* what the forward pass of this batch changed */
        if (t->batches) pf_pending_rewind(t);          /* and the batches since the last update, if there are any */
        return s;
    }
    if (pf_finite(gradient.data, count)) return PEFT_OK;
    return discard(t, pf_fail(PEFT_E_NONFINITE, "loss function at step %lld: the gradient holds NaN or Inf; gradients "
                              "dropped, nothing updated", (long long)t->step));
}

/* The losses that methods added in the last forward pass. */
static double added_losses(const peft_trainer *t)
{
    return pf_exists(t->net.added) ? (double)pf_exec_data(&t->net.exec, t->net.added)[0] : 0;
}

/* Runs the backward pass from the gradient of the logits (gradient_view) and counts it. */
static peft_status run_backward(peft_trainer *t, double loss)
{
    const double start = pk_seconds();
    const int64_t n = t->forward_samples;
    t->pass_loss = loss;
    t->loss_sum = loss + (t->pending ? t->loss_sum : 0);
    t->last_loss = t->loss_sum / (double)(t->pending + 1);
    t->last_added = added_losses(t);
    if (!isfinite(loss))
        return discard(t, pf_fail(PEFT_E_NONFINITE, "the loss is %s at step %lld: gradients dropped, nothing updated",
                                  isnan(loss) ? "NaN" : "infinite", (long long)t->step));
    pf_exec_run(&t->net.exec, t->net.loss_end, t->net.exec.g.nodes);
    t->seconds += pk_seconds() - start;
    pf_pending_add_pass(t, n);
    return PEFT_OK;
}

/* Forward, loss and backward of a checked batch of n samples. */
static peft_status run_pass(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *ids,
                            int64_t n)
{
    pf_exec *e = &t->net.exec;
    if (t->custom_loss.fn) {
        double loss;
        PF_TRY(pf_forward(t, images, ids, n, t->targets, PF_BORROW_IMAGES));       /* targets: not read */
        PF_TRY(call_custom_loss(t, labels, &loss));
        return run_backward(t, loss + added_losses(t));
    }
    const bool classes = t->loss.kind->labels == PF_LABEL_CLASS;       /* class numbers; else targets */
    const void *read_by_loss = classes ? labels->data : pf_as_real(labels, t->targets);
    PF_TRY(pf_forward(t, images, ids, n, read_by_loss, PF_BORROW_IMAGES));
    pf_exec_run(e, t->net.loss_node, t->net.loss_end);
    return run_backward(t, (double)pf_exec_data(e, t->net.loss)[0]);
}

peft_status pf_own_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                            const int64_t *sample_ids)
{
    int64_t n;
    pf_labels l;
    PF_TRY(count_batch(t, images, labels, sample_ids, &n));
    if (!t->custom_loss.fn) {
        PF_TRY(pf_labels_fit(&l, t->loss.kind->labels, labels, n, &t->model->output));
        PF_TRY(t->loss.kind->check(&t->loss, &l));
        if (!t->loss.kind->depends_on_labels(&t->loss, &l)) return pass_without_labels(t, n);
    }
    const peft_status s = run_pass(t, images, labels, sample_ids, n);
    pf_forward_end(t);
    return s;
}

peft_status peft_trainer_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                                  const int64_t *sample_ids)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    t->caller_mode = PK_FLOAT_CALLER;
    if (!pf_is_shared(t)) return pf_own_backward(t, images, labels, sample_ids);
    pf_round_begin(t);
    const bool idle = !images && !labels && !sample_ids;
    return pf_round_end(t, idle ? PEFT_OK : pf_own_backward(t, images, labels, sample_ids), false);
}

peft_status peft_trainer_set_loss(peft_trainer *t, peft_loss_fn fn, void *user)
{
    PF_TRY(pf_trainer_ready(t));
    t->custom_loss = (pf_custom_loss){ fn, user };
    return PEFT_OK;
}

peft_status peft_trainer_forward(peft_trainer *t, const peft_tensor *images, const int64_t *sample_ids)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(pf_trainer_ready(t));
    if (pf_is_shared(t))
        return pf_fail(PEFT_E_STATE, "peft_trainer_forward: the trainer has ranks, which share steps; give it a loss "
                       "by peft_trainer_set_loss");
    PF_TRY(pf_check_images(t->model, images, t->batch, &n));
    const peft_status s = pf_forward(t, images, sample_ids, n, t->targets, PF_COPY_IMAGES);
    if (s) pf_forward_end(t);
    return s;
}

peft_status peft_trainer_backward_logits(peft_trainer *t, const peft_tensor *gradient, double loss)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    if (!t->forward_samples)
        return pf_fail(PEFT_E_STATE, "no forward pass to go back through: call peft_trainer_forward first, and nothing "
                       "that computes with this trainer between the two");
    PF_TRY(pf_check_samples(&t->model->output, "gradient", gradient, t->forward_samples));
    const int64_t count = peft_tensor_count(gradient);
    peft_status s;
    if (!pf_finite(gradient->data, count))
        s = discard(t, pf_fail(PEFT_E_NONFINITE, "gradient: holds NaN or Inf at step %lld; gradients dropped, nothing "
                               "updated", (long long)t->step));
    else {
        memcpy(gradient_view(t).data, gradient->data, (size_t)count * sizeof(pk_real));
        s = run_backward(t, loss + added_losses(t));
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
