/* SPDX-License-Identifier: Apache-2.0
 * model.c -- makes and frees models, attaches and detaches adapters, and finds a model's parameters, buffers and
 * notes. */
#include <string.h>
#include "core/model/model.h"

const pf_opt pf_model_options[] = {
    { "classes", 'i', "0", 0, 1 << 24, "classes of a new head; 0: the backbone's own classifier, frozen" },
    { "head", 's', "linear", 0, 0, "what makes the logits"
#define PF_HEAD(name, help) "; " #name ": " help
#include "core/model/heads/heads.def"
#undef PF_HEAD
    },
    { "head_layers", 'i', "3", 0, 64, "number of hidden layers of head mlp" },
    { "head_init", 's', "auto", 0, 0, "initial values of the head's weights: auto (normal:0.01 for linear, "
      "trunc_normal:0.01 for bn_linear, kaiming_out for mlp and hidden layers of setr_naive, setr_pup and seg_mla), "
      "normal:STD, trunc_normal:STD, uniform:BOUND, kaiming, kaiming_normal, kaiming_out, xavier, zero or one" },
    { "head_width", 'i', "0", 0, 1 << 16, "columns of the hidden maps of setr_naive, setr_pup and seg_mla; 0: 256" },
    { "head_blocks", 's', "auto", 0, 0, "blocks whose tokens seg_mla reads, one to four, such as [2, 5, 8, 11]; auto: "
      "the last block of each quarter of the blocks" },
    { "pool", 's', "auto", 0, 0, "what the head reads: cls (the class token), mean (of the patch tokens), cls_mean "
      "(both side by side), cls_dist (class and distillation token side by side) or attention (attention pooling); "
      "auto: as the backbone was trained" },
    { 0 } };

const peft_option *peft_model_option(size_t i) { return pf_option_at(pf_model_options, i); }

/* PEFT_E_OPTION: an option has a value other than its default, and no effect with this head. */
static peft_status check_options_are_read(const peft_model *m, const peft_options *o)
{
    static const char *const names[] = { "head", "head_init", "head_layers", "head_width", "head_blocks", "pool" };
    const bool frozen = m->head == &pf_head_backbone;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *given = pf_options_setting(o, names[i]);
        if (!given || pf_has_word(m->head->options, names[i])
            || !strcmp(given, pf_options_string(NULL, pf_model_options, names[i]))) continue;
        return pf_fail(PEFT_E_OPTION, "%s: given '%s', which has no effect with %s; leave it out%s", names[i], given,
                       frozen ? "classes=0 (the backbone's own classifier, frozen)" : "this head",
                       frozen ? " or give classes" : "");
    }
    return PEFT_OK;
}

/* Sets what the head reads. PEFT_E_OPTION: no such pooling, or the backbone lacks what it reads. */
static peft_status read_pool(peft_model *m, const char *name)
{
    const pf_vit_shape *s = &m->backbone->shape;
    const int pool = strcmp(name, "auto") ? pf_feature_named(name) : (int)s->pool;
    if (pool < 0)
        return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected auto, cls, mean, cls_mean, cls_dist or attention",
                       name);
    m->pool = (pf_feature)pool;
    return pf_shape_check_pool(s, m->pool);
}

/* Sets head, classes and pooling by the options. */
static peft_status read_options(peft_model *m, const peft_options *o)
{
    const pf_opt *t = pf_model_options;
    const char *pool = pf_options_string(o, t, "pool"), *init = pf_options_string(o, t, "head_init");
    m->classes = pf_options_int(o, t, "classes");
    m->spec.layers = pf_options_int(o, t, "head_layers");
    m->spec.width = pf_options_int(o, t, "head_width");
    PF_TRY(read_pool(m, pool));
    m->head = pf_head_find(pf_options_string(o, t, "head"));
    if (!m->head) return PEFT_E_OPTION;
    const peft_status rule_status = strcmp(init, "auto") ? pf_init_check(init) : PEFT_OK;
    if (rule_status) return pf_prefix_error(rule_status, "head_init");
    if (m->head == &pf_head_none && m->classes)
        return pf_fail(PEFT_E_OPTION, "classes: given %lld, but head=none makes no logits; leave classes out, or "
                       "choose another head", (long long)m->classes);
    if (m->head->reads == PF_READS_BLOCKS)
        PF_TRY(pf_head_read_blocks(&m->spec, pf_options_string(o, t, "head_blocks"), &m->backbone->shape));
    if (m->head == &pf_head_none || m->classes) return PEFT_OK;
    m->head = &pf_head_backbone;
    m->classes = m->backbone->shape.classes;
    if (m->classes) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "classes: the backbone has no classifier of its own; expected 1 or more, or "
                   "head=none for features without a head");
}

/* Makes the head's parameters and buffers, and sets the shape of the logits. */
static peft_status create_head(peft_model *m, pf_source *source)
{
    const char *init = pf_options_string(m->options, pf_model_options, "head_init");
    m->output = pf_head_output(m->head, &m->backbone->shape, m->classes);
    if (!m->head->declare) return PEFT_OK;
    return m->head->declare(m, strcmp(init, "auto") ? init : m->head->init, source);
}

peft_status pf_model_make(peft_backbone *b, const peft_options *o, pf_source *source, peft_model **out)
{
    PF_TRY(pf_options_check(o, pf_model_options, "a model"));
    peft_model *m = pf_alloc_zero(b->ctx, sizeof *m);
    if (!m) return pf_nomem("model", sizeof *m);
    peft_status s = pf_rwlock_init(&m->lock, "model");
    if (s) {
        pf_free(b->ctx, m);
        return s;
    }
    atomic_init(&m->refs, 1);
    m->backbone = pf_backbone_retain(b);
    if (o) s = pf_options_copy(o, &m->options);
    if (!s) s = read_options(m, o);
    /* A model from a file keeps the options it was saved with, also those that have no effect. */
    if (!s && !source) s = check_options_are_read(m, o);
    if (!s) s = create_head(m, source);
    if (s) peft_model_free(m);
    else *out = m;
    return s;
}

peft_model *pf_model_retain(peft_model *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void peft_model_free(peft_model *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1) return;
    peft_backbone *b = m->backbone;
    for (size_t i = 0; i < m->adapters; i++) peft_adapter_free(m->adapter[i]);
    pf_notes_free(&m->notes, b->ctx);
    for (int i = 0; i < PF_SOURCES; i++) pf_source_free(&m->source[i], b->ctx);
    pf_rwlock_destroy(&m->lock);
    pf_free(b->ctx, m->adapter);
    pf_params_free(b->ctx, &m->params);
    pf_params_free(b->ctx, &m->buffers);
    peft_options_free(m->options);
    pf_free(b->ctx, m);
    peft_backbone_free(b);
}

/* PEFT_E_STATE: trainers or sessions of the model exist, so that its adapters must not change. */
static peft_status check_not_in_use(const peft_model *m, const char *call)
{
    if (!atomic_load(&m->users)) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "%s: %d trainers, sessions or adaptors of this model exist; free them first", call,
                   atomic_load(&m->users));
}

/* Attaches the adapter behind the others, if it can act together with them. */
static peft_status attach(peft_model *m, peft_adapter *a)
{
    PF_TRY(check_not_in_use(m, "attach"));
    if (a->backbone != m->backbone)
        return pf_fail(PEFT_E_MISMATCH, "adapter: given one of another backbone object, expected the model's");
    for (size_t i = 0; i < m->adapters; i++)
        if (m->adapter[i] == a) return pf_fail(PEFT_E_STATE, "adapter: it is already attached to this model");
    PF_TRY(pf_model_check_fits(m, a));
    peft_adapter **list = pf_realloc(m->backbone->ctx, m->adapter, (m->adapters + 1) * sizeof *list);
    if (!list) return pf_nomem("adapter list", (m->adapters + 1) * sizeof *list);
    m->adapter = list;
    m->adapter[m->adapters++] = pf_adapter_retain(a);
    return PEFT_OK;
}

/* Takes the adapter out of the list and gives its reference back. */
static peft_status detach(peft_model *m, peft_adapter *a)
{
    PF_TRY(check_not_in_use(m, "detach"));
    for (size_t i = 0; i < m->adapters; i++) {
        if (m->adapter[i] != a) continue;
        memmove(m->adapter + i, m->adapter + i + 1, (--m->adapters - i) * sizeof *m->adapter);
        peft_adapter_free(a);
        return PEFT_OK;
    }
    return pf_fail(PEFT_E_NOTFOUND, "adapter: it is not attached to this model");
}

/* Attaches or detaches an adapter under the model's own lock, which readers of the list of adapters take. */
static peft_status change_adapters(peft_model *m, peft_adapter *a,
                                   peft_status (*action)(peft_model *m, peft_adapter *a))
{
    if (!m || !a) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "adapter" : "model");
    pf_rwlock_write(&m->lock);
    const peft_status s = action(m, a);
    pf_rwlock_unlock(&m->lock);
    return s;
}

peft_status peft_model_attach(peft_model *m, peft_adapter *a)
{
    PK_FLOAT_SCOPE;                      /* attach builds the forward pass, whose constants are computed */
    return change_adapters(m, a, attach);
}

peft_status peft_model_detach(peft_model *m, peft_adapter *a) { return change_adapters(m, a, detach); }

peft_backbone *peft_model_backbone(const peft_model *m) { return m ? m->backbone : NULL; }
size_t peft_model_adapter_count(const peft_model *m) { return m ? m->adapters : 0; }
peft_adapter *peft_model_adapter(peft_model *m, size_t i) { return m && i < m->adapters ? m->adapter[i] : NULL; }
peft_status pf_model_check_logits(const peft_model *m, const char *subject)
{
    if (m->head != &pf_head_none) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "%s: the model was created with head=none and makes no logits; give it classes, "
                   "or use peft_session_features", subject);
}

int64_t peft_model_classes(const peft_model *m) { return m ? m->classes : -1; }
int64_t peft_model_feature_width(const peft_model *m) { return m ? pf_feature_width(m) : -1; }

int peft_model_output(const peft_model *m, int64_t dims[PEFT_MAX_DIMS])
{
    if (!m || !dims) return 0;
    memcpy(dims, m->output.dim, (size_t)m->output.ndim * sizeof *dims);
    return m->output.ndim;
}

size_t peft_model_param_count(const peft_model *m)
{
    size_t n = m ? m->params.count : 0;
    for (size_t i = 0; m && i < m->adapters; i++) n += m->adapter[i]->params.count;
    return n;
}

/* i goes through the parameters of the adapters, in order of attachment, and then through those of the head. */
peft_param *peft_model_param(peft_model *m, size_t i)
{
    for (size_t k = 0; m && k < m->adapters; k++) {
        if (i < m->adapter[k]->params.count) return m->adapter[k]->params.item[i];
        i -= m->adapter[k]->params.count;
    }
    return m && i < m->params.count ? m->params.item[i] : NULL;
}

peft_param *peft_model_find_param(peft_model *m, const char *name)
{
    for (size_t i = 0; name && i < peft_model_param_count(m); i++)
        if (!strcmp(peft_model_param(m, i)->name, name)) return peft_model_param(m, i);
    return NULL;
}

int64_t peft_model_trainable_count(const peft_model *m)
{
    int64_t n = 0;
    for (size_t i = 0; i < peft_model_param_count(m); i++)
        n += peft_tensor_count(&peft_model_param((peft_model *)m, i)->value);
    return n;
}

size_t peft_model_buffer_count(const peft_model *m)
{
    size_t n = m ? m->buffers.count : 0;
    for (size_t i = 0; m && i < m->adapters; i++) n += m->adapter[i]->buffers.count;
    return n;
}

/* In the same order as parameters. */
pf_param *pf_model_buffer(const peft_model *m, size_t i)
{
    for (size_t k = 0; m && k < m->adapters; k++) {
        if (i < m->adapter[k]->buffers.count) return m->adapter[k]->buffers.item[i];
        i -= m->adapter[k]->buffers.count;
    }
    return m && i < m->buffers.count ? m->buffers.item[i] : NULL;
}

const char *peft_model_buffer_name(const peft_model *m, size_t i)
{
    const pf_param *p = pf_model_buffer(m, i);
    return p ? p->name : NULL;
}

peft_tensor *peft_model_find_buffer(peft_model *m, const char *name)
{
    pf_param *p;
    for (size_t i = 0; name && (p = pf_model_buffer(m, i)); i++) if (!strcmp(p->name, name)) return &p->value;
    return NULL;
}

size_t pf_model_constant_bytes(const peft_model *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->adapters; i++) bytes += pf_constants_bytes(&m->adapter[i]->constants);
    return bytes;
}

/* The model's own note, else that of the backbone, if its classifier is the head. */
const char *peft_model_link(const peft_model *m)
{
    const char *own = peft_model_note(m, "link");
    return own || !m || m->head != &pf_head_backbone ? own : peft_backbone_note(m->backbone, "link");
}

const char *peft_model_note(const peft_model *m, const char *key)
{
    return m && key ? pf_notes_get(&m->notes, key) : NULL;
}

peft_status peft_model_set_note(peft_model *m, const char *key, const char *value)
{
    if (!m) return pf_fail(PEFT_E_INVALID, "model is NULL: expected a pointer");
    pf_rwlock_write(&m->lock);
    const peft_status s = pf_notes_set(&m->notes, m->backbone->ctx, key, value);
    pf_rwlock_unlock(&m->lock);
    return s;
}
