/* SPDX-License-Identifier: Apache-2.0
 * double_maps.c -- maps over the image in double precision: the fused softmax weights and attention roll-out against
 * their definitions, and Grad-CAM against numerical derivatives. */
#include "core/graph/ops/scores/attention_map.h"
#include "invariants.h"
#include "lab.h"

enum { T = 5, KEYS = 5, EXTRA = 2, D = 24, H = 3, DH = D / H, SAMPLES = 2, DEPTH = 3, GRID = 4, PATCHES = GRID * GRID,
       MOST = PATCHES + 8 };

static double fuse(int how, const double *of_head)
{
    double v = of_head[0];
    for (int h = 1; h < H; h++) v = how == PF_FUSE_MEAN ? v + of_head[h] : how == PF_FUSE_MAX ? fmax(v, of_head[h])
                                                                                               : fmin(v, of_head[h]);
    return how == PF_FUSE_MEAN ? v / H : v;
}

START_TEST(fused_weights_equal_the_softmax)
{
    peft_context *ctx = tiny_plain_context();
    for (int how = 0; how < 3; how++) {
        lab l;
        lab_open(&l, ctx, 9, 0, PLAIN);
        const pf_param *p[5] = { lab_frozen_tensor(&l, PEFT_DIMS(SAMPLES, T, D)),
            lab_frozen_tensor(&l, PEFT_DIMS(SAMPLES, KEYS, D)), lab_frozen_tensor(&l, PEFT_DIMS(EXTRA, D)),
            lab_frozen_tensor(&l, PEFT_DIMS(T)), lab_frozen_tensor(&l, PEFT_DIMS(H)) };
        pf_val in[5];
        const pk_real *x[5];
        for (int i = 0; i < 5; i++) in[i] = lab_constant_of(&l, p[i]), x[i] = p[i]->value.data;
        const pf_val out = pf_emit(&l.g, &pf_op_attention_map, &(pf_attr){ .i = { how, H } }, 5, in);
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, out)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, LAB_USUAL_PLAN);
        lab_run(&l);
        const pk_real *got = pf_exec_data(&l.e, out);
        for (int row = 0; row < SAMPLES * T; row++) {
            double weight[KEYS][H];
            for (int h = 0; h < H; h++) {
                double sum = exp((double)x[3][row % T]);
                for (int j = 0; j < KEYS + EXTRA; j++) {
                    const pk_real *q = x[0] + row * D + h * DH;
                    const pk_real *k = j < KEYS ? x[1] + (row / T * KEYS + j) * D : x[2] + (j - KEYS) * D;
                    double dot = 0;
                    for (int c = 0; c < DH; c++) dot += (double)q[c] * (double)k[h * DH + c];
                    const double e = exp(dot * (double)x[4][h] / sqrt(DH));
                    sum += e;
                    if (j < KEYS) weight[j][h] = e;
                }
                for (int j = 0; j < KEYS; j++) weight[j][h] /= sum;
            }
            for (int j = 0; j < KEYS; j++)
                ck_assert_double_le(fabs((double)got[row * KEYS + j] - fuse(how, weight[j])), 1e-12);
        }
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

static const pk_real *weight_of(const tiny *t, int block, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blocks.%d.%s", block, name);
    return pf_backbone_find(t->backbone, full)->data;
}

/* out [D]: norm1 of the block of a token. */
static void norm(const tiny *t, int block, const pk_real *x, double *out)
{
    const pk_real *gamma = weight_of(t, block, "norm1.weight"), *beta = weight_of(t, block, "norm1.bias");
    double mean = 0, variance = 0;
    for (int c = 0; c < D; c++) mean += (double)x[c] / D;
    for (int c = 0; c < D; c++) variance += ((double)x[c] - mean) * ((double)x[c] - mean) / D;
    for (int c = 0; c < D; c++)
        out[c] = ((double)x[c] - mean) / sqrt(variance + t->backbone->shape.eps) * (double)gamma[c] + (double)beta[c];
}

/* Heads of the attention of a block fused, a [n][n], for the tokens x [n,D] that enter it. prompts: logits of method
 * ept for each token, 3 of them; NULL: none. */
static void attention(const tiny *t, int block, const pk_real *x, int n, const pk_real *prompts, int how,
                      double a[MOST][MOST])
{
    static double q[MOST][D], k[MOST][D];
    const pk_real *w = weight_of(t, block, "attn.qkv.weight"), *b = weight_of(t, block, "attn.qkv.bias");
    for (int i = 0; i < n; i++) {
        double y[D];
        norm(t, block, x + i * D, y);
        for (int j = 0; j < 2 * D; j++) {
            double sum = (double)b[j];
            for (int c = 0; c < D; c++) sum += (double)w[j * D + c] * y[c];
            if (j < D) q[i][j] = sum;
            else k[i][j - D] = sum;
        }
    }
    for (int i = 0; i < n; i++) {
        double of_head[MOST][H];
        for (int h = 0; h < H; h++) {
            double sum = 0;
            for (int p = 0; prompts && p < 3; p++) sum += exp((double)prompts[(block * n + i) * 3 + p]);
            for (int j = 0; j < n; j++) {
                double dot = 0;
                for (int c = h * DH; c < (h + 1) * DH; c++) dot += q[i][c] * k[j][c];
                sum += of_head[j][h] = exp(dot / sqrt(DH));
            }
            for (int j = 0; j < n; j++) of_head[j][h] /= sum;
        }
        for (int j = 0; j < n; j++) a[i][j] = fuse(how, of_head[j]);
    }
}

typedef struct {
    const char *backbone, *method, *options, *maps;
    int how, first, prompts, class_row;
    double discard;
} roll;
static const roll rolls[] = {
    { .maps = "fuse=mean", .class_row = 1 },
    { .maps = "fuse=max,row=mean", .how = PF_FUSE_MAX },
    { .maps = "fuse=min,first=1", .how = PF_FUSE_MIN, .first = 1, .class_row = 1 },
    { .maps = "discard=0.4", .class_row = 1, .discard = 0.4 },
    { .backbone = "registers=2", .maps = "fuse=mean", .class_row = 1 },
    { .backbone = "class_token=false,pool=mean", .maps = "fuse=mean" },
    { .method = "ept", .options = "length=3", .maps = "fuse=mean", .class_row = 1 },
    { .method = "vpt", .options = "deep=false", .maps = "first=1", .first = 1, .prompts = 3, .class_row = 1 },
    { .method = "dvpt", .options = "tokens=3", .maps = "fuse=mean", .prompts = 3, .class_row = 1 },
};
static bool prompts_first(const roll *r) { return r->method && !strcmp(r->method, "dvpt"); }

static int by_value(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* A' of the n own tokens, from a [n][n]: the smallest entries set to 0, plus I, rows divided by their sums. */
static void finish(double a[MOST][MOST], int n, double discard)
{
    static double all[MOST * MOST];
    const int drop = (int)(discard * n * n);
    for (int i = 0; i < n * n; i++) all[i] = a[i / n][i % n];
    qsort(all, (size_t)(n * n), sizeof *all, by_value);
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) {
            if (drop && a[i][j] <= all[drop - 1]) a[i][j] = 0;
            a[i][j] += i == j;
            sum += a[i][j];
        }
        for (int j = 0; j < n; j++) a[i][j] /= sum;
    }
}

/* The map of the definition, by products of matrices. tokens: those that enter each block, [n,D]. */
static void plain_rollout(const tiny *t, const roll *r, const pk_real *const *tokens, int n, double *map)
{
    static double a[MOST][MOST], own[MOST][MOST], product[MOST][MOST], next[MOST][MOST];
    const peft_param *p = peft_model_find_param(t->model, "prompt");
    const int owns = n - r->prompts, prefix = owns - PATCHES, at = prompts_first(r) ? 0 : prefix ? 1 : 0;
    for (int i = 0; i < owns; i++) for (int j = 0; j < owns; j++) product[i][j] = i == j;
    for (int block = r->first; block < DEPTH; block++) {
        attention(t, block, tokens[block], n, p ? p->value.data : NULL, r->how, a);
        for (int i = 0; i < owns; i++)
            for (int j = 0; j < owns; j++)
                own[i][j] = a[i + (i >= at ? r->prompts : 0)][j + (j >= at ? r->prompts : 0)];
        finish(own, owns, r->discard);
        for (int i = 0; i < owns; i++)
            for (int j = 0; j < owns; j++) {
                next[i][j] = 0;
                for (int k = 0; k < owns; k++) next[i][j] += own[i][k] * product[k][j];
            }
        memcpy(product, next, sizeof next);
    }
    for (int j = 0; j < PATCHES; j++) {
        map[j] = r->class_row ? product[0][prefix + j] : 0;
        for (int i = 0; !r->class_row && i < PATCHES; i++) map[j] += product[prefix + i][prefix + j] / PATCHES;
    }
}

/* The maps [BATCH,GRID,GRID] with these options. */
static peft_tensor *maps_of(peft_model *m, const char *text, const peft_tensor *images, const int64_t *classes)
{
    peft_maps *s;
    peft_options *o = tiny_options(m->backbone->ctx, "%s", text);
    peft_tensor *maps = tiny_tensor(m->backbone->ctx, PF_REAL, 3, (int)images->dim[0], GRID, GRID);
    OK(peft_maps_create(m, o, &s));
    OK(peft_maps_compute(s, images, classes, maps, NULL, NULL, NULL));
    peft_maps_free(s);
    peft_options_free(o);
    return maps;
}

START_TEST(rollout_equals_its_definition)
{
    for (size_t c = 0; c < sizeof rolls / sizeof *rolls; c++) {
        const roll *r = &rolls[c];
        tiny t = VARIANT(.backbone = r->backbone, .method = r->method, .options = r->options, .classes = 3);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++)
            tiny_perturb_tensor(&peft_model_param(t.model, i)->value, peft_model_param(t.model, i)->name, 0.3);
        tiny_batch b = tiny_first_batch(t.model, BATCH);
        char text[64];
        snprintf(text, sizeof text, "batch=2,%s", r->maps);
        peft_tensor *maps = maps_of(t.model, text, b.images, NULL);
        peft_session *s = tiny_session(t.model, "batch=%d,taps=[embed,block.0,block.1]", BATCH);
        peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, BATCH, 3);
        OK(peft_session_predict(s, b.images, logits));
        const peft_tensor *tap[] = { tiny_tap(s, "embed"), tiny_tap(s, "block.0"), tiny_tap(s, "block.1") };
        for (int i = 0; i < BATCH; i++) {
            const int n = (int)tap[1]->dim[1];
            const pk_real *tokens[DEPTH];
            double want[PATCHES];
            for (int l = 0; l < DEPTH; l++) tokens[l] = (const pk_real *)tap[l]->data + i * tap[l]->dim[1] * D;
            plain_rollout(&t, r, tokens, n, want);
            for (int j = 0; j < PATCHES; j++)
                ck_assert_msg(fabs((double)((pk_real *)maps->data)[i * PATCHES + j] - want[j]) < 1e-10,
                              "case %zu, image %d, patch %d: %.12g, expected %.12g", c, i, j,
                              (double)((pk_real *)maps->data)[i * PATCHES + j], want[j]);
        }
        peft_tensor_free(maps);
        peft_tensor_free(logits);
        peft_session_free(s);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* A method that adds the parameter "nudge" [tokens,width] to norm1 of the last block. */
typedef struct { peft_param *p; int64_t last; } nudge_state;
static peft_status nudge_init(peft_adapter *a, const peft_vit *v)
{
    nudge_state *n = peft_sys_state(a);
    n->last = v->depth - 1;
    n->p = peft_sys_declare(a, PEFT_DIMS(v->tokens, v->width), "zero", "nudge");
    return peft_sys_init_status(a);
}
static void nudge_emit(const void *state, peft_build *b, peft_site *s)
{
    const nudge_state *n = state;
    if (s->role == PEFT_NORM1 && s->layer == n->last) s->out = peft_sys_add(b, s->out, peft_sys_param(b, n->p));
}
static const peft_method nudge = { .name = "nudge", .sites = PEFT_AT(PEFT_NORM), .state_size = sizeof(nudge_state),
                                   .init = nudge_init, .emit = nudge_emit };

typedef struct {
    peft_session *s;
    const peft_tensor *image;
    peft_tensor *logits;
    peft_param *p;
    int64_t prefix;
    int class, column;
    pk_real step;
} nudged;

/* The logit when element `column` of all patches is nudged by n->step. */
static double nudged_logit(void *user)
{
    nudged *n = user;
    pk_real *x = n->p->value.data;
    for (int64_t i = n->prefix; i < n->p->value.dim[0]; i++) x[i * D + n->column] = n->step;
    OK(peft_session_predict(n->s, n->image, n->logits));
    for (int64_t i = n->prefix; i < n->p->value.dim[0]; i++) x[i * D + n->column] = 0;
    return (double)((pk_real *)n->logits->data)[n->class];
}

/* A nudge of element k of all patches changes the logit by P times the mean over the patches of its derivative. */
START_TEST(cam_equals_numerical_derivatives)
{
    static const char *const backbones[] = { NULL, "registers=2", "class_token=false,pool=mean", "pool=cls_mean",
                                             "pool=attention,registers=1", "qk_norm=true,layer_scale=true" };
    for (size_t c = 0; c < sizeof backbones / sizeof *backbones; c++) {
        tiny t = VARIANT(.backbone = backbones[c], .classes = 3);
        peft_adapter *a;
        OK(peft_sys_register_method(t.ctx, &nudge, PEFT_METHOD_ABI));
        OK(peft_adapter_create(t.backbone, "nudge", NULL, &a));
        OK(peft_model_attach(t.model, a));
        tiny_batch b = tiny_first_batch(t.model, 1);
        nudged n = { .s = tiny_session(t.model, "taps=block.1"), .image = b.images, .class = 2,
                     .logits = tiny_tensor(t.ctx, PF_REAL, 2, 1, 3), .p = peft_model_find_param(t.model, "nudge") };
        n.prefix = n.p->value.dim[0] - PATCHES;
        double want[PATCHES] = { 0 }, unit = 0;
        for (n.column = 0; n.column < D; n.column++) {
            const double slope = five_point(nudged_logit, &n, &n.step, 1e-3) / PATCHES;
            for (int p = 0; p < PATCHES; p++) {
                double y[D];
                norm(&t, DEPTH - 1, (const pk_real *)tiny_tap(n.s, "block.1")->data + (n.prefix + p) * D, y);
                want[p] += slope * y[n.column];
            }
        }
        for (int p = 0; p < PATCHES; p++) unit = fmax(unit, fabs(want[p]));
        const int64_t class = n.class;
        peft_tensor *plain = maps_of(t.model, "kind=cam,rectify=false,batch=2", b.images, &class),
                    *maps = maps_of(t.model, "kind=cam,batch=1,block=2", b.images, &class);
        for (int p = 0; p < PATCHES; p++) {
            const double got = (double)((pk_real *)plain->data)[p];
            ck_assert_msg(fabs(got - want[p]) < 1e-8 * unit, "case %zu, patch %d: %.12g, expected %.12g", c, p, got,
                          want[p]);
            ck_assert_double_eq((double)((pk_real *)maps->data)[p], got > 0 ? got : 0);
        }
        peft_tensor_free(plain);
        peft_tensor_free(maps);
        peft_tensor_free(n.logits);
        peft_session_free(n.s);
        peft_adapter_free(a);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("maps in double", fused_weights_equal_the_softmax, rollout_equals_its_definition,
           cam_equals_numerical_derivatives)
