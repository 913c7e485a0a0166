/* SPDX-License-Identifier: Apache-2.0
 * double_prompts.c -- vfpt, cvpt, dvpt and apt in double precision: blocks of cvpt and dvpt against a direct
 * computation from the backbone's tensors; the transform of vfpt is symmetric and equals its defining sum; the order of
 * prompts does not matter; which tensors of dvpt have a gradient at the start; apt with prompts of zero changes
 * nothing. */
#include <math.h>
#include "invariants.h"

/* --- a transformer block, computed directly ------------------------------------------------------------------ */
enum { WIDTH = 24, HEADS = 3, HIDDEN = 40, ROWS = 32 };      /* of BACKBONE; ROWS: the most rows */
static const double eps = 1e-6;
typedef struct rows { int n, width; double x[ROWS][HIDDEN]; } rows;

/* The data of a tensor of the backbone, or of a parameter of the model; NULL: neither has this name. */
__attribute__((format(printf, 2, 3)))
static const pk_real *tensor(const tiny *t, const char *format, ...)
{
    char name[64];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    for (size_t i = 0; i < t->backbone->weights; i++)
        if (!strcmp(t->backbone->weight[i].name, name)) return peft_tensor_cdata(&t->backbone->weight[i].tensor);
    peft_param *p = peft_model_find_param(t->model, name);
    return p ? peft_tensor_cdata(peft_param_value(p)) : NULL;
}

static rows rows_of(const pk_real *x, int n, int width)
{
    rows r = { .n = n, .width = width };
    for (int i = 0; i < n * width; i++) r.x[i / width][i % width] = (double)x[i];
    return r;
}

/* Rows first .. first + n - 1. */
static rows part(const rows *x, int first, int n)
{
    rows y = { .n = n, .width = x->width };
    memcpy(y.x, x->x + first, (size_t)n * sizeof *y.x);
    return y;
}

/* x w^T + b with w [width,x->width]; b NULL: 0 */
static rows linear(rows x, int width, const pk_real *w, const pk_real *b)
{
    rows y = { .n = x.n, .width = width };
    for (int i = 0; i < x.n; i++)
        for (int j = 0; j < width; j++) {
            double sum = b ? (double)b[j] : 0;
            for (int c = 0; c < x.width; c++) sum += x.x[i][c] * (double)w[j * x.width + c];
            y.x[i][j] = sum;
        }
    return y;
}

static rows add(rows x, rows y)
{
    for (int i = 0; i < x.n; i++) for (int c = 0; c < x.width; c++) x.x[i][c] += y.x[i][c];
    return x;
}

static rows norm(rows x, const pk_real *w, const pk_real *b)
{
    for (int i = 0; i < x.n; i++) {
        double mean = 0, square = 0;
        for (int c = 0; c < x.width; c++) mean += x.x[i][c] / x.width;
        for (int c = 0; c < x.width; c++) square += (x.x[i][c] - mean) * (x.x[i][c] - mean) / x.width;
        for (int c = 0; c < x.width; c++)
            x.x[i][c] = (x.x[i][c] - mean) / sqrt(square + eps) * (double)w[c] + (double)b[c];
    }
    return x;
}

static rows softmax_attention(rows q, rows k, rows v, int heads)
{
    const int head = q.width / heads;
    rows y = { .n = q.n, .width = q.width };
    for (int i = 0; i < q.n; i++)
        for (int first = 0; first < q.width; first += head) {
            double e[ROWS], sum = 0;
            for (int j = 0; j < k.n; j++) {
                double dot = 0;
                for (int c = first; c < first + head; c++) dot += q.x[i][c] * k.x[j][c];
                sum += e[j] = exp(dot / sqrt((double)head));
            }
            for (int j = 0; j < k.n; j++)
                for (int c = first; c < first + head; c++) y.x[i][c] += e[j] / sum * v.x[j][c];
        }
    return y;
}

/* Third `part` of the block's qkv layer. */
static rows third(const tiny *t, int layer, int part, rows x)
{
    const pk_real *b = tensor(t, "blocks.%d.attn.qkv.bias", layer);
    return linear(x, WIDTH, tensor(t, "blocks.%d.attn.qkv.weight", layer) + part * WIDTH * WIDTH,
                  b ? b + part * WIDTH : NULL);
}

/* The block's attention layer with these queries, keys and values. */
static rows attend(const tiny *t, int layer, rows queries, rows keys)
{
    const rows y = softmax_attention(third(t, layer, 0, queries), third(t, layer, 1, keys), third(t, layer, 2, keys),
                                     HEADS);
    return linear(y, WIDTH, tensor(t, "blocks.%d.attn.proj.weight", layer),
                  tensor(t, "blocks.%d.attn.proj.bias", layer));
}

static rows mlp(const tiny *t, int layer, rows x)
{
    x = linear(x, HIDDEN, tensor(t, "blocks.%d.mlp.fc1.weight", layer), tensor(t, "blocks.%d.mlp.fc1.bias", layer));
    for (int i = 0; i < x.n; i++)
        for (int c = 0; c < HIDDEN; c++) x.x[i][c] *= 0.5 * (1 + erf(x.x[i][c] / sqrt(2)));
    return linear(x, WIDTH, tensor(t, "blocks.%d.mlp.fc2.weight", layer), tensor(t, "blocks.%d.mlp.fc2.bias", layer));
}

static rows norm_of(const tiny *t, int layer, int number, rows x)
{
    return norm(x, tensor(t, "blocks.%d.norm%d.weight", layer, number),
                tensor(t, "blocks.%d.norm%d.bias", layer, number));
}

/* --- cvpt, dvpt ------------------------------------------------------------------------------------------------- */
enum { PROMPTS = 3, INNER = 6, SHARE = 2 };

/* A block of cvpt. */
static rows cvpt_block(const tiny *t, int layer, int insert, rows x)
{
    const rows prompts = rows_of(tensor(t, "Prompt_Tokens") + layer * PROMPTS * WIDTH, PROMPTS, WIDTH);
    if (insert == 1) x = add(x, attend(t, layer, x, prompts));
    const rows a = norm_of(t, layer, 1, x), before = x;
    x = add(x, attend(t, layer, a, a));
    if (insert == 2) x = add(x, attend(t, layer, before, prompts));
    if (insert == 3) x = add(x, attend(t, layer, x, prompts));
    rows n = norm_of(t, layer, 2, x);
    if (insert == 4) n = add(n, attend(t, layer, x, prompts));
    x = add(x, mlp(t, layer, n));
    return insert == 5 ? add(x, attend(t, layer, x, prompts)) : x;
}

/* A block of dvpt; paper: its option form=paper. */
static rows dvpt_block(const tiny *t, int layer, int paper, rows x)
{
    enum { ONE_HEAD = 1 };
    const char *name = "share_mlp.%d.prompt_%s";
    const int group = layer / SHARE;
    const rows a = norm_of(t, layer, 1, x);
    x = add(x, attend(t, layer, a, a));
    rows u = linear(x, INNER, tensor(t, name, group, "key_proj_d.weight"), tensor(t, name, group, "key_proj_d.bias"));
    for (int i = 0; i < u.n; i++) for (int c = 0; c < INNER; c++) u.x[i][c] /= 1 + exp(-1.702 * u.x[i][c]);
    if (paper) {
        const rows others = part(&u, PROMPTS, u.n - PROMPTS);
        const rows seen = softmax_attention(part(&u, 0, PROMPTS), others, others, ONE_HEAD);
        memcpy(u.x, seen.x, PROMPTS * sizeof *u.x);
    }
    u = linear(u, WIDTH, tensor(t, name, group, "key_proj_u.weight"), tensor(t, name, group, "key_proj_u.bias"));
    for (int i = 0; i < u.n; i++) for (int c = 0; c < WIDTH; c++) u.x[i][c] *= (double)*tensor(t, name, group, "gate");
    return add(add(x, mlp(t, layer, norm_of(t, layer, 2, x))), u);
}

/* Compares every block that the library computes, from its own input, with `block`. */
static void check_blocks(const variant *v, rows (*block)(const tiny *, int, int, rows), int form)
{
    static const char *const taps[] = { "embed", "block.0", "block.1", "block.2" };
    tiny t = make_variant(v);
    tiny_perturb(t.model);
    tiny_batch b = tiny_batch_make(t.model, BATCH, 0);
    peft_session *s = tiny_session(t.model, "batch=%d,taps=\"embed,block.0,block.1,block.2\"", BATCH);
    peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, BATCH, (int)t.model->classes);
    OK(peft_session_predict(s, b.images, logits));
    for (int l = 0; l < 3; l++) {
        const peft_tensor *in = tiny_tap(s, taps[l]), *out = tiny_tap(s, taps[l + 1]);
        const int n = (int)(peft_tensor_count(in) / BATCH / WIDTH);
        const pk_real *x = peft_tensor_cdata(in), *y = peft_tensor_cdata(out);
        for (int sample = 0; sample < BATCH; sample++, x += n * WIDTH, y += n * WIDTH) {
            const rows want = block(&t, l, form, rows_of(x, n, WIDTH));
            for (int i = 0; i < n * WIDTH; i++)
                ck_assert_msg(fabs((double)y[i] - want.x[i / WIDTH][i % WIDTH]) <= 1e-11,
                              "%s %s, block %d: %.15g, directly %.15g", v->method, v->options, l, (double)y[i],
                              want.x[i / WIDTH][i % WIDTH]);
        }
    }
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
    tiny_free(&t);
}

START_TEST(blocks_of_cvpt_equal_a_direct_computation)
{
    for (int insert = 1; insert <= 5; insert++)
        for (int bias = 0; bias < 2; bias++) {
            char options[32];
            snprintf(options, sizeof options, "insert=%d", insert);
            check_blocks(&(variant){ .method = "cvpt", .options = options,
                                     .backbone = bias ? NULL : "qkv_bias=false" }, cvpt_block, insert);
        }
}
END_TEST

START_TEST(blocks_of_dvpt_equal_a_direct_computation)
{
    check_blocks(&(variant){ .method = "dvpt", .options = "share=2,form=released" }, dvpt_block, false);
    check_blocks(&(variant){ .method = "dvpt", .options = "share=2,form=paper" }, dvpt_block, true);
}
END_TEST

/* The gate is zero at the start, so that the bottleneck has no effect and of its tensors only the gate has a gradient.
 * After a step the others have one too. */
START_TEST(a_bottleneck_of_dvpt_begins_with_its_gate)
{
    tiny t = VARIANT(.method = "dvpt", .options = "form=paper", .classes = 4);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {       /* a head of zeros has no gradient below it */
        peft_param *p = peft_model_param(t.model, i);
        if (strstr(peft_param_name(p), "head")) tiny_perturb_tensor(peft_param_value(p), peft_param_name(p), 0.5);
    }
    peft_tensor *start = logits_of(&t);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        peft_param *p = peft_model_param(t.model, i);
        if (strstr(peft_param_name(p), "key_proj"))
            tiny_perturb_tensor(peft_param_value(p), peft_param_name(p), 0.5);
    }
    ck_assert_double_le(difference(logits_of(&t), start), 1e-14);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,optimizer=sgd,lr=0.1", BATCH);
    for (int step = 0; step < 2; step++) {
        tiny_step(r, BATCH, 0);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            const peft_param *p = peft_model_param(t.model, i);
            const double g = largest(peft_tensor_cdata(peft_param_grad(p)), peft_tensor_count(peft_param_grad(p)));
            const bool none_yet = !step && strstr(peft_param_name(p), "key_proj");
            ck_assert_msg(none_yet ? g == 0 : g > 1e-9, "step %d, %s: gradient %g", step, peft_param_name(p), g);
        }
    }
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* --- apt -------------------------------------------------------------------------------------------------------- */
START_TEST(apt_with_prompts_of_zero_changes_nothing)
{
    tiny t = VARIANT(.method = "apt"), plain = VARIANT(0);
    tiny_perturb(t.model);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        peft_tensor *p = peft_param_value(peft_model_param(t.model, i));
        const char *name = peft_param_name(peft_model_param(t.model, i));
        if (strstr(name, "mm_tokens") || strstr(name, "scale"))
            memset(peft_tensor_data(p), 0, (size_t)peft_tensor_count(p) * sizeof(pk_real));
    }
    ck_assert_double_le(difference(logits_of(&t), logits_of(&plain)), 1e-14);
    tiny_free(&t);
    tiny_free(&plain);
}
END_TEST

/* --- vfpt ------------------------------------------------------------------------------------------------------- */
enum { FOURIER = 5 };                    /* prompts, of which all are transformed */

/* Sets the prompts of block 0. */
static void set_prompts(const tiny *t, const double x[FOURIER][WIDTH])
{
    pk_real *p = peft_tensor_data(peft_param_value(peft_model_find_param(t->model, "prompt_embeddings")));
    for (int i = 0; i < FOURIER * WIDTH; i++) p[i] = (pk_real)x[i / WIDTH][i % WIDTH];
}

/* A shallow vfpt on a backbone whose blocks change nothing, so that the tap block.0 shows the transformed prompts. */
static tiny transparent(const char *options)
{
    tiny t = VARIANT(.method = "vfpt", .options = options);
    for (size_t i = 0; i < t.backbone->weights; i++) {
        peft_tensor *w = &t.backbone->weight[i].tensor;
        const char *name = t.backbone->weight[i].name;
        if (strstr(name, "attn.proj") || strstr(name, "mlp.fc2"))
            memset(peft_tensor_data(w), 0, (size_t)peft_tensor_count(w) * sizeof(pk_real));
    }
    return t;
}

/* The transform of x by the library: rows 1 .. FOURIER of the tokens. */
static void transform(const tiny *t, const double x[FOURIER][WIDTH], double y[FOURIER][WIDTH])
{
    set_prompts(t, x);
    tiny_batch b = tiny_batch_make(t->model, 1, 0);
    peft_session *s = tiny_session(t->model, "batch=1,taps=block.0");
    peft_tensor *logits = tiny_tensor(t->ctx, PF_REAL, 2, 1, (int)t->model->classes);
    OK(peft_session_predict(s, b.images, logits));
    const pk_real *tokens = peft_tensor_cdata(tiny_tap(s, "block.0"));
    for (int i = 0; i < FOURIER * WIDTH; i++) y[i / WIDTH][i % WIDTH] = (double)tokens[WIDTH + i];
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
}

static void draw(double x[FOURIER][WIDTH], uint64_t stream)
{
    for (int i = 0; i < FOURIER * WIDTH; i++) x[i / WIDTH][i % WIDTH] = tiny_random(stream, (uint64_t)i);
}

static double dot(const double x[FOURIER][WIDTH], const double y[FOURIER][WIDTH])
{
    double sum = 0;
    for (int i = 0; i < FOURIER * WIDTH; i++) sum += x[i / WIDTH][i % WIDTH] * y[i / WIDTH][i % WIDTH];
    return sum;
}

/* Element (j, k) of the transform of x by its definition. first, n: the rows that are transformed together. */
static double by_definition(const double x[FOURIER][WIDTH], int first, int n, int j, int k, bool rows, bool channels)
{
    const double turn = 2 * acos(-1);
    double sum = 0;
    for (int a = 0; a < n; a++)
        for (int c = 0; c < WIDTH; c++) {
            if ((!rows && a != j - first) || (!channels && c != k)) continue;
            sum += x[first + a][c] * cos(turn * ((rows ? (double)(a * (j - first)) / n : 0)
                                                 + (channels ? (double)(c * k) / WIDTH : 0)));
        }
    return sum;
}

START_TEST(the_transform_of_vfpt_is_symmetric_and_equals_its_sum)
{
    static const struct { const char *options; int first, n; bool rows, channels; } cases[] = {
        { "fraction=1", 0, 5, true, true }, { "fraction=1,transform=hidden", 0, 5, false, true },
        { "fraction=1,transform=sequence", 0, 5, true, false }, { "fraction=0.2,transform=hidden", 0, 1, false, true },
        { "fraction=0.5", 0, 2, true, true }, { "fraction=0.5,location=last", 3, 2, true, true },
        { "fraction=0.6,location=last,transform=sequence", 2, 3, true, false }, { "fraction=0", 0, 0, false, false },
        { "fraction=1,location=random", 0, 5, false, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char options[96];
        double x[FOURIER][WIDTH], y[FOURIER][WIDTH], tx[FOURIER][WIDTH], ty[FOURIER][WIDTH];
        snprintf(options, sizeof options, "tokens=%d,deep=false,%s", FOURIER, cases[i].options);
        tiny t = transparent(options);
        draw(x, 1);
        draw(y, 2);
        transform(&t, x, tx);
        transform(&t, y, ty);
        ck_assert_msg(fabs(dot(tx, y) - dot(x, ty)) <= 1e-10, "%s: not symmetric", options);
        for (int j = 0; j < FOURIER; j++)
            for (int k = 0; k < WIDTH; k++) {
                const bool inside = j >= cases[i].first && j < cases[i].first + cases[i].n;
                const double want = inside ? by_definition(x, cases[i].first, cases[i].n, j, k, cases[i].rows,
                                                           cases[i].channels) : x[j][k];
                ck_assert_msg(fabs(tx[j][k] - want) <= 1e-11, "%s: [%d,%d] is %.15g, expected %.15g", options, j, k,
                              tx[j][k], want);
            }
        tiny_free(&t);
    }
}
END_TEST

/* Prompts in another order: rows of all prompts of cvpt, of dvpt with their positions, and of vfpt over channels only,
 * where each prompt is transformed alone. */
START_TEST(the_order_of_prompts_does_not_matter)
{
    static const char *const methods[][2] = { { "vfpt", "tokens=4,fraction=1,transform=hidden" },
        { "vfpt", "tokens=4,fraction=1,location=random" }, { "cvpt", "tokens=4" }, { "dvpt", "tokens=4" },
        { "dvpt", "tokens=4,form=paper" }, { "apt", "tokens=4" } };
    static const char *const names[] = { "prompt_embeddings", "Prompt_Tokens", "prompt_token",
                                         "prompt_positional_embedding", "mm_tokens" };
    enum { N = 4 };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        tiny t = VARIANT(.method = methods[m][0], .options = methods[m][1]);
        tiny_perturb(t.model);
        peft_tensor *before = logits_of(&t);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            peft_tensor *p = peft_param_value(peft_model_param(t.model, i));
            for (size_t k = 0; k < sizeof names / sizeof *names; k++)
                if (strstr(peft_param_name(peft_model_param(t.model, i)), names[k]))
                    for (int64_t set = 0; set < peft_tensor_count(p) / N / WIDTH; set++) {
                        pk_real last[WIDTH], *x = (pk_real *)peft_tensor_data(p) + set * N * WIDTH;
                        memcpy(last, x + (N - 1) * WIDTH, sizeof last);
                        memmove(x + WIDTH, x, (N - 1) * sizeof last);
                        memcpy(x, last, sizeof last);
                    }
        }
        ck_assert_double_le(difference(logits_of(&t), before), 1e-12);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("prompts in double", blocks_of_cvpt_equal_a_direct_computation, blocks_of_dvpt_equal_a_direct_computation,
           a_bottleneck_of_dvpt_begins_with_its_gate, apt_with_prompts_of_zero_changes_nothing,
           the_transform_of_vfpt_is_symmetric_and_equals_its_sum, the_order_of_prompts_does_not_matter)
