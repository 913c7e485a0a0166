/* SPDX-License-Identifier: Apache-2.0
 * consumer.c -- a program outside the project that uses both installed libraries; it is valid C99 and C++11. */
#include <peft/io.h>
#include <peft/peft.h>
#include <peft/sys/method.h>
#include <stdio.h>
#include <string.h>

/* Prints the error; returns the exit status. */
static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, peft_last_error());
    return 1;
}

/* A method of the program: it multiplies the pooled feature by trained factors. */
typedef struct { peft_param *factor; } factor_state;

static peft_status factor_init(peft_adapter *a, const peft_vit *v)
{
    factor_state *m = (factor_state *)peft_sys_state(a);
    m->factor = peft_sys_declare(a, PEFT_DIMS(1, v->width), "one", "%s", "factor");
    return peft_sys_init_status(a);
}

static void factor_emit(const void *state, peft_build *b, peft_site *s)
{
    s->out = peft_sys_affine(b, s->out, peft_sys_param(b, ((const factor_state *)state)->factor), PEFT_NONE);
}

/* Registers the method and attaches an adapter of it; 0: done. A method that was compiled with another layout of the
 * structs (another PEFT_METHOD_ABI) must be refused. */
static int add_method(peft_context *ctx, peft_backbone *vit, peft_model *m)
{
    peft_method method;
    peft_adapter *a;
    memset(&method, 0, sizeof method);
    method.name = "own";
    method.sites = PEFT_AT(PEFT_POOL);
    method.state_size = sizeof(factor_state);
    method.init = factor_init;
    method.emit = factor_emit;
    if (peft_sys_register_method(ctx, &method, PEFT_METHOD_ABI + 1) != PEFT_E_UNSUPPORTED) return 1;
    if (peft_sys_register_method(ctx, &method, PEFT_METHOD_ABI)) return 1;
    if (peft_adapter_create(vit, "own", NULL, &a) || peft_model_attach(m, a)) return 1;
    peft_adapter_free(a);
    return 0;
}

int main(void)
{
    static float pixels[3 * 32 * 32], logits[4];
    const int64_t image_dims[] = { 1, 3, 32, 32 }, logit_dims[] = { 1, 4 };
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_adapter *ept;
    peft_model *m;
    peft_session *s;
    peft_tensor *images, *out;
    peft_transform *t;
    if (peft_context_create(NULL, NULL, NULL, &ctx) || peft_options_create(ctx, &o)) return failed("context");
    if (peft_options_parse(o, "image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64,classes=4,seed=1") ||
        peft_backbone_create(ctx, o, &vit)) return failed("backbone");
    if (peft_adapter_create(vit, "ept", NULL, &ept) || peft_model_create(vit, NULL, &m) || peft_model_attach(m, ept) ||
        add_method(ctx, vit, m) || peft_session_create(m, NULL, &s)) return failed("model");
    if (peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images) ||
        peft_tensor_wrap(ctx, PEFT_F32, 2, logit_dims, logits, &out) ||
        peft_session_predict(s, images, out)) return failed("predict");
    if (peft_transform_parse(ctx, "size=32", &t)) return failed("transform");
    printf("libpeft %s: %g %s\n", peft_version_string(), (double)logits[0], peft_transform_text(t));
    peft_transform_free(t);
    peft_tensor_free(images);
    peft_tensor_free(out);
    peft_session_free(s);
    peft_model_free(m);
    peft_adapter_free(ept);
    peft_backbone_free(vit);
    peft_options_free(o);
    peft_context_free(ctx);
    return 0;
}
