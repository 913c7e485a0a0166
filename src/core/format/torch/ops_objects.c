/* SPDX-License-Identifier: Apache-2.0
 * ops_objects.c -- the opcodes of a pickle that name globals and make objects. Only the globals of globals.c mean
 * something: calling any other gives an opaque value. No code of the file runs, and none is imported. */
#include "core/format/torch/machine.h"
#include <string.h>

static peft_status push_global(pf_machine *m, pf_pyvalue module, pf_pyvalue name)
{
    if (module.kind != PF_V_TEXT || name.kind != PF_V_TEXT)
        return pf_fail(PEFT_E_FORMAT, "a global whose module or name is no text: the pickle is damaged");
    pf_global *g = pf_arena_take(&m->arena, sizeof *g);
    if (!g) return pf_last_failure();
    g->module = module;
    g->name = name;
    pf_global_look_up(g);
    return pf_machine_push(m, (pf_pyvalue){ .kind = PF_V_GLOBAL, .global = g });
}

/* The text up to the end of the line. */
static peft_status read_line(pf_machine *m, pf_pyvalue *out)
{
    const uint8_t *start = m->data + m->at, *end = memchr(start, '\n', m->size - m->at);
    if (!end || end - start > PF_ST_NAME)
        return pf_fail(PEFT_E_FORMAT, "the name of a global does not end: the pickle is damaged");
    *out = (pf_pyvalue){ .kind = PF_V_TEXT, .length = (uint32_t)(end - start), .text = (const char *)start };
    m->at += (size_t)(end - start) + 1;
    return PEFT_OK;
}

static peft_status global(pf_machine *m)
{
    pf_pyvalue module = { PF_V_PLAIN, 0, { 0 } }, name = module;
    PF_TRY(read_line(m, &module));
    PF_TRY(read_line(m, &name));
    return push_global(m, module, name);
}

static peft_status stack_global(pf_machine *m)
{
    pf_pyvalue module = { PF_V_PLAIN, 0, { 0 } }, name = module;
    PF_TRY(pf_machine_pop(m, &name));
    PF_TRY(pf_machine_pop(m, &module));
    return push_global(m, module, name);
}

/* Adds a pair, a tuple or list of key and value, to a dictionary. */
static peft_status add_pair(pf_machine *m, pf_items *dict, const pf_pyvalue *pair)
{
    const pf_pyvalue *key = NULL, *value = NULL;
    if (pair->kind == PF_V_TUPLE && pair->tuple->count == 2) {
        key = pair->tuple->item;
        value = key + 1;
    } else if (pair->kind == PF_V_LIST && pair->items->count == 2 && pair->items->first && pair->items->first->next) {
        key = &pair->items->first->value;
        value = &pair->items->first->next->value;
    }
    return value ? pf_items_add(m, dict, false, key, value) : PEFT_OK;
}

/* A dictionary; OrderedDict of Python 2 gets the list of its pairs. */
static peft_status make_dict(pf_machine *m, const pf_tuple *arguments, pf_pyvalue *out)
{
    pf_items *dict = pf_arena_take(&m->arena, sizeof *dict);
    if (!dict) return pf_last_failure();
    *out = (pf_pyvalue){ .kind = PF_V_DICT, .items = dict };
    if (arguments->count != 1 || arguments->item[0].kind != PF_V_LIST) return PEFT_OK;
    for (const pf_item *i = arguments->item[0].items->first; i; i = i->next) PF_TRY(add_pair(m, dict, &i->value));
    return PEFT_OK;
}

static peft_status call(pf_machine *m, const pf_pyvalue *callee, const pf_tuple *arguments, pf_pyvalue *out);

/* _rebuild_from_type_v2(function, type, arguments, state): what function(*arguments) makes. A function that is
 * _rebuild_from_type_v2 again is refused: call and make_subclass would recurse as deep as the file nests them. */
static peft_status make_subclass(pf_machine *m, const pf_tuple *arguments, pf_pyvalue *out)
{
    const pf_pyvalue *item = arguments->item;
    if (arguments->count < 3 || item[0].kind != PF_V_GLOBAL || item[0].global->meaning == PF_G_SUBCLASS
        || item[2].kind != PF_V_TUPLE)
        return pf_fail(PEFT_E_FORMAT, "a tensor of a derived class has other arguments than (function, type, "
                       "arguments, state): the pickle is damaged");
    return call(m, item, item[2].tuple, out);
}

/* The value that callee(*arguments) stands for. */
static peft_status call(pf_machine *m, const pf_pyvalue *callee, const pf_tuple *arguments, pf_pyvalue *out)
{
    *out = (pf_pyvalue){ .kind = PF_V_OPAQUE, .global = callee->global };
    if (callee->kind == PF_V_OPAQUE) return PEFT_OK;
    if (callee->kind != PF_V_GLOBAL)
        return pf_fail(PEFT_E_FORMAT, "what is called is no global: the pickle is damaged");
    switch (callee->global->meaning) {
    case PF_G_DICT: return make_dict(m, arguments, out);
    case PF_G_TENSOR: case PF_G_TENSOR_V3:
        return pf_rebuild_tensor(m, arguments, callee->global->meaning == PF_G_TENSOR_V3, out);
    case PF_G_SUBCLASS: return make_subclass(m, arguments, out);
    case PF_G_PARAMETER: case PF_G_TUPLE:                       /* Parameter(tensor, ..), Size(tuple) */
        if (arguments->count) *out = arguments->item[0];
        return PEFT_OK;
    case PF_G_NONE: case PF_G_STORAGE: case PF_G_DTYPE: break;
    }
    return PEFT_OK;
}

/* REDUCE, NEWOBJ and, with arguments by name, which are dropped, NEWOBJ_EX. */
static peft_status reduce(pf_machine *m, bool by_name)
{
    pf_pyvalue callee, arguments, names, result;
    if (by_name) PF_TRY(pf_machine_pop(m, &names));
    PF_TRY(pf_machine_pop(m, &arguments));
    PF_TRY(pf_machine_pop(m, &callee));
    if (arguments.kind != PF_V_TUPLE)
        return pf_fail(PEFT_E_FORMAT, "the arguments of a call are no tuple: the pickle is damaged");
    PF_TRY(call(m, &callee, arguments.tuple, &result));
    return pf_machine_push(m, result);
}

/* The state of an object: attributes of an OrderedDict or a tensor, or anything of an opaque object. It is dropped. */
static peft_status build(pf_machine *m)
{
    pf_pyvalue state;
    PF_TRY(pf_machine_pop(m, &state));
    return pf_machine_top(m) ? PEFT_OK : PEFT_E_FORMAT;
}

static peft_status persistent_id(pf_machine *m)
{
    pf_pyvalue id, result;
    PF_TRY(pf_machine_pop(m, &id));
    PF_TRY(pf_rebuild_storage(m, &id, &result));
    return pf_machine_push(m, result);
}

peft_status pf_ops_objects(pf_machine *m, uint8_t opcode, bool *known)
{
    *known = true;
    switch (opcode) {
    case 'c': return global(m);                                 /* GLOBAL */
    case 0x93: return stack_global(m);                          /* STACK_GLOBAL */
    case 'R': case 0x81: return reduce(m, false);               /* REDUCE, NEWOBJ */
    case 0x92: return reduce(m, true);                          /* NEWOBJ_EX */
    case 'b': return build(m);                                  /* BUILD */
    case 'Q': return persistent_id(m);                          /* BINPERSID */
    default: *known = false; return PEFT_OK;
    }
}
