/* SPDX-License-Identifier: Apache-2.0
 * golden_check.c -- golden_check FILE_OR_FOLDER...: runs golden vectors through the library and prints one line for
 * each file: the largest errors of logits, loss, gradients and trained parameters as error/limit. Exits 1 when a file
 * fails, 77 when there is nothing to check. */
#include <dirent.h>
#include <math.h>
#include <peft/peft.h>
#include <stdlib.h>
#include "golden_case.h"
#include "core/graph/param.h"

/* The comparison with the largest error / limit; limit 0: there was none. */
typedef struct { double error, limit; } worst;
/* What is compared. */
enum { LOGITS, LOSS, GRADIENTS, AFTER_STEPS, KINDS };
static const char *const kind_name[KINDS] = { "logits", "loss", "gradients", "after steps" };
#ifdef PF_REAL_DOUBLE
static const double forward_limit = 1e-6, gradient_limit = 1e-6, step_limit = 1e-6;
#else
static const double forward_limit = 1e-5, gradient_limit = 1e-4, step_limit = 2e-5;
#endif

/* A case and what was found; message: the first failure, "" if there is none. */
typedef struct { golden_case c; worst w[KINDS]; char message[512]; } check;

/* Keeps the largest error / limit of each kind, and the first failure as a message. */
static void note(check *k, int kind, double error, double limit, const char *what)
{
    if (!(error <= limit) && !*k->message)
        snprintf(k->message, sizeof k->message, "%s: error %.3g, limit %.3g", what, error, limit);
    if (!k->w[kind].limit || !(error / limit <= k->w[kind].error / k->w[kind].limit))
        k->w[kind] = (worst){ error, limit };
}

/* |got - want| / |want|, Euclidean norms; the largest difference where all |want[i]| < 1e-6. */
static double relative(const pk_real *got, const double *want, int64_t n)
{
    double diff = 0, norm = 0, largest = 0, largest_diff = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        diff += d * d;
        norm += want[i] * want[i];
        if (fabs(want[i]) > largest) largest = fabs(want[i]);
        if (!(d <= largest_diff)) largest_diff = d;
    }
    return largest < 1e-6 ? largest_diff : sqrt(diff / norm);
}

/* The reference tensor as double; NULL: the file has none of this name. The caller frees it. */
static double *wanted(const check *k, const char *name, int64_t *n)
{
    const pf_st_tensor *t = pf_st_find(k->c.file, name);
    if (!t) return NULL;
    *n = pf_dims_count(t->ndim, t->dim);
    double *out = malloc((size_t)(*n ? *n : 1) * sizeof *out);
    float *raw = malloc((size_t)(*n ? *n : 1) * sizeof *raw);
    memcpy(raw, t->data, (size_t)*n * sizeof *raw);
    for (int64_t i = 0; i < *n; i++) out[i] = raw[i];
    free(raw);
    return out;
}

/* Compares a tensor with the file's tensor `name`, if it has one. Where all its values are below 1e-6, the error is
 * absolute, within 1e-6. */
static void compare(check *k, int kind, const char *name, const pk_real *got, double limit)
{
    int64_t n;
    double *want = wanted(k, name, &n), largest = 0;
    if (!want) return;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    note(k, kind, relative(got, want, n), largest < 1e-6 ? 1e-6 : limit, name);
    free(want);
}

/* Compares one number with the file's tensor `name`, if it has one. */
static void compare_loss(check *k, int kind, const char *name, double got)
{
    int64_t n;
    double *want = wanted(k, name, &n);
    if (!want) return;
    double error = fabs(got - *want);
    note(k, kind, error, fmax(forward_limit * fabs(*want), 2e-6), name);
    free(want);
}

/* The metadata entry "zero_gradients" holds JSON lists by name, such as {"exact": ["head.bias"]}; `list` contains the
 * tensor's name. */
static bool listed(const check *k, const char *list, const char *name)
{
    const char *meta = pf_st_meta(k->c.file, "zero_gradients"), *from = meta ? strstr(meta, list) : NULL;
    const char *to = from ? strchr(from, ']') : NULL;
    char quoted[200];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *hit = from ? strstr(from, quoted) : NULL;
    return hit && hit < to;
}

/* Which elements are compared after the last step. Adam divides by the gradient's size, so WITHOUT_NOISE skips elements
 * whose gradient is only rounding noise; those whose gradient is 0 by definition ("exact") are compared. */
typedef enum { EVERY_ELEMENT, WITHOUT_NOISE } compared;

/* Compares a parameter or buffer after the last step by absolute error. The file must have it. All cases have three
 * steps, which the names of their tensors say. */
static void compare_step(check *k, const char *name, const pk_real *got, compared elements)
{
    char expect[240], gradient[240];
    int64_t n, m;
    snprintf(expect, sizeof expect, "expect.step3.%s", name);
    snprintf(gradient, sizeof gradient, "expect.grad.%s", name);
    double *want = wanted(k, expect, &n), *grad = wanted(k, gradient, &m), largest = 0;
    bool exact = listed(k, "exact", name);
    for (int64_t i = 0; want && i < n; i++) {
        const bool noise = grad && !(fabs(grad[i]) >= 1e-6 || (exact && grad[i] == 0));
        if (elements == WITHOUT_NOISE && noise) continue;
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= largest)) largest = d;
    }
    note(k, AFTER_STEPS, want ? largest : NAN, step_limit, expect);
    free(want);
    free(grad);
}

/* A tensor over `memory`, filled with the data of t. */
static peft_tensor view_of(peft_context *ctx, const pf_st_tensor *t, void *memory, peft_dtype type)
{
    peft_tensor v = { .ctx = ctx, .type = type, .ndim = t->ndim, .data = memory };
    memcpy(v.dim, t->dim, sizeof t->dim);
    if (type == PF_REAL) pf_to_real(memory, t->data, t->type, pf_dims_count(t->ndim, t->dim));
    else memcpy(memory, t->data, t->bytes);
    return v;
}

/* Compares logits, taps and resampled position embeddings. */
static peft_status inference(check *k)
{
    const pf_st_tensor *in = pf_st_find(k->c.file, "input.images");
    peft_context *ctx = k->c.ctx;
    peft_session *s;
    peft_options *o;
    char taps[512] = "embed,feature", name[64];
    for (int64_t l = 0; l < peft_backbone_get(k->c.backbone, "depth"); l++)
        snprintf(taps + strlen(taps), sizeof taps - strlen(taps), ",block.%d", (int)l);
    PF_TRY(peft_options_create(ctx, &o));
    PF_TRY(peft_options_set_int(o, "batch", in->dim[0]));
    PF_TRY(peft_options_set_string(o, "taps", taps));
    peft_status status = peft_session_create(k->c.model, o, &s);
    peft_options_free(o);
    if (status) return status;
    pk_real *image_memory = malloc((size_t)pf_dims_count(in->ndim, in->dim) * sizeof *image_memory);
    peft_tensor images = view_of(ctx, in, image_memory, PF_REAL), *logits;
    PF_TRY(peft_tensor_create(ctx, PF_REAL, 2, (int64_t[]){ in->dim[0], peft_model_classes(k->c.model) }, &logits));
    PF_TRY(peft_session_predict(s, &images, logits));
    if (peft_backbone_get(k->c.backbone, "classes") > 0)
        compare(k, LOGITS, "expect.logits", peft_tensor_cdata(logits), forward_limit);
    for (char *rest = taps, *tap; (tap = strsep(&rest, ","));) {
        const peft_tensor *t = peft_session_tap(s, tap);
        if (!t) return PEFT_E_NOTFOUND;
        snprintf(name, sizeof name, "expect.%s", tap);
        compare(k, LOGITS, name, peft_tensor_cdata(t), forward_limit);
    }
    for (size_t i = 0; i < peft_backbone_tensor_count(k->c.backbone); i++)
        if (!strcmp(peft_backbone_tensor_name(k->c.backbone, i), "pos_embed"))
            compare(k, LOGITS, "expect.pos_embed", peft_tensor_cdata(peft_backbone_tensor(k->c.backbone, i)),
                    forward_limit);
    peft_tensor_free(logits);
    peft_session_free(s);
    free(image_memory);
    return PEFT_OK;
}

/* Compares logits, loss, gradients, and after all steps parameters, buffers, logits and loss. A side network's case has
 * large images (fine) for the backbone and small ones for the side network. */
static peft_status training(check *k)
{
    golden_case *c = &k->c;
    const pf_st_tensor *in = pf_st_find(c->file, "input.images"), *given = pf_st_find(c->file, "input.labels");
    const pf_st_tensor *fine = pf_st_find(c->file, "input.images_fine");
    if (fine) in = fine;
    peft_dtype type = given ? PEFT_I64 : PF_REAL;
    if (!given) given = pf_st_find(c->file, "input.targets");
    const compared elements = strstr(pf_st_meta(c->file, "optimizer"), "adamw") ? WITHOUT_NOISE : EVERY_ELEMENT;
    PF_TRY(golden_set_start(c));
    PF_TRY(golden_make_trainer(c));
    pk_real *image_memory = malloc((size_t)pf_dims_count(in->ndim, in->dim) * sizeof *image_memory);
    void *label_memory = malloc(given->bytes * 2 + 8);           /* targets of f32 become pk_real, of up to 8 bytes */
    peft_tensor images = view_of(c->ctx, in, image_memory, PF_REAL),
                labels = view_of(c->ctx, given, label_memory, type);
    char name[240];
    pk_real *side_memory = NULL;
    if (fine) {
        const pf_st_tensor *small = pf_st_find(c->file, "input.images");
        side_memory = malloc((size_t)pf_dims_count(small->ndim, small->dim) * sizeof *side_memory);
        peft_tensor side = view_of(c->ctx, small, side_memory, PF_REAL);
        PF_TRY(peft_trainer_input(c->trainer, "side_images", &side));
    }
    PF_TRY(peft_trainer_backward(c->trainer, &images, &labels, NULL));
    compare(k, LOGITS, "expect.logits", peft_tensor_cdata(peft_trainer_logits(c->trainer)), forward_limit);
    compare_loss(k, LOSS, "expect.loss", peft_trainer_get(c->trainer, "loss"));
    for (size_t i = 0; i < peft_model_param_count(c->model); i++) {
        const peft_param *p = peft_model_param(c->model, i);
        snprintf(name, sizeof name, "expect.grad.%s", peft_param_name(p));
        compare(k, GRADIENTS, name, peft_tensor_cdata(peft_param_grad(p)), gradient_limit);
    }
    PF_TRY(peft_trainer_update(c->trainer));
    compare_loss(k, GRADIENTS, "expect.grad_norm", peft_trainer_get(c->trainer, "grad_norm"));
    int steps = atoi(pf_st_meta(c->file, "steps"));
    for (int i = 1; i < steps; i++) PF_TRY(peft_trainer_step(c->trainer, &images, &labels, NULL));
    for (size_t i = 0; i < peft_model_param_count(c->model); i++) {
        peft_param *p = peft_model_param(c->model, i);
        compare_step(k, peft_param_name(p), peft_tensor_cdata(peft_param_value(p)), elements);
    }
    for (size_t i = 0; i < peft_model_buffer_count(c->model); i++) {
        const char *buffer = peft_model_buffer_name(c->model, i);
        snprintf(name, sizeof name, "const.%s", buffer);
        if (pf_st_find(c->file, name)) {                 /* a mask: training does not change it */
            compare(k, AFTER_STEPS, name, peft_tensor_cdata(peft_model_find_buffer(c->model, buffer)), step_limit);
            continue;
        }
        snprintf(name, sizeof name, "buffer.%s", buffer);
        compare_step(k, name, peft_tensor_cdata(peft_model_find_buffer(c->model, buffer)), EVERY_ELEMENT);
    }
    peft_tensor *logits;
    PF_TRY(peft_tensor_create(c->ctx, PF_REAL, 2, (int64_t[]){ in->dim[0], peft_model_classes(c->model) }, &logits));
    PF_TRY(peft_trainer_evaluate(c->trainer, &images, logits));
    /* With batch normalisation, evaluation (by running statistics) has reference logits of its own. */
    bool running = pf_st_find(c->file, "expect.step3.logits_eval") != NULL;
    compare(k, LOGITS, running ? "expect.step3.logits_eval" : "expect.step3.logits", peft_tensor_cdata(logits),
            forward_limit);
    PF_TRY(peft_trainer_backward(c->trainer, &images, &labels, NULL));        /* logits in training mode */
    compare(k, LOGITS, "expect.step3.logits", peft_tensor_cdata(peft_trainer_logits(c->trainer)), forward_limit);
    compare_loss(k, LOSS, "expect.step3.loss", peft_trainer_get(c->trainer, "loss"));
    peft_tensor_free(logits);
    free(image_memory);
    free(label_memory);
    free(side_memory);
    return PEFT_OK;
}

/* Compares the gradients of masks, if the file has some: in a model that trains them. */
static peft_status mask_gradients(check *k)
{
    golden_case *c = &k->c;
    const pf_st_tensor *in = pf_st_find(c->file, "input.images"), *given = pf_st_find(c->file, "input.labels");
    if (!pf_st_find(c->file, "expect.aux.grad.prompt_soft_tokens_mask_cls_token")) return PEFT_OK;
    golden_close(c);
    c->train_masks = true;
    PF_TRY(golden_open(c, "backbone"));
    PF_TRY(golden_set_start(c));
    PF_TRY(golden_make_trainer(c));
    pk_real *image_memory = malloc((size_t)pf_dims_count(in->ndim, in->dim) * sizeof *image_memory);
    int64_t *label_memory = malloc(given->bytes);
    peft_tensor images = view_of(c->ctx, in, image_memory, PF_REAL),
                labels = view_of(c->ctx, given, label_memory, PEFT_I64);
    char name[240];
    const peft_status s = peft_trainer_backward(c->trainer, &images, &labels, NULL);
    size_t masks = 0;
    for (size_t i = 0; !s && i < peft_model_param_count(c->model); i++) {
        const peft_param *p = peft_model_param(c->model, i);
        snprintf(name, sizeof name, "expect.grad.%s", peft_param_name(p));
        if (strstr(peft_param_name(p), "_mask_")) {
            masks++;
            snprintf(name, sizeof name, "expect.aux.grad.%s", peft_param_name(p));
        }
        compare(k, GRADIENTS, name, peft_tensor_cdata(peft_param_grad(p)), gradient_limit);
    }
    free(image_memory);
    free(label_memory);
    return s || masks == 2 ? s : peft_set_error(PEFT_E_NOTFOUND, "expected two trained masks in the model");
}

/* Prints the line of a file; returns 1 if it failed. */
static int report(const check *k, const char *label, peft_status s)
{
    printf("%-44s", label);
    for (int i = 0; i < KINDS; i++)
        if (k->w[i].limit) printf("  %s %.2g/%.0e", kind_name[i], k->w[i].error, k->w[i].limit);
    bool failed = s || *k->message;
    printf("  %s", failed ? "FAIL" : "PASS");
    if (failed) printf(" (%s)", s ? peft_last_error() : k->message);
    printf("\n");
    return failed;
}

/* Runs a case; an inference case with a backbone file in Hugging Face's naming runs with that file too. */
static int run_case(check *k, const char *label, const char *kind)
{
    int failed = 0;
    static const char *const keys[] = { "backbone", "backbone_hf" };
    for (size_t i = 0; i < 2; i++) {
        const char *file = pf_st_meta(k->c.file, keys[i]);
        char name[300];
        if (i && (strcmp(kind, "inference") || !file || !strstr(file, ".safetensors"))) continue;
        snprintf(name, sizeof name, "%.200s%s", label, i ? " (hf)" : "");
        memset(k->w, 0, sizeof k->w);
        *k->message = 0;
        peft_status s = golden_open(&k->c, keys[i]);
        if (!s) s = strcmp(kind, "inference") ? training(k) : inference(k);
        if (!s) s = mask_gradients(k);
        failed |= report(k, name, s);
        golden_close(&k->c);
    }
    return failed;
}

/* 1: failed, 0: passed, -1: nothing to check in this file. */
static int check_file(peft_context *ctx, const char *path)
{
    pf_st *file;
    const char *label = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (pf_st_open(ctx, path, &file)) {
        printf("%-44s  FAIL (%s)\n", label, peft_last_error());
        return 1;
    }
    const char *kind = pf_st_meta(file, "kind");
    int result = -1;
    if (kind && !strcmp(kind, "component")) {
        golden_report r = { 0 };
        result = golden_component(ctx, path, file, &r) != 0;
        if (r.skipped) printf("%-44s  SKIP (no check of this method)\n", label);
        else printf("%-44s  %d checks, worst %s %.2g/%.0e  %s\n", label, r.checks, r.what, r.error, r.limit,
                    result ? "FAIL" : "PASS");
        if (r.skipped) result = -1;
    } else if (kind && (!strcmp(kind, "inference") || !strcmp(kind, "training"))) {
        check k = { .c = { .ctx = ctx, .path = path, .file = file } };
        if (golden_has_methods(&k.c)) result = run_case(&k, label, kind);
        else printf("%-44s  SKIP (method %s)\n", label, pf_st_meta(file, "method"));
    }
    pf_st_close(file);
    return result;
}

static int is_safetensors(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 12 && !strcmp(e->d_name + n - 12, ".safetensors");
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    int passed = 0, failed = 0;
    char standard[1024];
    const char *shared = getenv("PEFT_SHARED");
    snprintf(standard, sizeof standard, "%s/golden", shared ? shared : "");
    char *standard_arguments[] = { argv[0], standard };          /* used when none are given */
    if (argc < 2 && !shared) {
        printf("golden_check FILE_OR_FOLDER...\nSKIP: nothing given and PEFT_SHARED is not set\n");
        return 77;
    }
    if (argc < 2) argc = 2, argv = standard_arguments;
    if (peft_context_create(NULL, NULL, NULL, &ctx)) return 1;
    for (int i = 1; i < argc; i++) {
        const char *path = argv[i];
        struct dirent **entry;
        int n = scandir(path, &entry, is_safetensors, alphasort);
        const bool is_file = n < 0;                              /* else a folder of n files */
        for (int k = 0; k < (is_file ? 1 : n); k++) {
            char one[1300];
            if (is_file) snprintf(one, sizeof one, "%s", path);
            else snprintf(one, sizeof one, "%s/%s", path, entry[k]->d_name);
            int result = check_file(ctx, one);
            passed += result == 0;
            failed += result == 1;
            if (!is_file) free(entry[k]);
        }
        if (!is_file) free(entry);
    }
    peft_context_free(ctx);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : passed ? 0 : 77;
}
