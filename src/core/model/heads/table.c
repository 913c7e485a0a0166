/* SPDX-License-Identifier: Apache-2.0
 * table.c -- finds a head by its name, and computes the shape of its logits. */
#include <string.h>
#include "core/model/model.h"

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
    const int64_t grid = pf_vit_grid(v);
    if (head == &pf_head_none) return (pf_shape){ 0 };
    return head->patches ? pf_shape_of(3, grid, grid, classes) : pf_shape_of(1, classes);
}
