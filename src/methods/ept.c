/* SPDX-License-Identifier: Apache-2.0
 * ept.c -- Embedded Prompt Tuning (Zu et al., Medical Image Analysis 97, 2024).
 *
 * The paper puts `length` learned logits in front of each query token's attention scores, takes the softmax over all of
 * them and drops the learned columns again (its eq. 10; insert=concat). What remains of them is a term in the
 * softmax's denominator: sum_j exp(prompt_j). The attention kernel takes its logarithm, z = log sum_j exp(prompt_j), as
 * one further logit for each query token (the sink of PEFT_ATTN).
 *
 * The paper's ablation compares this with other forms of insertion: prompts of the size of the scores, which are added
 * to them or multiplied with them, and learned logits that are multiplied with the range of the row's scores. The
 * attention kernel does not compute these, so they are composed of attention's steps. */
#include <peft/sys/method.h>
#include <math.h>
#include <string.h>

enum { CONCAT, ADD, MULTIPLY, MULTIPLY_CONCAT, FORMS };
static const char *const forms[FORMS] = { "concat", "add", "multiply", "multiply_concat" };

/* layers: bit l is set if block l has prompts; form: of insertion; prompt: the prompts of these blocks,
 * [blocks, tokens, length], of the forms add and multiply [blocks, tokens, tokens]. */
typedef struct { uint64_t layers; int64_t heads; int form; peft_param *prompt; } ept;

#define LENGTH   100
#define MASS     0.3367                     /* that of 100 logits of 0 beside 197 scores of 0 */
#define TEXT(x)  TEXT_OF(x)
#define TEXT_OF(x) #x
static const peft_option opts[] = {
    { "length", 'i', TEXT(LENGTH), 1, 1e6, "learned logits for each token and layer" },
    { "layers", 's', "all",    0, 0,   "layers that carry prompts: all (deep), 0 (shallow), 6-11, [0,3,5]" },
    { "init",   's', "auto",   0, 0,
      "auto, mass, published (as normal), normal (std 0.02), uniform (+-0.08), zero or kaiming" },
    { "mass",   'f', TEXT(MASS), 1e-9, 0.999, "init=mass: the logits' initial share of the softmax of equal scores" },
    { "insert", 's', "concat", 0, 0,   "how prompts join the scores: concat, add, multiply or multiply_concat" },
    { 0 } };

/* The form that the option insert names. */
static int form_of(peft_adapter *a)
{
    for (int i = 0; i < FORMS; i++) if (!strcmp(peft_sys_opt_string(a, "insert"), forms[i])) return i;
    peft_sys_reject_option(a, "insert", "concat, add, multiply or multiply_concat");
    return CONCAT;
}

/* With zero scores, the logits of a row, all equal to c, take length e^c / (tokens + length e^c) of the softmax. The
 * rule for c with which this is the option mass, whatever the number of tokens. */
static const char *rule_of_mass(peft_adapter *a, int64_t tokens, int64_t length)
{
    const double mass = peft_sys_opt_float(a, "mass");
    return peft_sys_init_rule(a, "normal:0.02", log(mass / (1 - mass) * (double)tokens / (double)length));
}

/* The rule of peft_sys_declare that the option init names; auto: one that hardly changes the backbone, if there is. */
static const char *init_rule(peft_adapter *a, int form, int64_t tokens, int64_t length)
{
    static const char *const known[][2] = {                  /* value, rule */
        { "published", "normal:0.02" }, { "normal", "normal:0.02" }, { "uniform", "uniform:0.08" }, { "zero", "zero" },
        { "kaiming", "kaiming_normal" } };
    static const char *const automatic[FORMS] = { NULL, "zero", "one", "normal:0.02" };         /* NULL: by mass */
    const char *init = peft_sys_opt_string(a, "init");
    const int by_mass = !strcmp(init, "mass") || (!strcmp(init, "auto") && !automatic[form]);
    if (by_mass && form != CONCAT)
        peft_sys_reject_option(a, "init", "insert=concat with mass: other prompts have no share of their own");
    if (!by_mass && peft_sys_opt_float(a, "mass") != MASS)
        peft_sys_reject_option(a, "mass", "init=mass (or auto) and insert=concat with this option");
    if (by_mass) return rule_of_mass(a, tokens, length);
    if (!strcmp(init, "auto")) return automatic[form];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) if (!strcmp(init, known[i][0])) return known[i][1];
    peft_sys_reject_option(a, "init", "auto, mass, published, normal, uniform, zero or kaiming");
    return "zero";
}

/* How many bits are 1; each round clears the lowest of them. */
static int64_t count_bits(uint64_t bits)
{
    int64_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

static peft_status init(peft_adapter *a, const peft_vit *vit)
{
    ept *m = peft_sys_state(a);
    m->layers = peft_sys_opt_layers(a, "layers");
    m->heads = vit->heads;
    m->form = form_of(a);
    const int of_scores = m->form == ADD || m->form == MULTIPLY;
    const int64_t length = of_scores ? vit->tokens : peft_sys_opt_int(a, "length");
    if (of_scores && peft_sys_opt_int(a, "length") != LENGTH)
        peft_sys_reject_option(a, "length", "insert=concat or multiply_concat: other prompts have the scores' size");
    m->prompt = peft_sys_declare(a, PEFT_DIMS(count_bits(m->layers), vit->tokens, length),
                                 init_rule(a, m->form, vit->tokens, length), "prompt");
    return peft_sys_init_status(a);
}

/* Attention with prompts that the kernel does not know, from its steps: add: scores + p; multiply: scores * p;
 * multiply_concat: logits a_i p_ij, a_i being the range of the scores of row i. */
static peft_val attend(const ept *m, peft_build *b, const peft_site *s, peft_val p)
{
    peft_val scores = peft_sys_attention_scores(b, m->heads, s->q, s->k), sink = PEFT_NONE;
    if (m->form == ADD) scores = peft_sys_add(b, scores, p);
    else if (m->form == MULTIPLY) scores = peft_sys_mul(b, scores, p);
    else sink = peft_sys_scaled_logsumexp(b, p, peft_sys_row_range(b, scores));
    return peft_sys_attention_apply(b, peft_sys_softmax(b, scores, sink), s->v);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const ept *m = state;
    uint64_t bit = (uint64_t)1 << s->layer;
    if (!(m->layers & bit)) return;
    const int64_t index = count_bits(m->layers & (bit - 1));        /* of this layer among those with prompts */
    peft_val p = peft_sys_select(b, peft_sys_param(b, m->prompt), index);               /* [tokens, length] */
    if (m->form != CONCAT) s->out = attend(m, b, s, p);
    else s->sink = peft_sys_logaddexp(b, s->sink, peft_sys_logsumexp(b, p));
}

const peft_method pf_method_ept = {
    .name = "ept", .summary = "learned logits that join each attention softmax and leave it again",
    .paper = "doi:10.1016/j.media.2024.103258", .opts = opts, .sites = PEFT_AT(PEFT_ATTN),
    .state_size = sizeof(ept), .init = init, .emit = emit };
