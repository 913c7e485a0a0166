/* SPDX-License-Identifier: Apache-2.0
 * declare.c -- functions of peft/sys/method.h by which a method's init declares what the adapter trains (new
 * parameters, copies of the backbone's tensors, whole networks) and its buffers. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/weight_reader.h"
#include "core/options/glob.h"
#include "core/adapt/adapter.h"

/* What a method declares: a parameter, which is trained and saved, or a buffer, which is saved and not trained. */
typedef enum { PARAMETER, BUFFER } tensor_kind;

/* Makes a parameter or buffer with its initial values. dims ends with 0. On failure a->status is set. */
static pf_param *make_tensor(peft_adapter *a, tensor_kind kind, const int64_t *dims, const char *init, const char *name)
{
    const bool buffer = kind == BUFFER;
    int ndim = 0;
    pf_param *p = NULL;
    while (ndim < PEFT_MAX_DIMS && dims[ndim]) ndim++;
    if (!ndim) {
        a->status = pf_fail(PEFT_E_SHAPE, "method '%s' declares '%s' without extents; expected dims that end with 0",
                            a->method->name, name);
        return NULL;
    }
    if (pf_params_find(&a->params, name) || pf_params_find(&a->buffers, name)) {
        a->status = pf_fail(PEFT_E_INVALID, "method '%s' declares '%s' twice", a->method->name, name);
        return NULL;
    }
    a->status = pf_source_check(a->source, name, ndim, dims);
    if (!a->status)
        a->status = pf_param_make(a->backbone->ctx, buffer ? &a->buffers : &a->params, name,
                                  buffer ? "buffer" : pf_param_group_of(name), ndim, dims, &p);
    if (a->status) return p;
    p->buffer = buffer;
    /* a buffer has initial values even if a file is read next: a PEFT directory holds no buffers */
    if (buffer || !a->skip_init) a->status = pf_param_draw(a->backbone->ctx, p, init);
    return p;
}

/* Makes the tensor under the name that format gives. A name that is too long is refused and not cut off, because two
 * names might become equal. */
static pf_param *declare(peft_adapter *a, tensor_kind kind, const int64_t *dims, const char *init, const char *format,
                         va_list ap)
{
    char name[PF_PARAM_NAME_MAX];
    const int length = vsnprintf(name, sizeof name, format, ap);
    if (a->status) return NULL;
    if (length < PF_PARAM_NAME_MAX) return make_tensor(a, kind, dims, init, name);
    a->status = pf_fail(PEFT_E_INVALID, "method '%s' declares '%.40s..': the name has %d bytes, expected at most %d",
                        a->method->name, name, length, PF_PARAM_NAME_MAX - 1);
    return NULL;
}

pf_param *peft_sys_declare(peft_adapter *a, const int64_t *dims, const char *init, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    pf_param *p = declare(a, PARAMETER, dims, init, format, ap);
    va_end(ap);
    return p;
}

pf_param *peft_sys_declare_buffer(peft_adapter *a, const int64_t *dims, const char *init, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    pf_param *p = declare(a, BUFFER, dims, init, format, ap);
    va_end(ap);
    return p;
}

const char *peft_sys_init_rule(peft_adapter *a, const char *kind, double number)
{
    char text[32];
    pf_print_float(text, sizeof text, number);
    snprintf(a->rule, sizeof a->rule, "%.16s:%s", kind, text);
    return a->rule;
}

/* Sets p to the L2 norms of rows first, first + 1, .. of the backbone's tensor, one for each element of p. */
void peft_sys_fill_row_norms(peft_adapter *a, pf_param *p, const char *tensor, int64_t first)
{
    const peft_tensor *w = pf_backbone_find(a->backbone, tensor);
    if (a->status || !p) return;
    const int64_t rows = peft_tensor_count(&p->value);
    if (!w) a->status = pf_fail(PEFT_E_INVALID, "method '%s': row norms of '%s': the backbone has no such tensor",
                                a->method->name, tensor);
    else if (first < 0 || rows > w->dim[0] - first)
        a->status = pf_fail(PEFT_E_INVALID, "method '%s': row norms of '%s': given rows %lld to %lld, expected 0 to "
                            "%lld", a->method->name, tensor, (long long)first, (long long)(first + rows - 1),
                            (long long)w->dim[0] - 1);
    if (a->status || a->skip_init) return;
    const pk_weight matrix = pf_tensor_weight(w);
    const pk_table *kernels = a->backbone->ctx->kernels;
    const size_t bytes = (size_t)matrix.cols * sizeof(pk_real);
    pk_real *buffer = pf_alloc(a->backbone->ctx, bytes);
    if (!buffer) a->status = pf_nomem("row norms", bytes);
    for (int64_t i = 0; i < rows && buffer; i++) {
        const pk_real *row = pk_weight_read(kernels, &matrix, (first + i) * matrix.cols, matrix.cols, buffer);
        double sum_of_squares;
        kernels->sums(NULL, &sum_of_squares, row, matrix.cols);
        ((pk_real *)p->value.data)[i] = (pk_real)sqrt(sum_of_squares);
    }
    pf_free(a->backbone->ctx, buffer);
}

bool peft_sys_backbone_has(const peft_adapter *a, const char *name)
{
    return pf_backbone_find(a->backbone, name) != NULL;
}

/* Sets p to the elements of the backbone's tensor from row `first` on. */
void peft_sys_fill_rows(peft_adapter *a, pf_param *p, const char *tensor, int64_t first)
{
    const peft_tensor *w = pf_backbone_find(a->backbone, tensor);
    if (a->status || !p) return;
    const int64_t count = peft_tensor_count(&p->value);
    const int64_t row = w ? peft_tensor_count(w) / w->dim[0] : 0;                       /* elements of one */
    if (!w || first < 0 || count > peft_tensor_count(w) - first * row)
        a->status = pf_fail(PEFT_E_INVALID, "method '%s': %lld elements of '%s' from row %lld on: the backbone has %s",
                            a->method->name, (long long)count, tensor, (long long)first,
                            w ? "fewer" : "no such tensor");
    if (a->status || a->skip_init) return;
    const pk_weight matrix = pf_tensor_weight(w);
    const pk_real *from = pk_weight_read(a->backbone->ctx->kernels, &matrix, first * row, count, p->value.data);
    if (from != p->value.data) memcpy(p->value.data, from, sizeof *from * (size_t)count);
}

/* Makes a parameter of each tensor of the backbone whose name matches the glob, with the tensor's values. */
void peft_sys_unfreeze(peft_adapter *a, const char *pattern)
{
    for (size_t i = 0; i < a->backbone->weights && !a->status; i++) {
        const pf_weight *w = &a->backbone->weight[i];
        pf_param *p;
        if (pf_is_classifier(w->name) || !pf_glob(pattern, w->name) || pf_params_find(&a->params, w->name)) continue;
        a->status = pf_source_check(a->source, w->name, w->tensor.ndim, w->tensor.dim);
        if (!a->status)
            a->status = pf_param_make(a->backbone->ctx, &a->params, w->name, pf_param_group_of(w->name), w->tensor.ndim,
                                      w->tensor.dim, &p);
        if (!a->status && !a->skip_init) pf_tensor_read(p->value.data, &w->tensor);
    }
}

pf_param *peft_sys_find_declared(peft_adapter *a, const char *name) { return pf_params_find(&a->params, name); }

/* Declares all tensors of a Vision Transformer of shape v, with scope in front of timm's names. */
void peft_sys_declare_vit(peft_adapter *a, const char *scope, const peft_vit *v, int64_t classes)
{
    const pf_vit_shape *b = &a->backbone->shape;
    pf_tensor_spec t;
    if (a->status) return;
    pf_vit_shape s = { .image = { v->image, v->image }, .patch = b->patch, .width = v->width, .depth = v->depth,
                       .heads = v->heads, .mlp = v->mlp, .classes = classes, .eps = b->eps,
                       .act = b->gate ? PK_GELU : b->act, PF_PLAIN_VIT };
    a->status = pf_shape_check(&s);
    if (a->networks == 2)
        a->status = pf_fail(PEFT_E_INTERNAL, "method '%s': declares a third transformer, expected at most two",
                            a->method->name);
    if (a->status) return;
    a->network[a->networks].shape = s;
    snprintf(a->network[a->networks++].scope, sizeof a->network[0].scope, "%s", scope);
    for (size_t i = 0; pf_vit_tensor(&s, i, &t) && !a->status; i++) {
        int64_t dims[5] = { 0 };
        const bool bias = strstr(t.name, "bias"), norm = strstr(t.name, "norm");
        memcpy(dims, t.dim, sizeof(int64_t) * (size_t)t.ndim);
        peft_sys_declare(a, dims, bias ? "zero" : norm ? "one" : "trunc_normal:0.02", "%s%s", scope, t.name);
    }
}

void peft_sys_image_sides(const peft_adapter *a, int64_t *height, int64_t *width)
{
    if (height) *height = a->backbone->shape.image.h;
    if (width) *width = a->backbone->shape.image.w;
}

peft_status peft_sys_init_status(peft_adapter *a) { return a->status; }
