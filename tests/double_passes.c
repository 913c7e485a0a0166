/* SPDX-License-Identifier: Apache-2.0
 * double_passes.c -- no pass changes what is computed: with any of them left out, and with all, the loss and every
 * gradient are the same to rounding, on the graphs of all operations, on random ones, and on every method's model. And
 * the memory plan changes nothing at all: bit for bit the naive executor's results. */
#include "op_cases.h"
#include "random_graph.h"
#include "tiny.h"

typedef peft_status (*pass_fn)(pf_graph *);
/* As compile.c has them; NULL is the grad pass, which needs the loss and cannot be left out. */
static const struct { const char *name; pass_fn run; } passes[] = {
    { "clean 1", pf_pass_clean }, { "rows", pf_pass_rows }, { "hoist", pf_pass_hoist }, { "clean 2", pf_pass_clean },
    { "share", pf_pass_share }, { "merge", pf_pass_merge }, { "grad", NULL }, { "clean 3", pf_pass_clean },
    { "fuse", pf_pass_fuse }, { "trim", pf_pass_trim }, { "split", pf_pass_split }, { "place", pf_pass_place } };
enum { PASSES = sizeof passes / sizeof *passes, NO_PASS = (1 << PASSES) - 1 };

static void run_passes(lab *l, unsigned left_out)
{
    for (int i = 0; i < PASSES; i++) {
        if (passes[i].run && left_out >> i & 1) continue;
        LAB_OK(l, passes[i].run ? passes[i].run(&l->g) : pf_pass_grad(&l->g, l->end));
    }
}

typedef struct results { double loss, top; pk_real *grad; int64_t count; } results;

static results take_results(double loss, pf_param *const *p, size_t n)
{
    results r = { .loss = loss };
    for (size_t i = 0; i < n; i++) r.count += peft_tensor_count(&p[i]->value);
    r.grad = malloc((size_t)r.count * sizeof *r.grad + 1);
    pk_real *to = r.grad;
    for (size_t i = 0; i < n; i++) {
        int64_t count = peft_tensor_count(&p[i]->value);
        memcpy(to, p[i]->grad.data, (size_t)count * sizeof *to);
        to += count;
    }
    r.top = largest(r.grad, r.count);
    return r;
}

/* Errors are measured against a tensor's largest gradient entry, and 1e-4 of the largest of all where that is more. */
static double distance(const results *a, const results *b, pf_param *const *p, size_t n)
{
    double worst = fabs(a->loss - b->loss) / fmax(fabs(b->loss), 1e-3);
    const pk_real *x = a->grad, *y = b->grad;
    for (size_t i = 0; i < n; i++) {
        int64_t count = peft_tensor_count(&p[i]->value);
        double unit = fmax(fmax(largest(y, count), 1e-4 * b->top), 1e-30);
        for (int64_t k = 0; k < count; k++) {
            double error = fabs((double)x[k] - (double)y[k]) / unit;
            if (!(error <= worst)) worst = error;
        }
        x += count;
        y += count;
    }
    return worst;
}

typedef struct source {
    peft_context *ctx;
    const op_case *c; int variant; lab_dress dress;          /* a case, */
    int length; uint64_t seed;                               /* or a random graph, */
    peft_model *model; const void *images;                   /* or a model */
} source;

static void plant(lab *l, const source *s)
{
    if (s->c) {
        open_case(l, s->ctx, s->c, s->variant, s->dress, UINT64_MAX);
        return;
    }
    const pf_rng r = { s->seed, 0, 3 };
    uint64_t trained = s->seed % 4 ? (uint64_t)pf_rng_u32(&r, 0) << 32 | pf_rng_u32(&r, 1) : UINT64_MAX;
    lab_open(l, s->ctx, s->seed, trained, PLAIN);
    if (!s->model) {
        random_graph(l, s->length);
        return;
    }
    int64_t side = s->model->backbone->shape.image;
    pf_val images = pf_value_new(&l->g, PF_INPUT, pf_shape_of(4, (int64_t)2, (int64_t)3, side, side));
    lab_loss(l, pf_model_forward(s->model, &l->g, images, NULL, NULL));
}

static size_t params_of(const source *s, const lab *l, pf_param **to)
{
    size_t n = s->model ? peft_model_param_count(s->model) : l->params.count;
    ck_assert_uint_le(n, 256);
    for (size_t i = 0; i < n; i++) to[i] = s->model ? peft_model_param(s->model, i) : l->params.item[i];
    return n;
}

static double farthest;                                      /* of all comparisons of a test */

static void run_and_compare(const source *s, unsigned left_out, results *want, const char *what)
{
    lab l;
    pf_param *p[256];
    plant(&l, s);
    run_passes(&l, left_out);
    lab_bind(&l, 0);
    pf_exec_input(&l.e, PF_IN_IMAGES, s->images);
    size_t n = params_of(s, &l, p);
    for (size_t i = 0; i < n; i++) memset(p[i]->grad.data, 0, pf_tensor_bytes(&p[i]->value));
    results got = take_results(lab_run(&l), p, n);
    ck_assert_msg(isfinite(got.loss) && isfinite(got.top), "%s: loss %g, gradients up to %g", what, got.loss, got.top);
    if (want->grad) {
        double d = distance(&got, want, p, n);
        ck_assert_msg(d <= 1e-12, "%s: relative difference %g", what, d);
        farthest = fmax(farthest, d);
        free(got.grad);
    } else *want = got;
    lab_close(&l);
}

/* Passes left out: none, one at a time, all. */
static void check_passes(const source *s, const char *name)
{
    results want = { 0 };
    char what[160];
    run_and_compare(s, NO_PASS, &want, name);
    for (int i = -1; i < PASSES; i++) {
        if (i >= 0 && !passes[i].run) continue;
        snprintf(what, sizeof what, "%s without pass %s", name, i < 0 ? "none" : passes[i].name);
        run_and_compare(s, i < 0 ? 0 : 1u << i, &want, what);
    }
    free(want.grad);
}

START_TEST(operations)
{
    source s = { .ctx = tiny_context(NULL, 1) };
    char name[96];
    for (int c = 0; c < OP_CASES; c++)
        for (s.variant = 0; s.variant < op_cases[c].variants; s.variant++)
            for (s.dress = PLAIN; s.dress < DRESSES; s.dress += 2) {
                s.c = &op_cases[c];
                snprintf(name, sizeof name, "%s, form %d, leaves as %d", s.c->name, s.variant, s.dress);
                check_passes(&s, name);
            }
    printf("operations with passes left out: largest relative difference %.2g\n", farthest);
    peft_context_free(s.ctx);
}
END_TEST

enum { GRAPHS = 200 };
static source random_source(peft_context *ctx, uint64_t seed)
{
    return (source){ .ctx = ctx, .seed = seed, .length = 5 + (int)(seed % 26) };
}

START_TEST(random_graphs)
{
    peft_context *ctx = tiny_context(NULL, 1);
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        source s = random_source(ctx, seed);
        char name[48];
        snprintf(name, sizeof name, "random graph %d", (int)seed);
        check_passes(&s, name);
    }
    printf("random graphs with passes left out: largest relative difference %.2g\n", farthest);
    peft_context_free(ctx);
}
END_TEST

static bool same_graph(const pf_graph *a, const pf_graph *b)
{
    bool same = a->nodes == b->nodes && a->prefix == b->prefix && a->values == b->values;
    for (uint32_t i = 0; i < a->nodes && same; i++)
        same = a->node[i].op == b->node[i].op && !memcmp(a->node[i].in, b->node[i].in, sizeof a->node[i].in)
            && !memcmp(a->node[i].out, b->node[i].out, sizeof a->node[i].out);
    for (uint32_t v = 1; v < a->values && same; v++) same = pf_eq(a->value[v].view_of, b->value[v].view_of);
    return same;
}

/* left_out NO_PASS + 1: pf_compile */
static bool compiles_alike(peft_context *ctx, uint64_t seed, unsigned left_out)
{
    source s = random_source(ctx, seed);
    lab l[2];
    plant(&l[0], &s);
    plant(&l[1], &s);
    run_passes(&l[0], 0);
    if (left_out <= NO_PASS) run_passes(&l[1], left_out);
    else LAB_OK(&l[1], pf_compile(&l[1].g, l[1].end));
    bool same = same_graph(&l[0].g, &l[1].g);
    lab_close(&l[0]);
    lab_close(&l[1]);
    return same;
}

START_TEST(the_table_is_compile)
{
    peft_context *ctx = tiny_context(NULL, 1);
    for (uint64_t seed = 1; seed <= 20; seed++)
        ck_assert_msg(compiles_alike(ctx, seed, NO_PASS + 1), "compile.c has other passes than the table of this test");
    for (int i = 0; i < PASSES; i++) {
        uint64_t seed = 1;
        if (!passes[i].run || !strncmp(passes[i].name, "clean", 5)) continue;        /* a later clean does as well */
        while (seed <= GRAPHS && compiles_alike(ctx, seed, 1u << i)) seed++;
        ck_assert_msg(seed <= GRAPHS, "pass %s found nothing to do on any random graph", passes[i].name);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(naive_is_planned)
{
    peft_context *ctx = tiny_context(NULL, 1);
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        source s = random_source(ctx, seed);
        lab l[2];
        for (int k = 0; k < 2; k++) {
            plant(&l[k], &s);
            lab_compile(&l[k], k ? PF_PLAN_NAIVE : 0);
            lab_run(&l[k]);
        }
        const pf_graph *g = &l[0].e.g;
        ck_assert_uint_eq(g->values, l[1].e.g.values);
        for (uint32_t v = 1; v < g->values; v++) {
            if (!g->value[v].keep || !l[0].e.run.ptr[v]) continue;
            size_t bytes = (size_t)pf_shape_count(&g->value[v].shape) * sizeof(pk_real);
            ck_assert_msg(!memcmp(l[0].e.run.ptr[v], l[1].e.run.ptr[v], bytes), "graph %d: kept value %u differs",
                          (int)seed, v);
        }
        for (size_t i = 0; i < l[0].params.count; i++) {
            const pf_param *p = l[0].params.item[i], *q = l[1].params.item[i];
            bool same = !memcmp(p->grad.data, q->grad.data, pf_tensor_bytes(&p->value));
            ck_assert_msg(same, "graph %d: gradient of %s differs", (int)seed, p->name);
        }
        lab_close(&l[0]);
        lab_close(&l[1]);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(methods)
{
    static const char *const backbone[] = {
        "", "layer_scale=true,registers=2,norm_pre=true,qkv_bias=false", "pool=mean,act=quickgelu" };
    for (size_t m = 0; m < peft_method_count(); m++)
        for (size_t v = 0; v < sizeof backbone / sizeof *backbone; v++) {
            tiny t = tiny_make(&(tiny_spec){ .backbone = "image_size=8,patch=4,width=24,mlp=40,depth=2,heads=3",
                .more = backbone[v], .method = peft_method_name(m),
                .model = v == 1 ? "classes=3,head=mlp" : "classes=3" });
            tiny_batch b = tiny_batch_make(t.model, 2, 0);
            pk_real images[2 * 3 * 8 * 8];
            pf_to_real(images, peft_tensor_cdata(b.images), PEFT_F32, 2 * 3 * 8 * 8);
            for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
                pf_param *p = peft_model_param(t.model, i);
                tiny_shake_tensor(&p->value, p->name, 0.5);
                p->grad.data = pf_alloc_zero(t.ctx, pf_tensor_bytes(&p->value));
            }
            const source s = { .ctx = t.ctx, .model = t.model, .images = images };
            check_passes(&s, peft_method_name(m));
            for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
                pf_param *p = peft_model_param(t.model, i);
                pf_free(t.ctx, p->grad.data);
                p->grad.data = NULL;
            }
            tiny_batch_free(&b);
            tiny_free(&t);
        }
    printf("models with passes left out: largest relative difference %.2g\n", farthest);
}
END_TEST

SUITE_MAIN("passes", operations, random_graphs, the_table_is_compile, naive_is_planned, methods)
