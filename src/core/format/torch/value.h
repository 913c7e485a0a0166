/* SPDX-License-Identifier: Apache-2.0
 * value.h -- the values that the pickle machine makes of a file of torch.save, and their memory. Values borrow the
 * bytes of their texts from the pickle. */
#ifndef PF_VALUE_H
#define PF_VALUE_H
#include "core/format/safetensors_header.h"

/* Memory of the machine: blocks that are freed together. What is taken is bounded, because a pickle of few bytes can
 * ask for a lot. */
typedef struct pf_arena { peft_context *ctx; struct pf_arena_block *block; size_t used, limit; } pf_arena;
/* n bytes, all 0. NULL: no memory, or more than the limit; the error is set. */
void *pf_arena_take(pf_arena *a, size_t n);
/* Counts n bytes that the caller allocates itself (the stack, the memo) towards the limit; pf_arena_release takes them
 * off again. PEFT_E_FORMAT: more than the limit. */
peft_status pf_arena_count(pf_arena *a, size_t n);
void  pf_arena_release(pf_arena *a, size_t n);
void  pf_arena_free(pf_arena *a);

/* Kinds of values. MARK: the mark that the opcode MARK puts on the stack; in the memo, an entry that was not set.
 * PLAIN: a value whose content is not kept (None, a float, bytes, a set). LONG: an integer of more than 64 bits.
 * OPAQUE: an object of a class that means nothing here, or the result of calling it; nothing is known of it but the
 * class. */
typedef enum pf_kind { PF_V_MARK, PF_V_PLAIN, PF_V_BOOL, PF_V_INT, PF_V_LONG, PF_V_TEXT, PF_V_TUPLE, PF_V_LIST,
                       PF_V_DICT, PF_V_GLOBAL, PF_V_OPAQUE, PF_V_STORAGE, PF_V_TENSOR } pf_kind;
/* length: bytes of text. text of LONG: the bytes of the integer, little-endian, in two's complement. */
typedef struct pf_pyvalue {
    pf_kind kind;
    uint32_t length;
    union {
        int64_t integer;                       /* BOOL, INT */
        const char *text;                      /* TEXT, LONG; not terminated by 0 */
        struct pf_tuple *tuple;
        struct pf_items *items;                /* LIST, DICT */
        const struct pf_global *global;        /* GLOBAL; OPAQUE: its class */
        const struct pf_storage *storage;
        const struct pf_view *tensor;
    };
} pf_pyvalue;

typedef struct pf_tuple { size_t count; pf_pyvalue item[]; } pf_tuple;

/* The items of a list or of a dictionary that can lead to a tensor (containers, opaque objects) and, in a list, texts;
 * all others are left out. key: TEXT or INT; in a list the index. */
typedef struct pf_item { struct pf_item *next; pf_pyvalue key, value; } pf_item;
/* count: with those left out. open: pf_torch_walk is inside it. */
typedef struct pf_items { pf_item *first, *last; int64_t count; bool open; } pf_items;

/* What a global means to the machine (globals.def). NONE: nothing, it is opaque. */
typedef enum pf_meaning { PF_G_NONE, PF_G_DICT, PF_G_TUPLE, PF_G_STORAGE, PF_G_DTYPE, PF_G_TENSOR, PF_G_TENSOR_V3,
                          PF_G_PARAMETER, PF_G_SUBCLASS } pf_meaning;
/* Element types of PyTorch: name of the dtype, of the class of storages, of the type in safetensors files. */
typedef struct pf_torch_type { const char *dtype, *storage, *name; size_t bytes; } pf_torch_type;
typedef struct pf_global {
    pf_pyvalue module, name;                     /* TEXT */
    pf_meaning meaning;
    const pf_torch_type *type;                 /* STORAGE, DTYPE; U8 for UntypedStorage, which states none */
} pf_global;
/* Sets meaning and type by module and name. */
void pf_global_look_up(pf_global *g);

/* A storage: key names its data in the file, of which `count` elements from `first` on belong to it. */
typedef struct pf_storage {
    struct pf_storage *next;                   /* the one made before */
    const pf_torch_type *type;                 /* U8 if the file does not state one */
    const char *key;
    size_t key_length;
    uint64_t first, count;
} pf_storage;

/* A tensor: a view of a storage, by offset, extents and strides in elements of its type. All its elements lie inside
 * the storage. contiguous: they are row-major without gaps. */
typedef struct pf_view {
    const pf_storage *storage;
    const pf_torch_type *type;
    uint64_t offset, elements;
    int ndim;
    bool contiguous;
    const pf_tuple *dims, *strides;            /* INT */
} pf_view;

/* The text is equal to s. */
bool pf_value_is(const pf_pyvalue *v, const char *s);
#endif
