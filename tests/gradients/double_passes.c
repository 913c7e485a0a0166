/* SPDX-License-Identifier: Apache-2.0
 * double_passes.c -- graph passes do not change results: without any one of them, and without all, the loss, gradients
 * and kept values are the same to rounding, for the graphs of all operations, random graphs, and the models of every
 * method in training and inference. And the memory plan gives bit for bit the results of the naive plan.
 * Values kept in bf16 change the gradients of random graphs by rounding alone. */
#include "method_model.h"
#include "core/graph/passes/passes.h"
#include "graph/op_cases.h"
#include "graph/random_graph.h"

/* Compiles without the passes of this list, such as "share,fuse"; NULL: with all. The recompute pass gets a limit that
 * no plan is within, so that it computes again what it can. */
static void compile_without(lab *l, const char *without)
{
    const size_t no_limit = 0, least = 1;
    l->g.spec.without = without;
    LAB_OK(l, pf_compile(&l->g, l->loss_val));
    l->g.spec.memory_limit = least;
    LAB_OK(l, pf_compile_memory(&l->g));
    l->g.spec.memory_limit = no_limit;
}

/* The names of all optional passes. */
static const char *every_pass(void)
{
    static char names[256];
    *names = 0;
    for (const pf_pass *p = pf_passes; p->name; p++)
        if (!p->required)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? "," : "", p->name);
    return names;
}

/* The results of a graph: the loss, and as pieces of `data` first all gradients, then all kept values. */
enum { MAX_PIECES = 320 };
typedef struct results {
    double loss, largest_gradient;
    pk_real *data;
    int64_t total, count[MAX_PIECES];
    size_t pieces, gradients;
} results;

/* Appends a gradient or a kept value. */
static void add_piece(results *r, const pk_real *x, int64_t count)
{
    ck_assert_uint_lt(r->pieces, MAX_PIECES);
    r->data = realloc(r->data, (size_t)(r->total + count) * sizeof *r->data);
    memcpy(r->data + r->total, x, (size_t)count * sizeof *x);
    r->total += count;
    r->count[r->pieces++] = count;
}

/* Runs the graph in l and takes the gradients of the n parameters p. */
static results take_results(lab *l, pf_param *const *p, size_t n)
{
    results r = { .loss = lab_run(l) };
    if (!pf_exists(l->loss_val)) n = 0;
    for (size_t i = 0; i < n; i++) add_piece(&r, p[i]->grad.data, peft_tensor_count(&p[i]->value));
    r.gradients = r.pieces;
    r.largest_gradient = largest(r.data, r.total);
    for (uint32_t v = 1; v < l->e.g.values; v++) {
        if (!l->e.g.value[v].keep || v == l->loss_val.id) continue;
        ck_assert_msg(l->e.run.ptr[v], "kept value %u has no memory", v);
        add_piece(&r, l->e.run.ptr[v], pf_shape_count(&l->e.g.value[v].shape));
    }
    return r;
}

/* The largest relative difference. The unit of a piece is its largest element, for gradients at least 1e-4 of the
 * largest gradient. */
static double distance(const results *a, const results *b)
{
    double worst = fabs(a->loss - b->loss) / fmax(fabs(b->loss), 1e-3);
    const pk_real *x = a->data, *y = b->data;
    ck_assert_uint_eq(a->pieces, b->pieces);
    for (size_t i = 0; i < b->pieces; x += b->count[i], y += b->count[i], i++) {
        double unit = fmax(fmax(largest(y, b->count[i]), i < b->gradients ? 1e-4 * b->largest_gradient : 0), 1e-30);
        for (int64_t k = 0; k < b->count[i]; k++) {
            double error = fabs((double)x[k] - (double)y[k]) / unit;
            if (!(error <= worst)) worst = error;
        }
    }
    return worst;
}

/* Where a graph comes from: a case of op_cases.h if c is set, else a model if model is set, else random numbers. */
typedef struct source {
    peft_context *ctx;
    const op_case *c; int variant; lab_form form;            /* the case, its variant and the form of its inputs */
    int length; uint64_t seed;                               /* of a random graph: number of operations, seed */
    peft_model *model; const void *images; bool inference;   /* a model, and the images to run it on */
} source;

enum { IMAGES = 5, SIDE = 8 };               /* five images: with two or three, batch norm amplifies rounding */

/* Opens the lab with the graph of s, not compiled. One random graph of four trains all leaves, the others some. */
static void build_graph(lab *l, const source *s)
{
    if (s->c) {
        open_case(l, s->ctx, s->c, s->variant, s->form, LAB_TRAIN_ALL);
        return;
    }
    const pf_rng r = { .seed = s->seed, .b = 3 };
    uint64_t trained = s->seed % 4 ? (uint64_t)pf_rng_u32(&r, 0) << 32 | pf_rng_u32(&r, 1) : LAB_TRAIN_ALL;
    lab_open(l, s->ctx, s->seed, trained, PLAIN);
    if (!s->model) {
        random_graph(l, s->length);
        return;
    }
    l->g.batch = IMAGES;
    l->g.spec.training = !s->inference;
    const pf_tap_fn no_tap = NULL;
    pf_val logits = pf_model_forward(s->model, &l->g, pf_model_images(s->model, &l->g), no_tap, NULL);
    LAB_OK(l, l->g.status);
    if (s->inference) pf_v(&l->g, logits)->keep = true;
    else lab_loss(l, logits);
}

/* Writes the trained parameters to `to`; returns their number. */
static size_t params_of(const source *s, const lab *l, pf_param **to)
{
    size_t n = s->model ? peft_model_param_count(s->model) : l->params.count;
    ck_assert_uint_le(n, 256);
    for (size_t i = 0; i < n; i++) to[i] = s->model ? peft_model_param(s->model, i) : l->params.item[i];
    return n;
}

static double largest_distance;                              /* of all comparisons of a test */

/* Runs the graph; compares with *want, or fills it where it is empty. */
static void run_and_compare(const source *s, const char *without, results *want, const char *what)
{
    lab l;
    pf_param *p[256];
    build_graph(&l, s);
    compile_without(&l, without);
    lab_bind(&l, LAB_USUAL_PLAN);
    pf_exec_bind_input(&l.e, pf_input_find(&l.e.g, "images"), s->images);
    size_t n = params_of(s, &l, p);
    for (size_t i = 0; i < n; i++) memset(p[i]->grad.data, 0, pf_tensor_bytes(&p[i]->value));
    results got = take_results(&l, p, n);
    ck_assert_msg(isfinite(got.loss) && isfinite(got.largest_gradient), "%s: loss %g, gradients up to %g", what,
                  got.loss, got.largest_gradient);
    if (want->pieces) {
        double d = distance(&got, want);
        ck_assert_msg(d <= 1e-12, "%s: relative difference %g", what, d);
        largest_distance = fmax(largest_distance, d);
        free(got.data);
    } else *want = got;
    lab_close(&l);
}

/* The results without all optional passes, with all, and without each one are the same. */
static void check_passes(const source *s, const char *name)
{
    results want = { 0 };
    char what[160];
    run_and_compare(s, every_pass(), &want, name);
    run_and_compare(s, NULL, &want, name);
    for (const pf_pass *p = pf_passes; p->name; p++) {
        if (p->required) continue;
        snprintf(what, sizeof what, "%s without pass %s", name, p->name);
        run_and_compare(s, p->name, &want, what);
    }
    free(want.data);
}

START_TEST(passes_change_no_result_of_operations)
{
    source s = { .ctx = tiny_plain_context() };
    char name[96];
    for (int c = 0; c < OP_CASES; c++)
        for (s.variant = 0; s.variant < op_cases[c].variants; s.variant++)
            for (s.form = PLAIN; s.form < LAB_FORMS; s.form += 2) {          /* PLAIN and COLUMNS, to save time */
                s.c = &op_cases[c];
                snprintf(name, sizeof name, "%s, variant %d, inputs in form %d", s.c->name, s.variant, s.form);
                check_passes(&s, name);
            }
    printf("operations with passes left out: largest relative difference %.2g\n", largest_distance);
    peft_context_free(s.ctx);
}
END_TEST

enum { GRAPHS = 200 };

/* The random graph of this seed: 5 to 30 operations. */
static source random_source(peft_context *ctx, uint64_t seed)
{
    return (source){ .ctx = ctx, .seed = seed, .length = 5 + (int)(seed % 26) };
}

START_TEST(passes_change_no_result_of_random_graphs)
{
    peft_context *ctx = tiny_plain_context();
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        source s = random_source(ctx, seed);
        char name[48];
        snprintf(name, sizeof name, "random graph %d", (int)seed);
        check_passes(&s, name);
    }
    printf("random graphs with passes left out: largest relative difference %.2g\n", largest_distance);
    peft_context_free(ctx);
}
END_TEST

/* The graphs have the same operations on the same values, and the same views. */
static bool same_graph(const pf_graph *a, const pf_graph *b)
{
    bool same = a->nodes == b->nodes && a->prefix == b->prefix && a->values == b->values;
    for (uint32_t i = 0; i < a->nodes && same; i++)
        same = a->node[i].op == b->node[i].op && !memcmp(a->node[i].in, b->node[i].in, sizeof a->node[i].in)
            && !memcmp(a->node[i].out, b->node[i].out, sizeof a->node[i].out);
    for (uint32_t v = 1; v < a->values && same; v++) same = pf_eq(a->value[v].view_of, b->value[v].view_of);
    return same;
}

/* A random graph with values kept in bf16 compiles to the same graph with and without a pass. */
static bool compiles_to_the_same(peft_context *ctx, uint64_t seed, const char *without)
{
    source s = random_source(ctx, seed);
    lab l[2];
    for (int i = 0; i < 2; i++) {
        build_graph(&l[i], &s);
        l[i].g.spec.keep = PK_BF16;
        compile_without(&l[i], i ? without : NULL);
    }
    bool same = same_graph(&l[0].g, &l[1].g);
    lab_close(&l[0]);
    lab_close(&l[1]);
    return same;
}

START_TEST(every_pass_changes_some_random_graph)
{
    peft_context *ctx = tiny_plain_context();
    for (const pf_pass *p = pf_passes; p->name; p++) {
        uint64_t seed = 1;
        if (p->required || p->run == pf_pass_clean) continue;        /* a later run of the clean pass does its work */
        while (seed <= GRAPHS && compiles_to_the_same(ctx, seed, p->name)) seed++;
        ck_assert_msg(seed <= GRAPHS, "pass %s found nothing to do on any random graph", p->name);
    }
    peft_context_free(ctx);
}
END_TEST

/* The results of a random graph with this plan and values kept in this type. */
static results run_plan(const source *s, unsigned flags, pk_dtype keep)
{
    lab l;
    build_graph(&l, s);
    l.g.spec.keep = keep;
    LAB_OK(&l, pf_compile(&l.g, l.loss_val));
    LAB_OK(&l, pf_compile_memory(&l.g));
    lab_bind(&l, flags);
    const results r = take_results(&l, l.params.item, l.params.count);
    lab_close(&l);
    return r;
}

static void check_plans(pk_dtype keep)
{
    peft_context *ctx = tiny_plain_context();
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        const source s = random_source(ctx, seed);
        const results r[2] = { run_plan(&s, LAB_USUAL_PLAN, keep), run_plan(&s, PF_PLAN_NAIVE, keep) };
        bool same = r[0].total == r[1].total && !memcmp(&r[0].loss, &r[1].loss, sizeof r[0].loss)
            && !memcmp(r[0].data, r[1].data, (size_t)r[0].total * sizeof *r[0].data);
        ck_assert_msg(same, "random graph %d: the plans differ", (int)seed);
        free(r[0].data);
        free(r[1].data);
    }
    peft_context_free(ctx);
}

START_TEST(planned_memory_gives_the_bits_of_the_naive_plan) { check_plans(PK_REAL); }
END_TEST

START_TEST(it_does_with_values_kept_in_bf16) { check_plans(PK_BF16); }
END_TEST

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kept values that are rounded change no loss, and gradients by little: in half of the graphs by less than the rounding
 * of one number, 2^-9, in nine of ten by less than 2^-7. In some the gradient is a small difference of large terms,
 * whose roundings remain; that has no limit. */
START_TEST(rounded_values_change_gradients_little)
{
    double distance[GRAPHS];
    peft_context *ctx = tiny_plain_context();
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        const source s = random_source(ctx, seed);
        const results exact = run_plan(&s, LAB_USUAL_PLAN, PK_REAL), rounded = run_plan(&s, LAB_USUAL_PLAN, PK_BF16);
        double difference = 0, length = 0;
        ck_assert_msg(!memcmp(&exact.loss, &rounded.loss, sizeof exact.loss), "random graph %d: another loss",
                      (int)seed);
        for (int64_t i = 0; i < exact.total; i++) {
            difference += (exact.data[i] - rounded.data[i]) * (exact.data[i] - rounded.data[i]);
            length += exact.data[i] * exact.data[i];
        }
        distance[seed - 1] = length > 0 ? sqrt(difference / length) : 0;
        free(exact.data);
        free(rounded.data);
    }
    qsort(distance, GRAPHS, sizeof *distance, ascending);
    const double half = distance[GRAPHS / 2], most = distance[GRAPHS / 10 * 9], worst = distance[GRAPHS - 1];
    printf("random graphs with values kept in bf16, relative distance of the gradients: half of them below %.2g, nine "
           "of ten below %.2g, all below %.2g\n", half, most, worst);
    ck_assert_msg(half < 0x1p-9 && most < 0x1p-7, "half of the graphs below %g, nine of ten below %g", half, most);
    ck_assert_msg(worst > 0, "no value was rounded");
    peft_context_free(ctx);
}
END_TEST

/* x + x w^T compiles to one linear operation with x as two of its inputs. Its result could overwrite the addend, but x
 * is also the factor, which is still read. */
START_TEST(a_result_does_not_overwrite_an_input_that_is_still_read)
{
    enum { ROWS = 5, WIDTH = 24 };
    peft_context *ctx = tiny_plain_context();
    pk_real got[2][ROWS * WIDTH];
    for (int naive = 0; naive < 2; naive++) {
        lab l;
        lab_open(&l, ctx, 1, LAB_TRAIN_ALL, PLAIN);
        l.g.spec.training = false;
        pf_val x = peft_sys_scale(&l.g, LEAF(&l, ROWS, WIDTH), 0.5);
        pf_val y = peft_sys_add(&l.g, x, peft_sys_linear(&l.g, x, LEAF(&l, WIDTH, WIDTH), PF_NONE));
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, y)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, naive ? PF_PLAN_NAIVE : LAB_USUAL_PLAN);
        const pf_node *last = &l.e.g.node[l.e.g.nodes - 1];
        ck_assert_ptr_eq(last->op, &pf_op_linear);
        /* inputs 0 and 3 of a linear operation: the factor and the addend */
        ck_assert_uint_eq(last->in[0].id, last->in[3].id);
        ck_assert_uint_eq(last->out[0].id, y.id);
        /* Equal results alone would not show it: some GEMMs copy all of x before they write. */
        ck_assert_msg(l.e.run.ptr[y.id] != l.e.run.ptr[last->in[0].id], "the result lies in the memory of x");
        pf_exec_run(&l.e, 0, l.e.g.nodes);
        memcpy(got[naive], pf_exec_data(&l.e, y), sizeof got[0]);
        lab_close(&l);
    }
    ck_assert_mem_eq(got[0], got[1], sizeof got[0]);
    peft_context_free(ctx);
}
END_TEST

START_TEST(passes_change_no_result_of_any_method)
{
    static const struct { const char *backbone, *model; } forms[] = {
        { "", "" }, { ",layer_scale=true,registers=2,norm_pre=true,qkv_bias=false", "pool=mean" },
        { ",pool=mean,act=quickgelu", "head=bn_linear" } };
    peft_context *ctx = tiny_plain_context();
    char backbone[120], name[60];
    for (size_t m = 0; m < tiny_method_count(); m++)
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
            snprintf(backbone, sizeof backbone, "image_size=%d,patch=4,depth=2%s", SIDE, forms[f].backbone);
            tiny t = method_model(ctx, backbone, tiny_method_name(m), NULL, LAB_CLASSES, forms[f].model);
            ck_assert_msg(t.model, "%s: %s", tiny_method_name(m), peft_last_error());
            tiny_batch b = tiny_first_batch(t.model, IMAGES);
            pk_real images[IMAGES * 3 * SIDE * SIDE];
            pf_to_real(images, peft_tensor_cdata(b.images), PEFT_F32, IMAGES * 3 * SIDE * SIDE);
            for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
                pf_param *p = peft_model_param(t.model, i);
                p->grad.data = pf_alloc_zero(ctx, pf_tensor_bytes(&p->value));
            }
            for (int inference = 0; inference < 2; inference++) {
                const source s = { .ctx = ctx, .model = t.model, .images = images, .inference = inference };
                snprintf(name, sizeof name, "%s, form %zu%s", tiny_method_name(m), f, inference ? ", inference" : "");
                check_passes(&s, name);
            }
            for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
                pf_param *p = peft_model_param(t.model, i);
                pf_free(ctx, p->grad.data);
                p->grad.data = NULL;
            }
            tiny_batch_free(&b);
            method_model_free(&t);
        }
    printf("models with passes left out: largest relative difference %.2g\n", largest_distance);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("passes", passes_change_no_result_of_operations, passes_change_no_result_of_random_graphs,
           every_pass_changes_some_random_graph, planned_memory_gives_the_bits_of_the_naive_plan,
           it_does_with_values_kept_in_bf16, rounded_values_change_gradients_little,
           a_result_does_not_overwrite_an_input_that_is_still_read, passes_change_no_result_of_any_method)
