/* SPDX-License-Identifier: Apache-2.0
 * create.c -- makes and frees predictors: finds the transform and the link of the session's model (how logits become
 * probabilities: softmax or sigmoid), and checks that they suit the model. */
#include <peft/sys/session.h>
#include "io/predictor/predictor.h"
#include "io/transform/transform.h"

/* Makes the transform that the model's note "preprocess" describes, or, where the model has none, its backbone's. */
static peft_status find_transform(peft_context *ctx, const peft_model *m, peft_transform **out)
{
    const char *of_model = peft_model_note(m, "preprocess");
    const char *text = of_model ? of_model : peft_backbone_note(peft_model_backbone(m), "preprocess");
    if (!text)
        return io_fail(PEFT_E_NOTFOUND, "predictor: transform is NULL, and neither the model nor its backbone has a "
                       "note 'preprocess' that describes one; give a transform, or set the note before the model is "
                       "saved (peft_model_set_note with peft_transform_text)");
    const peft_status s = peft_transform_parse(ctx, text, out);
    return s ? io_fail_in(s, of_model ? "the model's note 'preprocess'" : "the backbone's note 'preprocess'") : PEFT_OK;
}

/* The transform must make images of the size that the model takes. */
static peft_status check_size(const peft_predictor *p)
{
    const long long height = peft_transform_height(p->transform), width = peft_transform_width(p->transform);
    const long long rows = p->height, columns = p->width;
    if (height == rows && width == columns) return PEFT_OK;
    const bool squares = height == width && rows == columns;
    if (squares)
        return io_fail(PEFT_E_MISMATCH, "predictor: the transform makes images of %lldx%lld, the model takes "
                       "%lldx%lld; give a transform with size=%lld, or load the backbone with image_size=%lld", height,
                       width, rows, columns, rows, height);
    return io_fail(PEFT_E_MISMATCH, "predictor: the transform makes images of %lldx%lld (height x width), the model "
                   "takes %lldx%lld; give a transform with size=%lldx%lld, or load the backbone with "
                   "image_size=%lldx%lld", height, width, rows, columns, rows, columns, height, width);
}

/* Reads how logits become probabilities: softmax where the model does not say. */
static peft_status find_link(const peft_model *m, bool *multi_label)
{
    const char *link = peft_model_link(m);
    *multi_label = link && !strcmp(link, "sigmoid");
    if (!link || *multi_label || !strcmp(link, "softmax")) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "predictor: the model's link is '%.40s', expected softmax (one label an image) or "
                   "sigmoid (several); set the note 'link' (peft_model_set_note)", link);
}

/* Reads the sizes of the model, and makes all other members. transform NULL: find_transform makes it. */
static peft_status init(peft_predictor *p, const peft_model *m, peft_transform *transform)
{
    p->height = peft_backbone_get(peft_model_backbone(m), "image_height");
    p->width = peft_backbone_get(peft_model_backbone(m), "image_width");
    p->ndim = peft_model_output(m, p->dim);
    if (!p->ndim)
        return io_fail(PEFT_E_UNSUPPORTED, "predictor: the model has no head (head=none) and gives no logits; prepare "
                       "the images with peft_transform_apply and call peft_session_features");
    peft_status s = transform ? PEFT_OK : find_transform(p->ctx, m, &p->transform);
    if (transform) p->transform = io_transform_retain(transform);
    if (!s) s = check_size(p);
    if (!s) s = find_link(m, &p->multi_label);
    if (!s) s = peft_tensor_create(p->ctx, PEFT_F32, 4, (int64_t[]){ p->batch, 3, p->height, p->width }, &p->input);
    return s ? s : io_blocks_context(&p->blocks, &p->temporary);
}

const peft_model *io_runner_model(io_runner r)
{
    return r.session ? peft_session_model(r.session) : peft_adaptor_model(r.adaptor);
}

peft_status io_predictor_create(io_runner r, peft_transform *transform, peft_predictor **out)
{
    const peft_model *m = io_runner_model(r);
    peft_context *ctx = peft_backbone_context(peft_model_backbone(m));
    peft_predictor *p = io_alloc(ctx, 1, sizeof *p);
    if (!p) return io_nomem("predictor");
    p->ctx = p->blocks.ctx = peft_sys_context_retain(ctx);
    p->session = r.session ? peft_sys_session_retain(r.session) : NULL;
    p->adaptor = r.adaptor;
    p->batch = r.session ? peft_session_batch(r.session) : peft_adaptor_batch(r.adaptor);
    const peft_status s = init(p, m, transform);
    if (s) peft_predictor_free(p);
    else *out = p;
    return s;
}

peft_status peft_predictor_create(peft_session *session, peft_transform *transform, peft_predictor **out)
{
    if (!session || !out) return io_fail(PEFT_E_INVALID, "predictor: %s is NULL", session ? "out" : "session");
    return io_predictor_create((io_runner){ .session = session }, transform, out);
}

void peft_predictor_free(peft_predictor *p)
{
    if (!p) return;
    peft_context *ctx = p->ctx;
    peft_tensor_free(p->input);
    peft_context_free(p->temporary);
    io_blocks_clear(&p->blocks);
    peft_transform_free(p->transform);
    peft_session_free(p->session);
    peft_sys_free(ctx, p);
    peft_context_free(ctx);
}

const peft_transform *peft_predictor_transform(const peft_predictor *p) { return p ? p->transform : NULL; }
const char *peft_predictor_link(const peft_predictor *p)
{
    return !p ? NULL : p->multi_label ? "sigmoid" : "softmax";
}
