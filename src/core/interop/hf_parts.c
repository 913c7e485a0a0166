/* SPDX-License-Identifier: Apache-2.0
 * hf_parts.c -- what the files share that turn parameters into tensors of PEFT: modules that are several in some
 * namings, keys of tensors, and the list of tensors. */
#include <stdio.h>
#include <string.h>
#include "core/interop/hf_dir.h"

/* Ends of the names of adapters' tensors, equal in this library and in PEFT. */
static const char *const endings[] = { ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector", ".ia3_l",
                                       ".ln_tuning_layers.weight", ".ln_tuning_layers.bias", ".vera_lambda_d",
                                       ".vera_lambda_b", ".oft_R.weight" };
#define ELEMENTS_OF(a) (sizeof(a) / sizeof *(a))

static const pf_parts parts[] = { { "attn.qkv", 3, { "attn.q", "attn.k", "attn.v" } },
                                  { "mlp.fc1", 2, { "mlp.fc1_g", "mlp.fc1_x" } } };

const pf_parts *pf_parts_of(const char *stem, int *index)
{
    for (size_t i = 0; i < ELEMENTS_OF(parts); i++) {
        if (!strcmp(parts[i].whole, stem)) return index ? NULL : &parts[i];
        for (int k = 0; k < parts[i].count && index; k++)
            if (!strcmp(parts[i].part[k], stem)) return *index = k, &parts[i];
    }
    return NULL;
}

const char *pf_peft_ending(const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < ELEMENTS_OF(endings); i++) {
        const size_t tail = strlen(endings[i]);
        if (length > tail && !strcmp(name + length - tail, endings[i])) return name + length - tail;
    }
    return NULL;
}

/* A norm's key has ".ln_tuning_layers" in it if LN_TUNING adapts it, and an adapted module's bias ".base_layer". */
void pf_peft_key(const pf_module *m, const char *path, const char *ending, char key[PF_KEY_MAX])
{
    const bool whole = !strcmp(ending, ".weight") || !strcmp(ending, ".bias");
    const bool norm = m && (m->kind == PF_MODULE_NORM || m->kind == PF_MODULE_FINAL);
    snprintf(key, PF_KEY_MAX, PF_PEFT_FRONT "%s%s%s", path,
             !whole || !m || !m->target ? "" : norm ? ".ln_tuning_layers" : ".base_layer", ending);
}

int64_t pf_peft_entry_count(const pf_peft_entry *e)
{
    int64_t count = 1;
    for (int i = 0; i < e->ndim; i++) count *= e->dim[i];
    return count;
}

pf_peft_entry *pf_peft_entries_add(pf_peft_entries *e, pf_param *p, const char *key, int64_t first, int ndim,
                                   const int64_t *dim)
{
    if (e->count == e->capacity) {
        const size_t capacity = e->capacity ? 2 * e->capacity : 16;
        pf_peft_entry *item = pf_alloc_zero(e->ctx, capacity * sizeof *item);
        if (!item) return NULL;
        if (e->count) memcpy(item, e->item, e->count * sizeof *item);
        pf_free(e->ctx, e->item);
        e->item = item;
        e->capacity = capacity;
    }
    pf_peft_entry *to = &e->item[e->count++];
    *to = (pf_peft_entry){ .param = p, .first = first, .ndim = ndim };
    snprintf(to->key, sizeof to->key, "%s", key);
    memcpy(to->dim, dim, sizeof *dim * (size_t)ndim);
    return to;
}

void pf_peft_entries_free(pf_peft_entries *e)
{
    for (size_t i = 0; i < e->count; i++) pf_free(e->ctx, e->item[i].made);
    pf_free(e->ctx, e->item);
}
