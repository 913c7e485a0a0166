/* SPDX-License-Identifier: Apache-2.0
 * cam.c -- Grad-CAM (Selvaraju et al., ICCV 2017) at the normed input of a block's attention.
 *
 * The graph of a model computes gradients of trained tensors alone. Here a tensor of zeros with the shape of the
 * activation is added to the activation and counts as trained: its gradient is that of the activation. Nothing below
 * the block gets a gradient. What is differentiated is the sum over the batch of the logit of each image's class, by a
 * table with a 1 for this class; the table is filled between the forward and the backward pass. */
#include <string.h>
#include "core/graph/op.h"
#include "core/graph/param.h"
#include "core/maps/maps.h"

typedef struct {
    int64_t block;
    bool rectify;
    pf_param zero;                       /* [batch,t,d] zeros; its gradient is that of the activation. Owned */
    size_t bytes;                        /* of value and gradient */
    pf_val activation;
    pk_real *wanted;                     /* [batch,classes]: 1 for the class of each image, else 0 */
} cam;

/* Makes the tensor of zeros, of the activation's shape. */
static peft_status make_zero(peft_maps *s, cam *c, const pf_shape *shape)
{
    const size_t half = (size_t)pf_shape_count(shape) * sizeof(pk_real);
    pf_free(s->ctx, c->zero.value.data);
    c->bytes = 2 * half;
    pk_real *both = pf_alloc_zero(s->ctx, c->bytes);
    if (!both) return pf_nomem("gradient of the activation", c->bytes);
    c->zero = (pf_param){ .name = (char *)(uintptr_t)"activation", .group = "weight" };
    c->zero.value = (peft_tensor){ .ctx = s->ctx, .type = PF_REAL, .ndim = shape->ndim, .data = both };
    memcpy(c->zero.value.dim, shape->dim, (size_t)shape->ndim * sizeof *shape->dim);
    c->zero.grad = c->zero.value;
    c->zero.grad.data = both + pf_shape_count(shape);
    return PEFT_OK;
}

static void after(void *user, pf_graph *g, peft_site *s)
{
    peft_maps *m = user;
    cam *c = m->state;
    if (g->status || s->where != PEFT_NORM || s->role != PEFT_NORM1 || s->layer != c->block) return;
    const pf_shape shape = pf_v(g, s->out)->shape;
    const peft_status status = make_zero(m, c, &shape);
    if (status) {
        pf_graph_fail(g, status);
        return;
    }
    s->out = peft_sys_add(g, s->out, pf_trained_value(g, &c->zero));
    if (!g->status) pf_v(g, s->out)->keep = true;
    c->activation = s->out;
}

/* The value to differentiate. */
static void finish(void *user, pf_graph *g, pf_val logits)
{
    const peft_maps *m = user;
    const cam *c = m->state;
    if (g->status) return;
    const pf_val wanted = pf_value_new(g, PF_CONST, pf_v(g, logits)->shape);
    if (!pf_exists(wanted)) return;
    pf_v(g, wanted)->type = PK_REAL;
    pf_v(g, wanted)->data = c->wanted;
    pf_v(g, wanted)->buffer = true;
    pf_loss_add(g, peft_sys_sum(g, peft_sys_mul(g, logits, wanted)), 1);
}

static peft_status create(peft_maps *s)
{
    cam *c = s->state;
    const size_t bytes = (size_t)(s->batch * s->model->classes) * sizeof *c->wanted;
    c->rectify = pf_maps_int(s, "rectify");
    PF_TRY(pf_maps_block(s, "block", &c->block));
    c->wanted = pf_alloc_zero(s->ctx, bytes);
    if (!c->wanted) return pf_nomem("classes of maps", bytes);
    s->overlay = (pf_overlay){ .after = after, .finish = finish, .trains = true, .user = s };
    return pf_maps_compile(s, NULL);
}

/* The map of one image, from activations a and gradients d [t,width], of which the patches are the last rows. */
static void weigh(const cam *c, const pk_real *a, const pk_real *d, int64_t tokens, int64_t width, int64_t patches,
                  pk_real *map)
{
    const int64_t prefix = tokens - patches;
    for (int64_t p = 0; p < patches; p++) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++) sum += (double)a[(prefix + p) * width + k] * (double)d[k];
        map[p] = (pk_real)(c->rectify && sum < 0 ? 0 : sum);
    }
}

/* The mean over the patches of each column of d [t,width], into its first row. */
static void average(pk_real *d, int64_t tokens, int64_t width, int64_t patches)
{
    for (int64_t k = 0; k < width; k++) {
        double sum = 0;
        for (int64_t p = tokens - patches; p < tokens; p++) sum += (double)d[p * width + k];
        d[k] = (pk_real)(sum / (double)patches);
    }
}

static peft_status compute(peft_maps *s, const peft_tensor *images, int64_t n, const int64_t *classes, pk_real *maps,
                           int64_t *chosen)
{
    cam *c = s->state;
    const int64_t all = s->model->classes, patches = s->h * s->w;
    const pf_shape *shape = &pf_v(&s->net.exec.g, c->activation)->shape;
    const int64_t tokens = shape->dim[1], width = shape->dim[2];
    PF_TRY(pf_maps_bind(s, images, n));
    pf_model_lock_read(s->model);
    pf_exec_run(&s->net.exec, 0, s->net.loss_end);
    memset(c->wanted, 0, (size_t)(s->batch * all) * sizeof *c->wanted);
    const pk_real *logits = pf_exec_data(&s->net.exec, s->net.logits);
    for (int64_t i = 0; i < n; i++) {
        chosen[i] = pf_maps_class(s, classes ? classes[i] : -1, logits + i * all);
        c->wanted[i * all + chosen[i]] = 1;
    }
    const peft_status status = pf_check_finite(logits, n, all, "logit of class", all);
    if (!status) pf_exec_run(&s->net.exec, s->net.loss_end, s->net.exec.g.nodes);
    pf_model_unlock(s->model);
    PF_TRY(status);
    for (int64_t i = 0; i < n; i++) {
        const pk_real *a = pf_exec_data(&s->net.exec, c->activation) + i * tokens * width;
        pk_real *d = (pk_real *)c->zero.grad.data + i * tokens * width;
        average(d, tokens, width, patches);
        weigh(c, a, d, tokens, width, patches, maps + i * patches);
    }
    return PEFT_OK;
}

static size_t memory(const peft_maps *s)
{
    const cam *c = s->state;
    return c->bytes + (size_t)(s->batch * s->model->classes) * sizeof *c->wanted;
}
static void release(peft_maps *s)
{
    cam *c = s->state;
    pf_free(s->ctx, c->zero.value.data);
    pf_free(s->ctx, c->wanted);
}

const pf_maps_kind pf_maps_cam = { .name = "cam",
    .summary = "gradient class activation (Grad-CAM) of a class at the input of a block",
    .options = "block rectify", .of_class = true, .of_graph = true, .state_size = sizeof(cam), .create = create,
    .compute = compute, .memory = memory, .free = release };
