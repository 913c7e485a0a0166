/* SPDX-License-Identifier: Apache-2.0
 * stack.c -- the parts of the pickle machine that its opcodes use: the bytes of the pickle, the stack, the memo. */
#include "core/format/torch/machine.h"
#include <string.h>

/* Memory for the objects of a pickle in a file of `size` bytes is bounded by size + SLACK. */
enum { SLACK = 65536, FIRST_CAPACITY = 64 };

void pf_machine_init(pf_machine *m, peft_context *ctx, const void *data, size_t size, size_t file_size)
{
    *m = (pf_machine){ .data = data, .size = size };
    m->arena.ctx = ctx;
    m->arena.limit = file_size < SIZE_MAX - SLACK ? file_size + SLACK : SIZE_MAX;
}

void pf_machine_free(pf_machine *m)
{
    pf_free(m->arena.ctx, m->stack);
    pf_free(m->arena.ctx, m->memo);
    pf_arena_free(&m->arena);
}

peft_status pf_machine_bytes(pf_machine *m, uint64_t n, const uint8_t **out)
{
    if (n > m->size - m->at)
        return pf_fail(PEFT_E_FORMAT, "%llu bytes expected, %zu follow: the file is cut short", (unsigned long long)n,
                       m->size - m->at);
    *out = m->data + m->at;
    m->at += (size_t)n;
    return PEFT_OK;
}

peft_status pf_machine_number(pf_machine *m, int bytes, uint64_t *out)
{
    const uint8_t *p = NULL;
    PF_TRY(pf_machine_bytes(m, (uint64_t)bytes, &p));
    for (*out = 0; bytes--;) *out = *out << 8 | p[bytes];
    return PEFT_OK;
}

/* Doubles the capacity of a table of values. */
static peft_status grow(pf_machine *m, pf_pyvalue **table, size_t *capacity)
{
    const size_t old = *capacity * sizeof(pf_pyvalue), new = old ? 2 * old : FIRST_CAPACITY * sizeof(pf_pyvalue);
    PF_TRY(pf_arena_count(&m->arena, new));
    pf_pyvalue *larger = pf_realloc(m->arena.ctx, *table, new);
    if (!larger) return pf_nomem("values of the pickle", new);
    pf_arena_release(&m->arena, old);
    *table = larger;
    *capacity = new / sizeof(pf_pyvalue);
    return PEFT_OK;
}

peft_status pf_machine_push(pf_machine *m, pf_pyvalue v)
{
    if (m->depth == m->capacity) PF_TRY(grow(m, &m->stack, &m->capacity));
    m->stack[m->depth++] = v;
    return PEFT_OK;
}

const pf_pyvalue *pf_machine_top(const pf_machine *m)
{
    if (m->depth && m->stack[m->depth - 1].kind != PF_V_MARK) return m->stack + m->depth - 1;
    pf_fail(PEFT_E_FORMAT, "the stack has no value for this opcode: the pickle is damaged");
    return NULL;
}

peft_status pf_machine_pop(pf_machine *m, pf_pyvalue *out)
{
    const pf_pyvalue *top = pf_machine_top(m);
    if (!top) return PEFT_E_FORMAT;
    *out = *top;
    m->depth--;
    return PEFT_OK;
}

peft_status pf_machine_pop_mark(pf_machine *m, const pf_pyvalue **items, size_t *n)
{
    size_t mark = m->depth;
    while (mark && m->stack[mark - 1].kind != PF_V_MARK) mark--;
    if (!mark) return pf_fail(PEFT_E_FORMAT, "the stack has no mark for this opcode: the pickle is damaged");
    *items = m->stack + mark;
    *n = m->depth - mark;
    m->depth = mark - 1;
    return PEFT_OK;
}

/* Picklers number the entries in their order, from 0 or from 1 on; a larger index would only need memory. */
peft_status pf_machine_remember(pf_machine *m, uint64_t index)
{
    const pf_pyvalue *top = pf_machine_top(m);
    if (!top) return PEFT_E_FORMAT;
    if (index > m->memo_count + 1)
        return pf_fail(PEFT_E_FORMAT, "entry %llu of the memo follows %zu entries: the pickle is damaged",
                       (unsigned long long)index, m->memo_count);
    for (; m->memo_count <= index; m->memo_count++) {
        if (m->memo_count == m->memo_capacity) PF_TRY(grow(m, &m->memo, &m->memo_capacity));
        m->memo[m->memo_count] = (pf_pyvalue){ .kind = PF_V_MARK };
    }
    m->memo[index] = *top;
    return PEFT_OK;
}

peft_status pf_machine_recall(pf_machine *m, uint64_t index)
{
    if (index >= m->memo_count || m->memo[index].kind == PF_V_MARK)
        return pf_fail(PEFT_E_FORMAT, "entry %llu of the memo does not exist: the pickle is damaged",
                       (unsigned long long)index);
    return pf_machine_push(m, m->memo[index]);
}
