/* SPDX-License-Identifier: Apache-2.0
 * ops_containers.c -- the opcodes of a pickle that make tuples, lists, dictionaries and sets, and add to them. */
#include "core/format/torch/machine.h"
#include <string.h>

static peft_status push_tuple(pf_machine *m, const pf_pyvalue *items, size_t n)
{
    pf_tuple *t = pf_arena_take(&m->arena, sizeof *t + n * sizeof *items);
    if (!t) return pf_last_failure();
    t->count = n;
    if (n) memcpy(t->item, items, n * sizeof *items);
    return pf_machine_push(m, (pf_pyvalue){ .kind = PF_V_TUPLE, .tuple = t });
}

/* A tuple of the n values on top. */
static peft_status short_tuple(pf_machine *m, size_t n)
{
    pf_pyvalue item[3];
    for (size_t i = n; i-- > 0;) PF_TRY(pf_machine_pop(m, item + i));
    return push_tuple(m, item, n);
}

/* A tuple of all above the mark; the items stay readable, as nothing is pushed before they are copied. */
static peft_status tuple(pf_machine *m)
{
    const pf_pyvalue *items;
    size_t n;
    PF_TRY(pf_machine_pop_mark(m, &items, &n));
    return push_tuple(m, items, n);
}

static bool leads_to_tensor(pf_kind k)
{
    return k == PF_V_TENSOR || k == PF_V_DICT || k == PF_V_LIST || k == PF_V_TUPLE || k == PF_V_OPAQUE;
}

/* Lists keep texts too: the list of storage keys in a file (torch_legacy.c) consists of them, and so do the names in
 * the pairs [name, tensor] of an OrderedDict of Python 2. */
peft_status pf_items_add(pf_machine *m, pf_items *items, bool list, const pf_pyvalue *key, const pf_pyvalue *value)
{
    const int64_t index = items->count++;
    if (!leads_to_tensor(value->kind) && !(list && value->kind == PF_V_TEXT)) return PEFT_OK;
    pf_item *item = pf_arena_take(&m->arena, sizeof *item);
    if (!item) return pf_last_failure();
    const bool name = key && (key->kind == PF_V_TEXT || key->kind == PF_V_INT);
    *item = (pf_item){ NULL, name ? *key : (pf_pyvalue){ .kind = PF_V_INT, .integer = index }, *value };
    if (items->last) items->last->next = item;
    else items->first = item;
    items->last = item;
    return PEFT_OK;
}

static peft_status push_items(pf_machine *m, pf_kind kind)
{
    pf_items *items = pf_arena_take(&m->arena, sizeof *items);
    if (!items) return pf_last_failure();
    return pf_machine_push(m, (pf_pyvalue){ .kind = kind, .items = items });
}

/* Adds n values, for a dictionary keys and values in turn, to the container, which must be of this kind. Classes that
 * derive from list and dict are stored in the same way: what is added to an OPAQUE or PLAIN value is dropped. */
static peft_status add_values(pf_machine *m, pf_kind kind, const pf_pyvalue *container, const pf_pyvalue *items,
                              size_t n)
{
    if (kind == PF_V_DICT && n % 2)
        return pf_fail(PEFT_E_FORMAT, "a dictionary gets %zu keys and values: the pickle is damaged", n);
    if (container->kind == PF_V_OPAQUE || container->kind == PF_V_PLAIN) return PEFT_OK;
    if (container->kind != kind)
        return pf_fail(PEFT_E_FORMAT, "items are added to what is no %s: the pickle is damaged",
                       kind == PF_V_DICT ? "dictionary" : "list");
    for (size_t i = 0; i < n; i++) {
        const pf_pyvalue *key = kind == PF_V_DICT ? items + i++ : NULL;
        PF_TRY(pf_items_add(m, container->items, kind == PF_V_LIST, key, items + i));
    }
    return PEFT_OK;
}

/* Adds the values above the mark to the container below it. */
static peft_status add_to_mark(pf_machine *m, pf_kind kind)
{
    const pf_pyvalue *items;
    size_t n;
    PF_TRY(pf_machine_pop_mark(m, &items, &n));
    const pf_pyvalue *container = pf_machine_top(m);
    return container ? add_values(m, kind, container, items, n) : PEFT_E_FORMAT;
}

/* Adds the n values on top to the container below them. */
static peft_status add_some(pf_machine *m, pf_kind kind, size_t n)
{
    pf_pyvalue item[2];
    for (size_t i = n; i-- > 0;) PF_TRY(pf_machine_pop(m, item + i));
    const pf_pyvalue *container = pf_machine_top(m);
    return container ? add_values(m, kind, container, item, n) : PEFT_E_FORMAT;
}

/* A list or dictionary of the values above the mark. They lie where the push of the new container may overwrite them,
 * so it is filled before. */
static peft_status from_mark(pf_machine *m, pf_kind kind)
{
    const pf_pyvalue *items;
    size_t n;
    PF_TRY(pf_machine_pop_mark(m, &items, &n));
    pf_pyvalue v = { .kind = kind, .items = pf_arena_take(&m->arena, sizeof *v.items) };
    if (!v.items) return pf_last_failure();
    PF_TRY(add_values(m, kind, &v, items, n));
    return pf_machine_push(m, v);
}

/* Sets hold no tensors that could be named. */
static peft_status frozen_set(pf_machine *m)
{
    const pf_pyvalue *items;
    size_t n;
    PF_TRY(pf_machine_pop_mark(m, &items, &n));
    return pf_machine_push(m, (pf_pyvalue){ .kind = PF_V_PLAIN });
}

static peft_status add_to_set(pf_machine *m)
{
    const pf_pyvalue *items;
    size_t n;
    PF_TRY(pf_machine_pop_mark(m, &items, &n));
    return pf_machine_top(m) ? PEFT_OK : PEFT_E_FORMAT;
}

peft_status pf_ops_containers(pf_machine *m, uint8_t opcode, bool *known)
{
    *known = true;
    switch (opcode) {
    case ')': return push_tuple(m, NULL, 0);                    /* EMPTY_TUPLE */
    case 0x85: return short_tuple(m, 1);                        /* TUPLE1 */
    case 0x86: return short_tuple(m, 2);                        /* TUPLE2 */
    case 0x87: return short_tuple(m, 3);                        /* TUPLE3 */
    case 't': return tuple(m);                                  /* TUPLE */
    case ']': return push_items(m, PF_V_LIST);                  /* EMPTY_LIST */
    case 'l': return from_mark(m, PF_V_LIST);                   /* LIST */
    case 'a': return add_some(m, PF_V_LIST, 1);                 /* APPEND */
    case 'e': return add_to_mark(m, PF_V_LIST);                 /* APPENDS */
    case '}': return push_items(m, PF_V_DICT);                  /* EMPTY_DICT */
    case 'd': return from_mark(m, PF_V_DICT);                   /* DICT */
    case 's': return add_some(m, PF_V_DICT, 2);                 /* SETITEM */
    case 'u': return add_to_mark(m, PF_V_DICT);                 /* SETITEMS */
    case 0x8f: return pf_machine_push(m, (pf_pyvalue){ .kind = PF_V_PLAIN });     /* EMPTY_SET */
    case 0x90: return add_to_set(m);                            /* ADDITEMS */
    case 0x91: return frozen_set(m);                            /* FROZENSET */
    default: *known = false; return PEFT_OK;
    }
}
