/* SPDX-License-Identifier: Apache-2.0
 * walk.c -- finds the tensors in nested dictionaries, lists and tuples, and names them by their paths. */
#include <stdio.h>
#include <string.h>
#include "core/base/json_text.h"
#include "core/format/torch/torch.h"

/* Containers may be shared and contain themselves: a container inside itself is left out, and shared ones are walked
 * each time, so the number of items is bounded. */
enum { DEPTH_MAX = 32, ITEMS_MAX = 1 << 20 };

typedef struct walk {
    pf_arena *arena;
    pf_leaves *out;
    size_t items, length, depth;               /* length: bytes of path, which ends in a dot unless it is empty */
    char path[PF_ST_NAME + 1];
} walk;

static peft_status walk_value(walk *w, const pf_pyvalue *v, size_t dictionary);

static peft_status add_leaf(walk *w, const pf_view *view, size_t dictionary)
{
    static const char alone[] = "tensor";      /* the name of a tensor that is the only value of the file */
    const size_t n = w->length ? w->length - 1 : sizeof alone - 1;
    pf_leaf *leaf = pf_arena_take(w->arena, sizeof *leaf + n + 1);
    if (!leaf) return pf_last_failure();
    memcpy(leaf->name, w->length ? w->path : alone, n);
    if (!pf_is_utf8(leaf->name) || strlen(leaf->name) != n)
        return pf_fail(PEFT_E_FORMAT, "a tensor's name is not UTF-8 text without NUL");
    leaf->view = view;
    leaf->dictionary = dictionary;
    if (w->out->last) w->out->last->next = leaf;
    else w->out->first = leaf;
    w->out->last = leaf;
    w->out->text += n + 1;
    if (++w->out->count <= PF_ST_TENSORS) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "the file has more than %d tensors", PF_ST_TENSORS);
}

/* Walks an item of the container whose path is w->path. */
static peft_status walk_item(walk *w, const pf_pyvalue *key, const pf_pyvalue *value)
{
    char number[24];
    const size_t length = w->length;
    const bool text = key->kind == PF_V_TEXT;
    if (!text) snprintf(number, sizeof number, "%lld", (long long)key->integer);
    const size_t n = text ? key->length : strlen(number);
    if (++w->items > ITEMS_MAX)
        return pf_fail(PEFT_E_FORMAT, "dictionaries and lists share each other so often that they have more than %d "
                       "items", ITEMS_MAX);
    if (n >= sizeof w->path - 1 - length)
        return pf_fail(PEFT_E_FORMAT, "a tensor's path has more than %d bytes", PF_ST_NAME);
    memcpy(w->path + length, text ? key->text : number, n);
    w->path[length + n] = '.';
    w->length = length + n + 1;
    peft_status s = walk_value(w, value, length);
    w->length = length;
    return s;
}

static peft_status walk_items(walk *w, pf_items *items)
{
    peft_status s = PEFT_OK;
    if (items->open) return PEFT_OK;
    items->open = true;
    for (const pf_item *i = items->first; i && !s; i = i->next) s = walk_item(w, &i->key, &i->value);
    items->open = false;
    return s;
}

/* Walks containers, tensors and objects only, so that other items of the tuple do not count towards ITEMS_MAX. */
static peft_status walk_tuple(walk *w, const pf_tuple *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const pf_pyvalue key = { .kind = PF_V_INT, .integer = (int64_t)i };
        const pf_kind k = t->item[i].kind;
        if (k == PF_V_DICT || k == PF_V_LIST || k == PF_V_TUPLE || k == PF_V_TENSOR || k == PF_V_OPAQUE)
            PF_TRY(walk_item(w, &key, t->item + i));
    }
    return PEFT_OK;
}

/* dictionary: bytes of w->path that are the path of the container of v. */
static peft_status walk_value(walk *w, const pf_pyvalue *v, size_t dictionary)
{
    if (v->kind == PF_V_TENSOR) return add_leaf(w, v->tensor, dictionary);
    if (v->kind == PF_V_OPAQUE && !w->out->object) {
        w->out->object = v->global;
        snprintf(w->out->object_path, sizeof w->out->object_path, "%.*s", w->length ? (int)w->length - 1 : 0, w->path);
    }
    if (v->kind != PF_V_DICT && v->kind != PF_V_LIST && v->kind != PF_V_TUPLE) return PEFT_OK;
    if (w->depth == DEPTH_MAX)
        return pf_fail(PEFT_E_FORMAT, "dictionaries and lists are nested deeper than %d", DEPTH_MAX);
    w->depth++;
    peft_status s = v->kind == PF_V_TUPLE ? walk_tuple(w, v->tuple) : walk_items(w, v->items);
    w->depth--;
    return s;
}

peft_status pf_torch_walk(pf_arena *arena, const pf_pyvalue *value, pf_leaves *out)
{
    walk w = { .arena = arena, .out = out };
    *out = (pf_leaves){ .first = NULL };
    return walk_value(&w, value, 0);
}
