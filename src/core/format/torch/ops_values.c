/* SPDX-License-Identifier: Apache-2.0
 * ops_values.c -- the opcodes of a pickle that push constants and texts, move values on the stack, and use the memo. */
#include "core/format/torch/machine.h"
#include <string.h>

static peft_status push_kind(pf_machine *m, pf_kind kind) { return pf_machine_push(m, (pf_pyvalue){ .kind = kind }); }

static peft_status push_integer(pf_machine *m, pf_kind kind, int64_t v)
{
    return pf_machine_push(m, (pf_pyvalue){ .kind = kind, .integer = v });
}

/* An unsigned number of 1 or 2 bytes, or a signed one of 4. */
static peft_status integer(pf_machine *m, int bytes)
{
    uint64_t v;
    PF_TRY(pf_machine_number(m, bytes, &v));
    return push_integer(m, PF_V_INT, bytes == 4 ? (int64_t)(int32_t)(uint32_t)v : (int64_t)v);
}

/* An integer of any length, whose number of bytes comes first (length_bytes: the bytes of that number). */
static peft_status long_integer(pf_machine *m, int length_bytes)
{
    uint64_t n, v = 0;
    const uint8_t *p;
    PF_TRY(pf_machine_number(m, length_bytes, &n));
    PF_TRY(pf_machine_bytes(m, n, &p));
    if (n > sizeof v)
        return pf_machine_push(m, (pf_pyvalue){ .kind = PF_V_LONG, .length = (uint32_t)n, .text = (const char *)p });
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    if (n && n < sizeof v && p[n - 1] & 0x80) v |= UINT64_MAX << 8 * n;            /* sign extension */
    return push_integer(m, PF_V_INT, (int64_t)v);
}

/* A text or bytes, after their length. Nothing that this reader looks for is made of bytes. */
static peft_status text(pf_machine *m, pf_kind kind, int length_bytes)
{
    uint64_t n;
    const uint8_t *p;
    PF_TRY(pf_machine_number(m, length_bytes, &n));
    PF_TRY(pf_machine_bytes(m, n, &p));
    if (kind == PF_V_PLAIN || n > UINT32_MAX) return push_kind(m, PF_V_PLAIN);
    return pf_machine_push(m, (pf_pyvalue){ .kind = kind, .length = (uint32_t)n, .text = (const char *)p });
}

static peft_status float_number(pf_machine *m)
{
    uint64_t bits;
    PF_TRY(pf_machine_number(m, sizeof bits, &bits));
    return push_kind(m, PF_V_PLAIN);
}

static peft_status protocol(pf_machine *m)
{
    uint64_t version;
    PF_TRY(pf_machine_number(m, 1, &version));
    if (version >= 2 && version <= 5) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "pickle protocol %u; expected 2 to 5", (unsigned)version);
}

/* The number of bytes of the next part of the pickle. */
static peft_status frame(pf_machine *m)
{
    uint64_t n;
    PF_TRY(pf_machine_number(m, sizeof n, &n));
    if (n <= m->size - m->at) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "a frame of %llu bytes, and %zu follow: the file is cut short",
                   (unsigned long long)n, m->size - m->at);
}

static peft_status pop_top(pf_machine *m)                       /* a mark too */
{
    if (m->depth && m->stack[m->depth - 1].kind == PF_V_MARK) {
        m->depth--;
        return PEFT_OK;
    }
    pf_pyvalue ignored;
    return pf_machine_pop(m, &ignored);
}

static peft_status duplicate(pf_machine *m)
{
    const pf_pyvalue *top = pf_machine_top(m);
    return top ? pf_machine_push(m, *top) : PEFT_E_FORMAT;
}

static peft_status pop_to_mark(pf_machine *m)
{
    const pf_pyvalue *items;
    size_t n;
    return pf_machine_pop_mark(m, &items, &n);
}

/* use: pf_machine_remember or pf_machine_recall; bytes: of the index. */
static peft_status memo(pf_machine *m, int bytes, peft_status (*use)(pf_machine *m, uint64_t index))
{
    uint64_t index;
    PF_TRY(pf_machine_number(m, bytes, &index));
    return use(m, index);
}

peft_status pf_ops_values(pf_machine *m, uint8_t opcode, bool *known)
{
    *known = true;
    switch (opcode) {
    case 0x80: return protocol(m);                              /* PROTO */
    case 0x95: return frame(m);                                 /* FRAME */
    case '(': return push_kind(m, PF_V_MARK);                   /* MARK */
    case '0': return pop_top(m);                                /* POP */
    case '1': return pop_to_mark(m);                            /* POP_MARK */
    case '2': return duplicate(m);                              /* DUP */
    case 'N': return push_kind(m, PF_V_PLAIN);                  /* NONE */
    case 0x88: return push_integer(m, PF_V_BOOL, 1);            /* NEWTRUE */
    case 0x89: return push_integer(m, PF_V_BOOL, 0);            /* NEWFALSE */
    case 'K': return integer(m, 1);                             /* BININT1 */
    case 'M': return integer(m, 2);                             /* BININT2 */
    case 'J': return integer(m, 4);                             /* BININT */
    case 0x8a: return long_integer(m, 1);                       /* LONG1 */
    case 0x8b: return long_integer(m, 4);                       /* LONG4 */
    case 'G': return float_number(m);                           /* BINFLOAT */
    case 'U': return text(m, PF_V_TEXT, 1);                     /* SHORT_BINSTRING */
    case 'T': return text(m, PF_V_TEXT, 4);                     /* BINSTRING */
    case 0x8c: return text(m, PF_V_TEXT, 1);                    /* SHORT_BINUNICODE */
    case 'X': return text(m, PF_V_TEXT, 4);                     /* BINUNICODE */
    case 0x8d: return text(m, PF_V_TEXT, 8);                    /* BINUNICODE8 */
    case 'C': return text(m, PF_V_PLAIN, 1);                    /* SHORT_BINBYTES */
    case 'B': return text(m, PF_V_PLAIN, 4);                    /* BINBYTES */
    case 0x8e: case 0x96: return text(m, PF_V_PLAIN, 8);        /* BINBYTES8, BYTEARRAY8 */
    case 'q': return memo(m, 1, pf_machine_remember);           /* BINPUT */
    case 'r': return memo(m, 4, pf_machine_remember);           /* LONG_BINPUT */
    case 0x94: return pf_machine_remember(m, m->memo_count);    /* MEMOIZE */
    case 'h': return memo(m, 1, pf_machine_recall);             /* BINGET */
    case 'j': return memo(m, 4, pf_machine_recall);             /* LONG_BINGET */
    default: *known = false; return PEFT_OK;
    }
}
