/* SPDX-License-Identifier: Apache-2.0
 * vptta.c -- VPTTA (Chen et al., CVPR 2024): a prompt for each image (here: each call) that multiplies the amplitudes
 * of the image's lowest frequencies. A memory bank holds the prompts of earlier calls, by the amplitudes that they were
 * for. A new prompt starts as the mean of those with the most similar amplitudes, makes one step of Adam that brings
 * the statistics of the features closer to those of training images, and predicts.
 *
 * The published method aligns batch norms, which a ViT lacks. By default (align=tokens) the statistics are those of all
 * tokens after its norms (adaptor.h), and the loss is the mean over blocks and channels of |m - M'| + |s - S'|. The
 * target M' = w m + (1 - w) M is a mixture of this call's mean m and that of the training images, M, and is a constant
 * for the gradient; S' likewise; w = 1 / (sqrt(i) / 5 + 1) in call i. As m - M' = (1 - w) (m - M), w changes the size
 * of the loss and not its gradient, which has signs only.
 *
 * Heads of segmentation have batch norms: with align=batch_norm these are aligned, as published. M and S are then their
 * running statistics, so that no training images are needed, and they normalise by the mixture (mixed_norms.h). */
#include <math.h>
#include <string.h>
#include "core/graph/ops/image/frequencies.h"
#include "core/tta/kinds/mixed_norms.h"

enum { CHANNELS = 3 };
typedef struct {
    pf_param *prompt;                    /* [3, block, block] */
    int64_t block, first;                /* frequencies first .. first + block - 1, down and across */
    int64_t values;                      /* elements of a prompt, and of a key */
    int64_t capacity, nearest;
    double temperature;
    double *keys; pk_real *prompts;      /* [capacity, values]: the memory bank, a ring */
    int64_t entries, oldest;             /* entries in it; the index of the oldest one once it is full */
    double *key;                         /* [values]: of this call */
    double *similarity;                  /* [capacity]: of the entries, while they are chosen */
    pf_mixed_norms norms;                /* align=batch_norm */
    pf_spectrum_memory spectrum; pf_complex *plane; /* plane [block, block]: frequencies of one plane */
} vptta;

static const pf_opt options[] = {
    { "size", 'i', "0", 0, 1024, "frequencies in each direction; 0: a hundredth of the image's shorter side, at "
      "least 1" },
    { "block", 's', "centred", 0, 0, "centred: around frequency 0 (an even size becomes one more); published: as in "
      "the published code, beside it" },
    { "align", 's', "tokens", 0, 0, "statistics that the loss compares: tokens after each block's norm with those of "
      "training images; batch_norm: the inputs of the head's batch norms with their running statistics" },
    { "bank", 'i', "40", 1, 1000, "prompts that the memory bank holds; the oldest go first" },
    { "nearest", 'i', "16", 1, 1000, "prompts of the bank that a new one starts from; ones until it has as many" },
    { "temperature", 'f', "0.2", 1e-6, 1e6, "of the softmax over their similarities" },
    { "lr", 'f', "0.05", 0, 1e6, "learning rate of the prompt" },
    { "beta1", 'f', "0.9", 0, 0.999999, "decay of Adam's first moment" },
    { "beta2", 'f', "0.99", 0, 0.999999, "decay of Adam's second moment" },
    { 0 } };

/* The first frequency of the block of the published code: size rows from (side - size) / 2 of a spectrum whose
 * frequency 0 is at side / 2. */
static int64_t published_first(int64_t side, int64_t size) { return (side - size) / 2 - side / 2; }

static peft_status read_block(peft_adaptor *a, vptta *t)
{
    const pf_grid image = a->model->backbone->shape.image;
    const int64_t side = image.h < image.w ? image.h : image.w, given = pf_tta_int(a, "size");
    const char *block = pf_tta_string(a, "block");
    char sides[PF_SIDES_MAX];
    t->block = given ? given : side / 100 > 1 ? side / 100 : 1;
    if (!strcmp(block, "published")) {
        t->first = published_first(image.h, t->block);
        if (t->first != published_first(image.w, t->block))
            return pf_fail(PEFT_E_OPTION, "block: given published for images of %s, where the published block would "
                           "begin at different frequencies down and across; expected centred",
                           pf_sides_text(sides, image));
    } else if (!strcmp(block, "centred")) {
        t->first = -(t->block / 2);
        t->block = 2 * (t->block / 2) + 1;
    } else return pf_fail(PEFT_E_OPTION, "block: given '%s', expected centred or published", block);
    if (t->block <= side) return PEFT_OK;
    const bool centred = !strcmp(block, "centred");
    return pf_fail(PEFT_E_OPTION, "size: given %lld, expected at most %lld: the model's images have %lld frequencies "
                   "along their shorter side%s", (long long)given, (long long)(side - (centred && side % 2 == 0)),
                   (long long)side, centred ? ", and with block=centred an even size becomes one more" : "");
}

static peft_status read_align(peft_adaptor *a)
{
    const char *align = pf_tta_string(a, "align");
    if (!strcmp(align, "tokens")) a->batch_norm = NULL;
    else if (!strcmp(align, "batch_norm")) a->taps = PF_TTA_NO_TAPS;
    else return pf_fail(PEFT_E_OPTION, "align: given '%s', expected tokens or batch_norm", align);
    return PEFT_OK;
}

static peft_status create(peft_adaptor *a)
{
    vptta *t = a->state;
    PF_TRY(read_block(a, t));
    PF_TRY(read_align(a));
    t->values = CHANNELS * t->block * t->block;
    t->capacity = pf_tta_int(a, "bank");
    t->nearest = pf_tta_int(a, "nearest");
    t->temperature = pf_tta_float(a, "temperature");
    if (t->nearest > t->capacity)
        return pf_fail(PEFT_E_OPTION, "nearest: given %lld, expected at most bank=%lld", (long long)t->nearest,
                       (long long)t->capacity);
    a->optimizer = (pf_optimizer){ .adamw = true, .beta1 = pf_tta_float(a, "beta1"), .beta2 = pf_tta_float(a, "beta2"),
                                   .eps = 1e-8 };
    a->lr = pf_tta_float(a, "lr");
    const size_t values = (size_t)t->values, bank = (size_t)t->capacity;
    const pf_grid image = a->model->backbone->shape.image;
    peft_status s;
    t->keys = pf_tta_memory(a, "keys of the memory bank", bank * values * sizeof *t->keys, &s);
    if (!s) t->prompts = pf_tta_memory(a, "prompts of the memory bank", bank * values * sizeof *t->prompts, &s);
    if (!s) t->key = pf_tta_memory(a, "key", values * sizeof *t->key, &s);
    if (!s) t->similarity = pf_tta_memory(a, "similarities", bank * sizeof *t->similarity, &s);
    if (s) return s;
    void *memory = pf_tta_memory(a, "spectrum", pf_spectrum_bytes(image.h, image.w, t->block), &s);
    if (!s) t->plane = pf_tta_memory(a, "frequencies", (size_t)(t->block * t->block) * sizeof *t->plane, &s);
    if (s) return s;
    t->spectrum = pf_spectrum_memory_at(memory, image.h, image.w, t->block, t->first);
    return pf_tta_tensor(a, "vptta.prompt", 3, (int64_t[]){ CHANNELS, t->block, t->block }, &t->prompt);
}

static void before(peft_adaptor *a, pf_graph *g, peft_site *s)
{
    const vptta *t = a->state;
    if (s->where == PEFT_IMAGE)
        s->out = peft_sys_scale_frequencies(g, s->out, pf_trained_value(g, t->prompt), t->first);
}

static pf_val batch_norm(peft_adaptor *a, pf_graph *g, const pf_val *in, double eps, bool relu)
{
    return pf_mixed_norms_emit(&((vptta *)a->state)->norms, g, in, eps, relu);
}

static void finish(peft_adaptor *a, pf_graph *g, pf_val logits)
{
    (void)logits;
    if (a->batch_norm) pf_mixed_norms_finish(&((vptta *)a->state)->norms, g, a->model->head->name);
    else pf_tta_add_discrepancy(a, g, 1, "absolute");
}

static void reset(peft_adaptor *a)
{
    vptta *t = a->state;
    pk_real *prompt = t->prompt->value.data;
    for (int64_t i = 0; i < t->values; i++) prompt[i] = 1;
    memset(t->keys, 0, (size_t)(t->capacity * t->values) * sizeof *t->keys);
    memset(t->prompts, 0, (size_t)(t->capacity * t->values) * sizeof *t->prompts);
    t->entries = t->oldest = 0;
}

/* Sets the key: the mean amplitudes of the n images. */
static void make_key(const peft_adaptor *a, vptta *t, int64_t n, const pk_real *images)
{
    const int64_t pixels = pf_vit_pixels(&a->model->backbone->shape), of_channel = t->block * t->block;
    memset(t->key, 0, (size_t)t->values * sizeof *t->key);
    for (int64_t plane = 0; plane < n * CHANNELS; plane++) {
        pf_spectrum_of(&t->spectrum, images + plane * pixels, t->plane);
        for (int64_t i = 0; i < of_channel; i++)
            t->key[plane % CHANNELS * of_channel + i] += hypot(t->plane[i].re, t->plane[i].im) / (double)n;
    }
}

/* The cosine of the angle between the key and entry e of the bank. */
static double similarity_of(const vptta *t, int64_t e)
{
    const double *x = t->key, *y = t->keys + e * t->values;
    double xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < t->values; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

/* Sets the prompt to ones, or, if the bank has enough entries, to their mean weighted by the softmax of similarities of
 * the most similar ones. */
static void start_prompt(vptta *t)
{
    pk_real *prompt = t->prompt->value.data;
    const int64_t entries = t->entries;
    for (int64_t i = 0; i < t->values; i++) prompt[i] = entries < t->nearest;
    if (entries < t->nearest) return;
    double largest = -INFINITY, sum = 0;
    for (int64_t e = 0; e < entries; e++) largest = fmax(largest, t->similarity[e] = similarity_of(t, e));
    for (int pass = 0; pass < 2; pass++) {                    /* first the sum of the weights, then the weighted mean */
        /* an entry counts if fewer than `nearest` come before it, by similarity and then by index */
        for (int64_t e = 0; e < entries; e++) {
            int64_t before_it = 0;
            for (int64_t k = 0; k < entries; k++)
                before_it += t->similarity[k] > t->similarity[e] || (k < e && t->similarity[k] == t->similarity[e]);
            if (before_it >= t->nearest) continue;
            const double weight = exp((t->similarity[e] - largest) / t->temperature);
            if (!pass) sum += weight;
            else for (int64_t i = 0; i < t->values; i++)
                prompt[i] += (pk_real)(weight / sum * (double)t->prompts[e * t->values + i]);
        }
    }
}

/* Puts the key and the prompt into the bank, in place of the oldest entry if it is full. */
static void remember(vptta *t)
{
    const bool full = t->entries == t->capacity;
    const int64_t e = full ? t->oldest : t->entries++;
    if (full) t->oldest = (e + 1) % t->capacity;
    memcpy(t->keys + e * t->values, t->key, (size_t)t->values * sizeof *t->keys);
    memcpy(t->prompts + e * t->values, t->prompt->value.data, (size_t)t->values * sizeof *t->prompts);
}

static peft_status predict(peft_adaptor *a, int64_t n, pk_real *logits)
{
    vptta *t = a->state;
    /* The paper's share of the images' statistics in call i = batches + 1. */
    const double share = 1 / (sqrt((double)(a->batches + 1)) / 5 + 1);
    t->norms.share = (pk_real)share;
    make_key(a, t, n, pf_exec_data(&a->net.exec, a->net.exec.g.input[a->net.images].value));
    start_prompt(t);
    pf_tta_forward(a);
    pf_tta_copy_logits(a, n, logits);                      /* stay the result if the loss is not finite */
    PF_TRY(pf_tta_read_loss(a));
    /* The paper compares with the mixture, whose distance from the images' statistics is 1 - share times that of the
     * training statistics. With align=tokens the graph compares with the latter. */
    if (!a->batch_norm) a->loss *= 1 - share;
    pf_tta_backward(a);
    PF_TRY(pf_tta_update(a));
    pf_tta_forward(a);
    pf_tta_copy_logits(a, n, logits);
    remember(t);
    return PEFT_OK;
}

static peft_status each(peft_adaptor *a, pf_tta_visit visit, void *user)
{
    vptta *t = a->state;
    const pf_tta_part parts[] = {
        { .name = "bank.keys", .type = PEFT_F64, .ndim = 2, .dim = { t->capacity, t->values }, .data = t->keys },
        { .name = "bank.prompts", .type = PF_REAL, .ndim = 2, .dim = { t->capacity, t->values }, .data = t->prompts },
        { .name = "bank.entries", .type = PEFT_I64, .ndim = 1, .dim = { 1 }, .data = &t->entries,
          .high = t->capacity },
        { .name = "bank.oldest", .type = PEFT_I64, .ndim = 1, .dim = { 1 }, .data = &t->oldest,
          .high = t->capacity - 1 } };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) PF_TRY(visit(user, &parts[i]));
    return PEFT_OK;
}

static void figures(const peft_adaptor *a, pf_figures *f)
{
    const vptta *t = a->state;
    f->row[f->rows++] = (pf_figure)PF_COUNT("bank", t->entries);
}

const pf_tta_kind pf_tta_vptta = { .name = "vptta", .summary = "a prompt on the amplitudes of low frequencies",
    .paper = "arXiv:2311.18363", .options = options, .taps = PF_TTA_ALL_TOKENS, .trains = true,
    .state_size = sizeof(vptta), .create = create, .before = before, .batch_norm = batch_norm, .finish = finish,
    .reset = reset, .predict = predict, .each = each, .figures = figures };
