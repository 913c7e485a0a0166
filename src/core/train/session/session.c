/* SPDX-License-Identifier: Apache-2.0
 * session.c -- sessions: a model compiled for inference, for predictions, features and taps. */
#include <math.h>
#include <peft/session.h>
#include <peft/sys/session.h>
#include <string.h>
#include "core/graph/loss/loss_math.h"
#include "core/graph/report/report.h"
#include "core/options/text.h"
#include "core/train/session/compiled.h"

struct peft_session {
    atomic_int refs;
    peft_model *model;
    pf_engine engine;
    pf_compiled net;
    peft_options *options;
    pf_method_inputs method_inputs;      /* inputs that a method declared, set by peft_session_input */
    pk_real *images;                     /* [batch,3,h,w]: a copy of a smaller batch, filled up with zeros */
    peft_tensor tap[PF_TAPS_MAX];        /* views of the values that taps name, in the order of pf_compiled.tap */
    bool has_run;                        /* the taps have values */
};

static const pf_opt options[] = {
    { "batch", 'i', "1", 1, 65536, "largest number of images in a call" },
    { "taps", 's', "", 0, 0, "intermediate values that peft_session_tap can show, such as [embed,feature]: embed, "
      "block.N, sink_mass.N, feature" },
    { "threads", 'i', "0", 0, 1024, "threads that compute; 0: the context's number" },
    PF_COMPILE_OPTIONS,
    { 0 } };

const peft_option *peft_session_option(size_t i) { return pf_option_at(options, i); }

/* Elements of one image. */
static int64_t image_elements(const peft_session *s)
{
    return 3 * pf_vit_pixels(&s->model->backbone->shape);
}

/* Makes s->tap. The views stay valid, because each value keeps its place in the arena. */
static void make_tap_views(peft_session *s)
{
    for (int i = 0; i < s->net.tap_count; i++) {
        const pf_shape *shape = &pf_v(&s->net.exec.g, s->net.tap[i])->shape;
        s->tap[i] = (peft_tensor){ .ctx = s->model->backbone->ctx, .type = PF_REAL, .ndim = shape->ndim,
                                   .data = pf_exec_data(&s->net.exec, s->net.tap[i]) };
        memcpy(s->tap[i].dim, shape->dim, sizeof shape->dim);
    }
}

/* Compiles s->model as s->options say, and allocates all memory of the session. */
static peft_status compile(peft_session *s)
{
    const peft_options *o = s->options;
    const int64_t batch = pf_options_int(o, options, "batch");
    pf_compile_spec wanted = { .batch = batch, .name = "session" };
    PF_TRY(pf_compile_options(o, options, &wanted));
    PF_TRY(pf_engine_start(&s->engine, s->model->backbone->ctx, pf_options_int(o, options, "threads")));
    pf_net_spec spec = { .model = s->model, .taps = pf_options_string(o, options, "taps"), .keep_feature = true,
                         .compile = pf_engine_spec(&s->engine, wanted) };
    PF_TRY(pf_compiled_create(&s->net, &spec));
    PF_TRY(pf_exec_bind(&s->net.exec, NULL));              /* NULL: allocates the graph's memory */
    make_tap_views(s);
    PF_TRY(pf_method_inputs_create(&s->method_inputs, &s->net));
    size_t bytes = (size_t)(batch * image_elements(s)) * sizeof(pk_real);
    s->images = pf_alloc_zero(s->model->backbone->ctx, bytes);
    return s->images ? PEFT_OK : pf_nomem("images", bytes);
}

/* Writes a list of taps in brackets, "[block.0, feature]", as "block.0,feature". */
static peft_status unwrap_taps(peft_options *o, peft_context *ctx)
{
    const char *list = pf_options_setting(o, "taps");
    size_t n, used = 0;
    if (!list || *list != '[') return PEFT_OK;
    char *plain = pf_alloc_zero(ctx, strlen(list) + 1);
    if (!plain) return pf_nomem("taps", strlen(list) + 1);
    for (const char *tap; (tap = pf_list_next(&list, &n)); used += n) {
        if (used) plain[used++] = ',';
        memcpy(plain + used, tap, n);
    }
    const peft_status s = peft_options_set_string(o, "taps", plain);
    pf_free(ctx, plain);
    return s;
}

peft_status peft_session_create(peft_model *m, const peft_options *o, peft_session **out)
{
    PK_FLOAT_SCOPE;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    PF_TRY(pf_options_check(o, options, "a session"));
    peft_session *s = pf_alloc_zero(m->backbone->ctx, sizeof *s);
    if (!s) return pf_nomem("session", sizeof *s);
    atomic_init(&s->refs, 1);
    s->model = m;
    pf_model_use(m);
    peft_status status = o ? pf_options_copy(o, &s->options) : PEFT_OK;
    if (!status && o) status = unwrap_taps(s->options, m->backbone->ctx);
    if (!status) status = compile(s);
    if (status) peft_session_free(s);
    else *out = s;
    return status;
}

void peft_session_free(peft_session *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    peft_model *m = s->model;
    pf_compiled_free(&s->net);
    pf_engine_stop(&s->engine);
    pf_free(m->backbone->ctx, s->images);
    pf_method_inputs_free(&s->method_inputs, m->backbone->ctx);
    peft_options_free(s->options);
    pf_free(m->backbone->ctx, s);
    pf_model_unuse(m);
}

peft_session *peft_sys_session_retain(peft_session *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

peft_model *peft_session_model(const peft_session *s) { return s ? s->model : NULL; }
int64_t     peft_session_batch(const peft_session *s) { return s ? s->net.batch : 0; }

/* Runs the graph on the images; sets *n to their number. Checks that out, into which the caller will copy the results,
 * has room for n of shape per_image. */
static peft_status run_graph(peft_session *s, const peft_tensor *images, const pf_shape *per_image,
                             const peft_tensor *out, int64_t *n)
{
    PF_TRY(pf_check_images(s->model, images, s->net.batch, n));
    PF_TRY(pf_check_result(per_image, out, *n));
    PF_TRY(pf_method_inputs_bind(&s->method_inputs, &s->net, *n));
    const void *data = images->data;
    if (*n < s->net.batch || images->type != PF_REAL) {
        int64_t used = *n * image_elements(s), all = s->net.batch * image_elements(s);
        pf_to_real(s->images, images->data, images->type, used);
        memset(s->images + used, 0, (size_t)(all - used) * sizeof(pk_real));
        data = s->images;
    }
    pf_exec_bind_input(&s->net.exec, s->net.images, data);
    PF_TRY(pf_exec_check_inputs(&s->net.exec));
    pf_model_lock_read(s->model);
    pf_exec_run(&s->net.exec, 0, s->net.exec.g.nodes);
    pf_model_unlock(s->model);
    s->has_run = true;
    return PEFT_OK;
}

/* Runs the graph of a model that has logits; out: of n logits, or of as many probabilities. */
static peft_status run_for_logits(peft_session *s, const peft_tensor *images, const peft_tensor *out, int64_t *n)
{
    if (!s) return pf_fail(PEFT_E_INVALID, "session is NULL: expected a pointer");
    PF_TRY(pf_model_check_logits(s->model, "a prediction"));
    return run_graph(s, images, &s->model->output, out, n);
}

/* PEFT_E_NONFINITE: a logit of the n images that were predicted is NaN or Inf. */
static peft_status check_logits(const peft_session *s, int64_t n)
{
    return pf_check_finite(pf_exec_data(&s->net.exec, s->net.logits), n, pf_shape_count(&s->model->output),
                           "logit of class", s->model->classes);
}

peft_status peft_session_predict(peft_session *s, const peft_tensor *images, peft_tensor *logits)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(run_for_logits(s, images, logits, &n));
    memcpy(logits->data, pf_exec_data(&s->net.exec, s->net.logits),
           (size_t)(n * pf_shape_count(&s->model->output)) * sizeof(pk_real));
    return check_logits(s, n);
}

static void softmax(pk_real *out, const pk_real *x, int64_t n)
{
    double largest;
    const double sum = pf_exp_sum(x, n, &largest);
    for (int64_t i = 0; i < n; i++) out[i] = (pk_real)(exp((double)x[i] - largest) / sum);
}

peft_status peft_session_probabilities(peft_session *s, const peft_tensor *images, int multi_label,
                                       peft_tensor *probabilities)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(run_for_logits(s, images, probabilities, &n));
    const pk_real *x = pf_exec_data(&s->net.exec, s->net.logits);
    pk_real *out = probabilities->data;
    const int64_t classes = s->model->classes, rows = n * pf_shape_count(&s->model->output) / classes;
    for (int64_t i = 0; i < rows; i++) {
        if (!multi_label) softmax(out + i * classes, x + i * classes, classes);
        else for (int64_t c = i * classes; c < (i + 1) * classes; c++) out[c] = (pk_real)(1 / (1 + exp(-(double)x[c])));
    }
    return check_logits(s, n);
}

/* The error of a model that computes no pooled feature. */
static peft_status no_feature_error(const peft_model *m)
{
    if (m->head->reads != PF_READS_FEATURE)
        return pf_fail(PEFT_E_UNSUPPORTED, "features: head=%s reads patch tokens and no pooled feature; use the tap "
                       "'%s', or create the model with head=none", m->head->name,
                       m->head->reads == PF_READS_PATCHES ? "feature" : "block.N");
    return pf_fail(PEFT_E_UNSUPPORTED, "features: method '%s' makes the logits by a network of its own; create a "
                   "model of the backbone with head=none and without this method", m->adapter[0]->method->name);
}

peft_status peft_session_features(peft_session *s, const peft_tensor *images, peft_tensor *features)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    if (!s) return pf_fail(PEFT_E_INVALID, "session is NULL: expected a pointer");
    if (!pf_exists(s->net.feature)) return no_feature_error(s->model);
    const int64_t width = pf_feature_width(s->model);
    const pf_shape per_image = pf_shape_of(1, width);
    PF_TRY(run_graph(s, images, &per_image, features, &n));
    const pk_real *x = pf_exec_data(&s->net.exec, s->net.feature);
    memcpy(features->data, x, (size_t)(n * width) * sizeof *x);
    return pf_check_finite(x, n, width, "feature", width);
}

peft_status peft_session_input(peft_session *s, const char *name, const peft_tensor *value)
{
    if (!s) return pf_fail(PEFT_E_INVALID, "session is NULL: expected a pointer");
    return pf_method_inputs_set(&s->method_inputs, name, value);
}

const peft_tensor *peft_session_tap(peft_session *s, const char *tap)
{
    if (!s || !tap) {
        pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", s ? "tap" : "session");
        return NULL;
    }
    size_t length = strlen(tap);
    for (int i = 0; i < s->net.tap_count; i++) {
        const char *name = s->net.tap_name[i];               /* within the list of option taps: "block.3,feature" */
        if (strncmp(name, tap, length) || (name[length] && name[length] != ',')) continue;
        if (s->has_run) return &s->tap[i];
        pf_fail(PEFT_E_STATE, "tap '%s': nothing predicted yet; call peft_session_predict first", tap);
        return NULL;
    }
    pf_fail(PEFT_E_NOTFOUND, "tap '%s': not among the session's taps '%s'", tap,
            pf_options_string(s->options, options, "taps"));
    return NULL;
}

size_t peft_session_memory(const peft_session *s)
{
    if (!s) return 0;
    return pf_exec_bytes(&s->net.exec) + (size_t)(s->net.batch * image_elements(s)) * sizeof(pk_real)
         + pf_method_inputs_bytes(&s->method_inputs) + pf_model_constant_bytes(s->model);
}

void peft_session_describe(const peft_session *s, peft_text_fn fn, void *user)
{
    if (s && fn) pf_exec_describe(&s->net.exec, fn, user);
}
