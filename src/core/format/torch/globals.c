/* SPDX-License-Identifier: Apache-2.0
 * globals.c -- the globals of a pickle that mean something to the reader of tensors, and the element types of PyTorch.
 * Nothing of a global is ever called or imported. */
#include "core/format/torch/value.h"
#include <string.h>

/* dtype, class of storages (NULL: none), name in safetensors files or a name like those, bytes of an element. */
static const pf_torch_type types[] = {
    { "uint8", "ByteStorage", "U8", 1 }, { "float32", "FloatStorage", "F32", 4 },
    { "float16", "HalfStorage", "F16", 2 },
    { "bfloat16", "BFloat16Storage", "BF16", 2 }, { "float64", "DoubleStorage", "F64", 8 },
    { "int8", "CharStorage", "I8", 1 }, { "int16", "ShortStorage", "I16", 2 }, { "int32", "IntStorage", "I32", 4 },
    { "int64", "LongStorage", "I64", 8 }, { "bool", "BoolStorage", "BOOL", 1 }, { "uint16", NULL, "U16", 2 },
    { "uint32", NULL, "U32", 4 }, { "uint64", NULL, "U64", 8 }, { "complex32", NULL, "C32", 4 },
    { "complex64", "ComplexFloatStorage", "C64", 8 }, { "complex128", "ComplexDoubleStorage", "C128", 16 },
    { "float8_e4m3fn", NULL, "F8_E4M3", 1 }, { "float8_e5m2", NULL, "F8_E5M2", 1 },
    { "float8_e8m0fnu", NULL, "F8_E8M0", 1 }, { "qint8", "QInt8Storage", "QI8", 1 },
    { "quint8", "QUInt8Storage", "QU8", 1 }, { "qint32", "QInt32Storage", "QI32", 4 } };
enum { BYTES_TYPE = 0 };                       /* the row, uint8, for storages whose type the file does not state */

static const struct { const char *module, *name; pf_meaning meaning; } rows[] = {
    { "collections", "OrderedDict", PF_G_DICT }, { "collections", "defaultdict", PF_G_DICT },
    { "builtins", "dict", PF_G_DICT }, { "__builtin__", "dict", PF_G_DICT }, { "torch", "Size", PF_G_TUPLE },
    { "torch._utils", "_rebuild_tensor", PF_G_TENSOR }, { "torch._utils", "_rebuild_tensor_v2", PF_G_TENSOR },
    { "torch._utils", "_rebuild_tensor_v3", PF_G_TENSOR_V3 }, { "torch._utils", "_rebuild_parameter", PF_G_PARAMETER },
    { "torch._utils", "_rebuild_parameter_with_state", PF_G_PARAMETER },
    { "torch._tensor", "_rebuild_from_type_v2", PF_G_SUBCLASS }, { "torch.storage", "UntypedStorage", PF_G_STORAGE } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

bool pf_value_is(const pf_pyvalue *v, const char *s)
{
    return v->kind == PF_V_TEXT && v->length == strlen(s) && !memcmp(v->text, s, v->length);
}

/* torch.FloatStorage, torch.cuda.FloatStorage, torch.float32 and the like. */
static void look_up_type(pf_global *g)
{
    const bool torch = pf_value_is(&g->module, "torch"), cuda = pf_value_is(&g->module, "torch.cuda");
    for (size_t i = 0; i < COUNT(types) && (torch || cuda); i++) {
        const bool storage = types[i].storage && pf_value_is(&g->name, types[i].storage);
        if (!storage && !(torch && pf_value_is(&g->name, types[i].dtype))) continue;
        g->meaning = storage ? PF_G_STORAGE : PF_G_DTYPE;
        g->type = types + i;
    }
}

void pf_global_look_up(pf_global *g)
{
    g->meaning = PF_G_NONE;
    g->type = types + BYTES_TYPE;
    look_up_type(g);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (pf_value_is(&g->module, rows[i].module) && pf_value_is(&g->name, rows[i].name))
            g->meaning = rows[i].meaning;
}
