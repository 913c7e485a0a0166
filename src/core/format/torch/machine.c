/* SPDX-License-Identifier: Apache-2.0
 * machine.c -- runs the opcodes of a pickle up to STOP (machine.h). */
#include "core/format/torch/machine.h"

static peft_status run_opcode(pf_machine *m, uint8_t opcode)
{
    static peft_status (*const ops[])(pf_machine *, uint8_t, bool *) = { pf_ops_values, pf_ops_containers,
                                                                         pf_ops_objects };
    bool known = false;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        PF_TRY(ops[i](m, opcode, &known));
        if (known) return PEFT_OK;
    }
    /* such as the texts of protocol 0 (STRING, INT), registered extensions (EXT1), buffers outside the pickle */
    return pf_fail(PEFT_E_UNSUPPORTED, "this opcode is not one that torch.save writes (protocols 2 to 5)");
}

peft_status pf_machine_run(pf_machine *m, pf_pyvalue *out)
{
    enum { STOP = '.' };
    m->depth = m->memo_count = 0;
    for (;;) {
        const size_t at = m->at;
        const uint8_t *opcode;
        peft_status s = pf_machine_bytes(m, 1, &opcode);
        if (!s && *opcode == STOP) s = pf_machine_pop(m, out);
        else if (!s) s = run_opcode(m, *opcode);
        if (s && at < m->size) return pf_prefix_error(s, "pickle, opcode 0x%02x at byte %zu", m->data[at], at);
        if (s) return pf_prefix_error(s, "pickle, byte %zu", at);
        if (*opcode == STOP) return PEFT_OK;
    }
}
