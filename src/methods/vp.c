/* SPDX-License-Identifier: Apache-2.0
 * vp.c -- visual prompting (Bahng et al. 2022): a learned frame of `width` pixels is added to the normalised image. */
#include <peft/sys/method.h>

/* The four edges of the frame; up and down include the corners. */
typedef struct { peft_param *up, *down, *left, *right; } vp;
static const peft_option opts[] = {
    { "width", 'i', "30", 1, 4096, "width of the frame in pixels, less than half the image's shorter side" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    vp *m = peft_sys_state(a);
    const int64_t w = peft_sys_opt_int(a, "width");
    int64_t height, width;
    (void)v;
    peft_sys_image_sides(a, &height, &width);
    if (2 * w >= height || 2 * w >= width)
        peft_sys_reject_option(a, "width", "less than half the image's shorter side");
    m->up    = peft_sys_declare(a, PEFT_DIMS(1, 3, w, width), "normal:1", "pad_up");
    m->down  = peft_sys_declare(a, PEFT_DIMS(1, 3, w, width), "normal:1", "pad_down");
    m->left  = peft_sys_declare(a, PEFT_DIMS(1, 3, height - 2 * w, w), "normal:1", "pad_left");
    m->right = peft_sys_declare(a, PEFT_DIMS(1, 3, height - 2 * w, w), "normal:1", "pad_right");
    return peft_sys_init_status(a);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const vp *m = state;
    peft_val frame = peft_sys_frame(b, peft_sys_param(b, m->up), peft_sys_param(b, m->down), peft_sys_param(b, m->left),
                                    peft_sys_param(b, m->right));
    s->out = peft_sys_add(b, s->out, frame);
}

const peft_method pf_method_vp = {
    .name = "vp", .summary = "a learned frame around the image", .paper = "arXiv:2203.17274",
    .opts = opts, .sites = PEFT_AT(PEFT_IMAGE), .state_size = sizeof(vp), .init = init, .emit = emit };
