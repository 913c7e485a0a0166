/* SPDX-License-Identifier: Apache-2.0
 * maps.c -- makes peft_maps of a kind, and computes maps batch by batch (<peft/maps.h>). */
#include <string.h>
#include "core/maps/maps.h"
#include "core/options/text.h"

static const pf_maps_kind *const kinds[] = {
#define PF_MAPS(name) &pf_maps_##name,
#include "core/maps/kinds.def"
#undef PF_MAPS
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *peft_maps_kind_name(size_t i) { return i < KINDS ? kinds[i]->name : NULL; }
const char *peft_maps_kind_options(size_t i) { return i < KINDS ? kinds[i]->options : NULL; }
int         peft_maps_kind_of_class(size_t i) { return i < KINDS && kinds[i]->of_class; }
const char *peft_maps_kind_summary(size_t i) { return i < KINDS ? kinds[i]->summary : NULL; }

/* The options that every kind reads. */
static const char common[] = "kind batch threads multi_label";

/* The error where setting k is an option of other kinds alone. */
static peft_status refuse_option(const peft_maps *s, size_t k)
{
    const char *name = pf_options_name(s->options, k), *owner[KINDS];
    char owners[80];
    size_t count = 0;
    for (int i = 0; i < KINDS; i++)
        if (pf_has_word(kinds[i]->options, name)) owner[count++] = kinds[i]->name;
    return pf_fail(PEFT_E_OPTION, "maps of kind=%s: option '%s' (given '%.40s') is of kind %s; expected one of: %s %s; "
                   "leave it out", s->kind->name, name, pf_options_value(s->options, k),
                   pf_names_text(owner, count, ", ", " or ", owners, sizeof owners), common, s->kind->options);
}

/* Finds the kind, and checks that it reads every option that was given. */
static peft_status find_kind(peft_maps *s)
{
    const char *names[KINDS];
    int i;
    for (i = 0; i < KINDS; i++) names[i] = kinds[i]->name;
    PF_TRY(pf_maps_word(s, "kind", names, KINDS, &i));
    s->kind = kinds[i];
    for (size_t k = 0; k < pf_options_count(s->options); k++) {
        const char *name = pf_options_name(s->options, k);
        if (!pf_has_word(common, name) && !pf_has_word(s->kind->options, name)) return refuse_option(s, k);
    }
    return PEFT_OK;
}

/* PEFT_E_UNSUPPORTED: the model has no maps of this kind. */
static peft_status check_model(const peft_maps *s)
{
    const peft_model *m = s->model;
    for (size_t i = 0; i < m->adapters && s->kind->of_graph; i++)
        if (m->adapter[i]->method->network)
            return pf_fail(PEFT_E_UNSUPPORTED, "maps of kind=%s: method '%s' makes the logits by a network of its own, "
                           "whose tokens are not the patches of the image; expected another method, or kind=occlusion",
                           s->kind->name, m->adapter[i]->method->name);
    if (!s->kind->of_class) return PEFT_OK;
    PF_TRY(pf_model_check_logits(m, "a map of a class"));
    if (m->output.ndim == 1) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "maps of kind=%s: head=%s predicts a map of classes, and not one class for the "
                   "image; expected another head, or kind=rollout", s->kind->name, m->head->name);
}

static peft_status make(peft_maps *s, const peft_options *o)
{
    const pf_vit_shape *v = &s->model->backbone->shape;
    PF_TRY(pf_options_check(o, pf_maps_options, "maps"));
    if (o) PF_TRY(pf_options_copy(o, &s->options));
    else PF_TRY(peft_options_create(s->ctx, &s->options));
    PF_TRY(find_kind(s));
    PF_TRY(check_model(s));
    s->batch = pf_maps_int(s, "batch");
    s->h = pf_vit_grid(v).h;
    s->w = pf_vit_grid(v).w;
    s->state = pf_alloc_zero(s->ctx, s->kind->state_size);
    if (!s->state) return pf_nomem("maps", s->kind->state_size);
    PF_TRY(pf_engine_start(&s->engine, s->ctx, pf_maps_int(s, "threads")));
    return s->kind->create(s);
}

peft_status peft_maps_create(peft_model *m, const peft_options *o, peft_maps **out)
{
    PK_FLOAT_SCOPE;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    peft_maps *s = pf_alloc_zero(m->backbone->ctx, sizeof *s);
    if (!s) return pf_nomem("maps", sizeof *s);
    s->ctx = m->backbone->ctx;
    s->model = m;
    pf_model_use(m);
    const peft_status status = make(s, o);
    if (status) peft_maps_free(s);
    else *out = s;
    return status;
}

void peft_maps_free(peft_maps *s)
{
    if (!s) return;
    peft_model *m = s->model;
    if (s->state && s->kind->free) s->kind->free(s);
    pf_compiled_free(&s->net);
    if (s->engine.ctx) pf_engine_stop(&s->engine);
    pf_free(s->ctx, s->images);
    pf_free(s->ctx, s->state);
    peft_options_free(s->options);
    pf_free(s->ctx, s);
    pf_model_unuse(m);
}

void peft_maps_size(const peft_maps *s, int64_t *h, int64_t *w)
{
    if (h) *h = s ? s->h : 0;
    if (w) *w = s ? s->w : 0;
}

size_t peft_maps_memory(const peft_maps *s)
{
    if (!s) return 0;
    const size_t pixels = (size_t)pf_vit_pixels(&s->model->backbone->shape);
    return (s->images ? pf_exec_bytes(&s->net.exec) + (size_t)s->batch * 3 * pixels * sizeof(pk_real) : 0)
         + s->kind->state_size + (s->kind->memory ? s->kind->memory(s) : 0);
}

static peft_status check_classes(const peft_maps *s, const int64_t *classes, int64_t n)
{
    const bool must_name = s->kind->of_class && pf_maps_int(s, "multi_label");
    if (classes && !s->kind->of_class)
        return pf_fail(PEFT_E_INVALID, "classes: a map of kind=%s is of no class, expected NULL", s->kind->name);
    if (!classes && must_name)
        return pf_fail(PEFT_E_INVALID, "classes is NULL: with multi_label=true no class is the predicted one, expected "
                       "the class of each map");
    for (int64_t i = 0; classes && i < n; i++)
        if (classes[i] < (must_name ? 0 : -1) || classes[i] >= s->model->classes)
            return pf_fail(PEFT_E_INVALID, "classes: given %lld for image %lld, expected 0 to %lld%s",
                           (long long)classes[i], (long long)i, (long long)s->model->classes - 1,
                           must_name ? "" : ", or -1 for the predicted one");
    return PEFT_OK;
}

/* n images from number `first` on. */
static peft_tensor part_of(const peft_tensor *images, int64_t first, int64_t n)
{
    peft_tensor part = *images;
    part.owned = false;
    part.dim[0] = n;
    part.data = (char *)images->data + (size_t)first * (pf_tensor_bytes(images) / (size_t)images->dim[0]);
    return part;
}

static peft_status compute(peft_maps *s, const peft_tensor *images, const int64_t *classes, peft_tensor *maps,
                           int64_t *chosen)
{
    const int64_t n = images->dim[0], cells = s->h * s->w;
    for (int64_t first = 0; first < n; first += s->batch) {
        const int64_t count = n - first < s->batch ? n - first : s->batch;
        const peft_tensor part = part_of(images, first, count);
        pk_real *to = (pk_real *)maps->data + first * cells;
        PF_TRY(s->kind->compute(s, &part, count, classes ? classes + first : NULL, to, chosen + first));
        PF_TRY(pf_check_finite(to, count, cells, "map's cell", cells));
        if (!s->kind->predictions) PF_TRY(pf_maps_progress(s, count));
    }
    return PEFT_OK;
}

peft_status peft_maps_compute(peft_maps *s, const peft_tensor *images, const int64_t *classes, peft_tensor *maps,
                              int64_t *chosen, peft_maps_fn progress, void *user)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    if (!s) return pf_fail(PEFT_E_INVALID, "maps is NULL: expected a pointer");
    PF_TRY(pf_check_images(s->model, images, INT64_MAX, &n));
    const pf_shape grid = pf_shape_of(2, s->h, s->w);
    PF_TRY(pf_check_result(&grid, maps, n));
    PF_TRY(check_classes(s, classes, n));
    int64_t *own = pf_alloc_zero(s->ctx, (size_t)n * sizeof *own);
    if (!own) return pf_nomem("classes of maps", (size_t)n * sizeof *own);
    for (int64_t i = 0; i < n; i++) own[i] = -1;
    s->progress = progress;
    s->user = user;
    s->done = 0;
    s->of = n * (s->kind->predictions ? s->kind->predictions(s) : 1);
    const peft_status status = compute(s, images, classes, maps, own);
    if (chosen) memcpy(chosen, own, (size_t)n * sizeof *own);
    pf_free(s->ctx, own);
    return status;
}
