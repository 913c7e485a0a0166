/* SPDX-License-Identifier: Apache-2.0
 * rebuild.c -- makes storages and tensors from the values of a pickle, as torch._utils does. A tensor is a view, which
 * must lie inside its storage. */
#include "core/format/torch/machine.h"

#define REFUSE(...) pf_fail(PEFT_E_FORMAT, __VA_ARGS__)

/* A count or offset; false: not an integer from 0 on. */
static bool take_count(const pf_pyvalue *v, uint64_t *out)
{
    if (v->kind != PF_V_INT || v->integer < 0) return false;
    *out = (uint64_t)v->integer;
    return true;
}

/* Narrows s to the part (key, offset, elements) that is used of it, in files of PyTorch before 0.4. false: it is none
 * of s. */
static bool take_part(const pf_pyvalue *part, pf_storage *s)
{
    const pf_pyvalue *item = part->kind == PF_V_TUPLE ? part->tuple->item : NULL;
    uint64_t offset, count;
    if (part->kind == PF_V_PLAIN) return true;                  /* None: all of s */
    if (!item || part->tuple->count != 3 || !take_count(item + 1, &offset) || !take_count(item + 2, &count)
        || offset > s->count || count > s->count - offset) return false;
    s->first = offset;
    s->count = count;
    return true;
}

/* id: ("storage", class, key, device, elements[, part]), or ("module", class, ..), a class with its source. */
peft_status pf_rebuild_storage(pf_machine *m, const pf_pyvalue *id, pf_pyvalue *out)
{
    const pf_pyvalue *item = id->kind == PF_V_TUPLE ? id->tuple->item : NULL;
    const size_t n = item ? id->tuple->count : 0;
    if (n >= 2 && pf_value_is(item, "module")) {
        *out = item[1];
        return PEFT_OK;
    }
    if (n < 5 || !pf_value_is(item, "storage") || item[1].kind != PF_V_GLOBAL || item[2].kind != PF_V_TEXT)
        return REFUSE("a persistent id is not ('storage', class, key, device, elements): no file of torch.save");
    *out = (pf_pyvalue){ .kind = PF_V_OPAQUE, .global = item[1].global };
    if (item[1].global->meaning != PF_G_STORAGE) return PEFT_OK;
    pf_storage *s = pf_arena_take(&m->arena, sizeof *s);
    if (!s) return pf_last_failure();
    *s = (pf_storage){ m->storages, item[1].global->type, item[2].text, item[2].length, 0, 0 };
    if (!take_count(item + 4, &s->count) || s->count > INT64_MAX / s->type->bytes || (n > 5 && !take_part(item + 5, s)))
        return REFUSE("storage '%.*s': its number of elements is out of range", (int)(s->key_length < 40 ? s->key_length
                      : 40), s->key);
    m->storages = s;
    m->storage_count++;
    *out = (pf_pyvalue){ .kind = PF_V_STORAGE, .storage = s };
    return PEFT_OK;
}

/* Checks extents and strides; finds the number of elements (small enough that their bytes do not overflow: an element
 * has at most 16), whether they are row-major without gaps, and the offset of the last one from the first, in
 * elements. */
static peft_status take_shape(pf_view *v, uint64_t *last)
{
    uint64_t step = 1, dim, stride, way;                        /* step: the stride of a row-major tensor */
    v->elements = 1;
    v->contiguous = true;
    *last = 0;
    for (int i = v->ndim; i-- > 0;) {
        if (!take_count(v->dims->item + i, &dim) || !take_count(v->strides->item + i, &stride))
            return REFUSE("a tensor whose extents and strides are not integers from 0 on");
        v->contiguous &= dim == 1 || stride == step;
        if (dim > 1 && (__builtin_mul_overflow(dim - 1, stride, &way) || __builtin_add_overflow(*last, way, last)))
            return REFUSE("a tensor whose strides overflow");
        if (__builtin_mul_overflow(v->elements, dim, &v->elements) || v->elements > INT64_MAX / 16)
            return REFUSE("a tensor whose number of elements overflows");
        step = v->elements;
    }
    v->contiguous |= !v->elements;
    return PEFT_OK;
}

peft_status pf_rebuild_tensor(pf_machine *m, const pf_tuple *arguments, bool v3, pf_pyvalue *out)
{
    enum { STORAGE, OFFSET, DIMS, STRIDES, REQUIRED, DTYPE = 6 };      /* places of the arguments; 4 are required */
    const size_t properties = v3 ? DTYPE + 1 : DTYPE;       /* a dictionary: {"neg": True} or {"conj": True} for a view
                                                             * whose elements are negated or conjugated when read */
    const pf_pyvalue *item = arguments->item;
    const size_t required = v3 ? DTYPE + 1 : REQUIRED;
    pf_view v = { .storage = NULL };
    uint64_t last, end;
    if (arguments->count < required || item[STORAGE].kind != PF_V_STORAGE || item[DIMS].kind != PF_V_TUPLE
        || item[STRIDES].kind != PF_V_TUPLE || !take_count(item + OFFSET, &v.offset)
        || (v3 && (item[DTYPE].kind != PF_V_GLOBAL || item[DTYPE].global->meaning != PF_G_DTYPE)))
        return REFUSE("a tensor whose arguments are not (storage, offset, extents, strides, ..)");
    if (arguments->count > properties && item[properties].kind == PF_V_DICT && item[properties].items->count)
        return pf_fail(PEFT_E_UNSUPPORTED, "a tensor is a negated or conjugated view of its storage; save the values "
                       "(tensor.resolve_neg().resolve_conj())");
    v.storage = item[STORAGE].storage;
    v.type = v3 ? item[DTYPE].global->type : v.storage->type;
    v.dims = item[DIMS].tuple;
    v.strides = item[STRIDES].tuple;
    if (v.dims->count > PEFT_MAX_DIMS || v.strides->count != v.dims->count)
        return REFUSE("a tensor of %zu extents and %zu strides; expected as many, at most %d", v.dims->count,
                      v.strides->count, PEFT_MAX_DIMS);
    v.ndim = (int)v.dims->count;
    PF_TRY(take_shape(&v, &last));
    const uint64_t bytes = v.storage->count * v.storage->type->bytes;
    if (__builtin_add_overflow(last, v.elements > 0, &end) || __builtin_add_overflow(end, v.offset, &end)
        || end > bytes / v.type->bytes)
        return REFUSE("a tensor reaches beyond its storage '%.*s' of %llu bytes", (int)(v.storage->key_length < 40
                      ? v.storage->key_length : 40), v.storage->key, (unsigned long long)bytes);
    pf_view *view = pf_arena_take(&m->arena, sizeof *view);
    if (!view) return pf_last_failure();
    *view = v;
    *out = (pf_pyvalue){ .kind = PF_V_TENSOR, .tensor = view };
    return PEFT_OK;
}
