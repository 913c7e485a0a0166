/* SPDX-License-Identifier: Apache-2.0
 * vp.c -- visual prompting (Bahng et al. 2022): a learned frame added to the normalised image. */
#include "core/method.h"

typedef struct { pf_param *up, *down, *left, *right; } vp;
static const pf_opt opts[] = { { "width", 'i', "30", 1, 4096, "of the frame in pixels, less than half the image" },
                               { 0 } };

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    vp *m = pf_state(a);
    const int64_t w = pf_opt_int(a, "width"), s = v->image;
    if (2 * w >= s) pf_reject(a, "width", "less than half the image's side");
    m->up    = pf_declare(a, PF_DIMS(1, 3, w, s), "normal:1", "pad_up");
    m->down  = pf_declare(a, PF_DIMS(1, 3, w, s), "normal:1", "pad_down");
    m->left  = pf_declare(a, PF_DIMS(1, 3, s - 2 * w, w), "normal:1", "pad_left");
    m->right = pf_declare(a, PF_DIMS(1, 3, s - 2 * w, w), "normal:1", "pad_right");
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const vp *m = state;
    s->out = pf_add(b, s->out, pf_frame(b, pf_use(b, m->up), pf_use(b, m->down), pf_use(b, m->left),
                                        pf_use(b, m->right)));
}

const pf_method pf_method_vp = {
    .name = "vp", .summary = "a learned frame around the image", .paper = "arXiv:2203.17274",
    .opts = opts, .sites = PF_AT(PF_IMAGE), .state_size = sizeof(vp), .init = init, .emit = emit };
