/* SPDX-License-Identifier: Apache-2.0
 * table.c -- finds a head by its name, and computes the shape of its logits and the blocks that it reads. */
#include <stdio.h>
#include <string.h>
#include "core/model/model.h"
#include "core/options/text.h"

static const pf_head *const heads[] = {
#define PF_HEAD(name, help) &pf_head_##name,
#include "core/model/heads/heads.def"
#undef PF_HEAD
};
#define HEADS (sizeof heads / sizeof *heads)

const pf_head *pf_head_find(const char *name)
{
    const char *names[HEADS];
    char text[160];
    for (size_t i = 0; i < HEADS; i++) {
        if (!strcmp(name, heads[i]->name)) return heads[i];
        names[i] = heads[i]->name;
    }
    pf_fail(PEFT_E_OPTION, "head: given '%s', expected %s", name,
            pf_names_text(names, HEADS, ", ", " or ", text, sizeof text));
    return NULL;
}

pf_shape pf_head_output(const pf_head *head, const pf_vit_shape *v, int64_t classes)
{
    const pf_grid grid = pf_vit_grid(v);
    if (head == &pf_head_none) return (pf_shape){ 0 };
    if (head->of == PF_OF_PATCHES) return pf_shape_of(3, grid.h, grid.w, classes);
    return head->of == PF_OF_PIXELS ? pf_shape_of(3, v->image.h, v->image.w, classes) : pf_shape_of(1, classes);
}

/* Four blocks, or all if there are fewer, that end parts of equal length: of 12 blocks 2, 5, 8 and 11. */
static void spread_evenly(pf_head_spec *spec, int64_t depth)
{
    spec->blocks = depth < PF_HEAD_BLOCKS_MAX ? (int)depth : PF_HEAD_BLOCKS_MAX;
    for (int i = 0; i < spec->blocks; i++) spec->block[i] = (i + 1) * depth / spec->blocks - 1;
}

peft_status pf_head_read_blocks(pf_head_spec *spec, const char *text, const pf_vit_shape *v)
{
    size_t length;
    bool valid = true;
    const char *list = text;
    spec->blocks = 0;
    if (!strcmp(text, "auto")) {
        spread_evenly(spec, v->depth);
        return PEFT_OK;
    }
    for (const char *item; valid && (item = pf_list_next(&list, &length)); ) {
        char number[24];
        int64_t *block = &spec->block[spec->blocks];
        valid = spec->blocks < PF_HEAD_BLOCKS_MAX && length < sizeof number;
        if (!valid) break;
        snprintf(number, sizeof number, "%.*s", (int)length, item);
        valid = pf_parse_int(number, block) && *block >= 0 && *block < v->depth
             && (!spec->blocks || *block > block[-1]);
        spec->blocks++;
    }
    if (valid && spec->blocks) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "head_blocks: given '%s', expected auto, or one to %d numbers of blocks from 0 to "
                   "%lld in rising order, such as [2, 5, 8, 11]", text, PF_HEAD_BLOCKS_MAX, (long long)v->depth - 1);
}
