/* SPDX-License-Identifier: Apache-2.0
 * vfpt.c -- Visual Fourier Prompt Tuning (Zeng et al., NeurIPS 2024): the prompts of VPT, of which a fraction is
 * replaced by the real part of its two-dimensional discrete Fourier transform over prompts and channels, unnormalised:
 *
 *     F = Re(DFT_rows(DFT_columns(P))) = C_n P C_d - S_n P S_d,  C_n[j,k] = cos(2 pi j k / n), S_n the same with sin
 *
 * for P [n,d]. The matrices are constants. Without dropout all samples share F, which is computed once a step. */
#include <peft/sys/method.h>
#include <math.h>
#include <string.h>

typedef struct {
    uint64_t fourier_layers;             /* bit l: the prompts of block l are transformed */
    int64_t transformed, tokens;         /* rows that are transformed, of so many */
    bool rows, channels;                 /* transform over the prompts, over the channels */
    bool last, random;                   /* which rows: the last ones, or drawn in each step; else the first ones */
    bool deep;
    double dropout;
    int64_t row;                         /* of the first prompt: after the class token, if there is one */
    peft_param *first, *blocks;          /* prompts of block 0; of the blocks 1, 2, ..: NULL if not deep */
    peft_param *learned;                 /* [width,width], in place of the transform; NULL: none */
} vfpt;

static const peft_option opts[] = {
    { "tokens",    'i', "10", 1, 1e4, "prompt tokens a layer" },
    { "deep",      'b', "true", 0, 0, "prompts of its own for every block" },
    { "fraction",  'f', "0.5", 0, 1, "share of the prompts that is transformed; their number is rounded down" },
    { "transform", 's', "all", 0, 0, "Fourier transform over prompts and channels (all), over channels (hidden), over "
                                     "prompts (sequence), or a trained linear layer instead (learned)" },
    { "location",  's', "first", 0, 0, "which prompts are transformed: first, last, or random (drawn in each training "
                                       "step; each one is transformed alone)" },
    { "fourier_layers", 's', "all", 0, 0, "blocks whose prompts are transformed" },
    { "dropout",   'f', "0", 0, 0.99, "dropout on the prompts, in training, drawn for each sample" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    vfpt *m = peft_sys_state(a);
    const char *transform = peft_sys_opt_string(a, "transform"), *location = peft_sys_opt_string(a, "location");
    const char *init = peft_sys_init_rule(a, "uniform", sqrt(6.0 / (double)(v->patch_values + v->width)));
    const bool all = !strcmp(transform, "all"), learned = !strcmp(transform, "learned");
    const double fraction = peft_sys_opt_float(a, "fraction");
    m->row = peft_sys_backbone_has(a, "cls_token");
    m->tokens = peft_sys_opt_int(a, "tokens");
    m->deep = peft_sys_opt_int(a, "deep");
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->fourier_layers = peft_sys_opt_layers(a, "fourier_layers");
    m->transformed = (int64_t)(fraction * (double)m->tokens + 1e-9);                /* 0.29 of 100 is 29, not 28 */
    m->channels = all || !strcmp(transform, "hidden");
    m->rows = all || !strcmp(transform, "sequence");
    m->last = !strcmp(location, "last");
    m->random = !strcmp(location, "random");
    if (!m->channels && !m->rows && !learned)
        peft_sys_reject_option(a, "transform", "all, hidden, sequence or learned");
    if (!m->last && !m->random && strcmp(location, "first"))
        peft_sys_reject_option(a, "location", "first, last or random");
    if (m->random && !m->channels && !learned)
        peft_sys_reject_option(a, "transform", "all, hidden or learned beside location=random, which transforms each "
                                               "prompt alone: over a single prompt the transform changes nothing");
    if (m->transformed == 1 && !m->channels && !learned)
        peft_sys_reject_option(a, "transform", "all, hidden or learned where one prompt is transformed (tokens times "
                                               "fraction): over a single prompt the transform changes nothing");
    if (fraction == 0 && learned)
        peft_sys_reject_option(a, "fraction", "more than 0 beside transform=learned, whose matrix would transform "
                                              "nothing");
    if (fraction > 0 && !m->transformed)
        peft_sys_reject_option(a, "fraction", "0, or a share of `tokens` that is one prompt or more");
    if (!m->deep && !(m->fourier_layers & 1))
        peft_sys_reject_option(a, "fourier_layers", "block 0 among them, as deep=false has prompts for block 0 only");
    m->first = peft_sys_declare(a, PEFT_DIMS(1, m->tokens, v->width), init, "prompt_embeddings");
    if (m->deep && v->depth > 1)
        m->blocks = peft_sys_declare(a, PEFT_DIMS(v->depth - 1, m->tokens, v->width), init, "deep_prompt_embeddings");
    if (learned)
        m->learned = peft_sys_declare(a, PEFT_DIMS(v->width, v->width), "kaiming", "fourier.weight");
    return peft_sys_init_status(a);
}

/* Fills [n,n] with f(2 pi j k / n), f cos or sin; user: f. j k is reduced modulo n first, for exact angles. */
static void fill_waves(void *user, peft_real *data, int64_t count)
{
    double (*const *f)(double) = user;
    const int64_t n = (int64_t)(sqrt((double)count) + 0.5);
    for (int64_t i = 0; i < count; i++)
        data[i] = (peft_real)(*f)(2 * acos(-1) * (double)(i / n * (i % n) % n) / (double)n);
}

/* C_n or S_n */
static peft_val waves(peft_build *b, int64_t n, const char *name, double (*f)(double))
{
    return peft_sys_constant(b, PEFT_DIMS(n, n), fill_waves, &f, "dft.%s.%lld", name, (long long)n);
}

/* The transform of p [..,n,d], or what stands in its place. C_n p = (p^T C_n)^T, as C_n is symmetric. */
static peft_val transform(const vfpt *m, peft_build *b, peft_val p, int64_t n)
{
    const int64_t d = peft_sys_extent(b, peft_sys_param(b, m->first), 2);
    if (m->learned) return peft_sys_linear(b, p, peft_sys_param(b, m->learned), PEFT_NONE);
    peft_val real = p, imaginary = PEFT_NONE;
    const bool rows = m->rows && n > 1;                              /* of one row it is the identity */
    if (m->channels) {
        real = peft_sys_linear(b, p, waves(b, d, "cos", cos), PEFT_NONE);
        if (rows) imaginary = peft_sys_linear(b, p, waves(b, d, "sin", sin), PEFT_NONE);
    }
    if (!rows) return real;
    real = peft_sys_linear(b, peft_sys_transpose(b, real), waves(b, n, "cos", cos), PEFT_NONE);
    if (m->channels) {
        imaginary = peft_sys_linear(b, peft_sys_transpose(b, imaginary), waves(b, n, "sin", sin), PEFT_NONE);
        real = peft_sys_add(b, real, peft_sys_scale(b, imaginary, -1));
    }
    return peft_sys_transpose(b, real);
}

/* p with some of its rows transformed */
static peft_val transform_some(const vfpt *m, peft_build *b, peft_val p)
{
    const int64_t n = m->transformed, first = m->last ? m->tokens - n : 0;
    if (m->random) {                                     /* p + chosen * (transform of each row - p) */
        peft_val change = peft_sys_add(b, transform(m, b, p, 1), peft_sys_scale(b, p, -1));
        return peft_sys_add(b, p, peft_sys_mul_rows(b, change, peft_sys_random_rows(b, p, n)));
    }
    if (n == m->tokens) return transform(m, b, p, n);
    peft_val rest = peft_sys_drop_rows(b, p, first, n);
    return peft_sys_insert_rows(b, rest, first, transform(m, b, peft_sys_take_rows(b, p, first, n), n));
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const vfpt *m = state;
    if (s->layer && !m->blocks) return;
    peft_val p = s->layer ? peft_sys_select(b, peft_sys_param(b, m->blocks), s->layer - 1)
                          : peft_sys_select(b, peft_sys_param(b, m->first), 0);
    if (m->dropout > 0) p = peft_sys_dropout(b, peft_sys_repeat_batch(b, p), m->dropout);
    if (m->transformed && m->fourier_layers >> s->layer & 1) p = transform_some(m, b, p);
    s->out = s->layer ? peft_sys_replace_rows(b, s->out, m->row, p) : peft_sys_insert_rows(b, s->out, m->row, p);
}

const peft_method pf_method_vfpt = {
    .name = "vfpt", .summary = "prompts of VPT, of which some pass a Fourier transform", .paper = "arXiv:2411.01327",
    .opts = opts, .sites = PEFT_AT(PEFT_BLOCK_IN), .state_size = sizeof(vfpt), .init = init, .emit = emit };
