/* SPDX-License-Identifier: Apache-2.0
 * torch_legacy.c -- the form of torch.save before PyTorch 1.6: five pickles (a magic number, the protocol's number,
 * facts of the machine, the value, the keys of the storages in their order), then of each storage its number of
 * elements (8 bytes) and its data. */
#include <stdlib.h>
#include <string.h>
#include "core/format/torch/torch.h"

#define SAVE_WEIGHTS "save the weights in Python: torch.save(model.state_dict(), 'weights.pth')"

/* Little-endian bytes of the magic number, 0x1950a86a20f9469cfc6c. */
static bool is_magic(const pf_pyvalue *v)
{
    static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    return v->kind == PF_V_LONG && v->length == sizeof magic - 1 && !memcmp(v->text, magic, v->length);
}

/* The three pickles before the value. The facts of the machine say {"little_endian": True}, as the machine that reads
 * does; dictionaries keep no booleans (pf_items_add), so the text is looked for in the bytes of the pickle. */
static peft_status read_front(pf_machine *m)
{
    static const char key[] = "little_endian";
    pf_pyvalue v;
    if (pf_machine_run(m, &v) || !is_magic(&v))
        return pf_fail(PEFT_E_FORMAT, "is a Python pickle, but none of torch.save; " SAVE_WEIGHTS);
    PF_TRY(pf_machine_run(m, &v));
    if (v.kind != PF_V_INT || v.integer != 1001)
        return pf_fail(PEFT_E_UNSUPPORTED, "has another version of torch.save's format than 1001; " SAVE_WEIGHTS);
    const size_t start = m->at;
    PF_TRY(pf_machine_run(m, &v));
    const uint8_t *found = memmem(m->data + start, m->at - start, key, sizeof key - 1);
    enum { NEWTRUE = 0x88, NEWFALSE = 0x89 };
    for (const uint8_t *p = found; p && p < m->data + m->at; p++) {
        if (*p == NEWTRUE) return PEFT_OK;
        if (*p == NEWFALSE) break;
    }
    return pf_fail(PEFT_E_UNSUPPORTED, "was written on a big-endian machine, or does not say; " SAVE_WEIGHTS
                   " on a little-endian one");
}

static int compare(const pf_storage *a, const pf_storage *b)
{
    return pf_torch_compare_keys(a->key, a->key_length, b->key, b->key_length);
}

static int storages_by_key(const void *a, const void *b)
{
    return compare(*(const pf_storage *const *)a, *(const pf_storage *const *)b);
}

static int blobs_by_key(const void *a, const void *b)
{
    const pf_torch_blob *x = a, *y = b;
    return pf_torch_compare_keys(x->key, x->key_length, y->key, y->key_length);
}

/* The storages of the pickle, sorted by key. */
static peft_status sort_storages(pf_machine *m, const pf_storage ***out)
{
    size_t n = 0;
    *out = pf_arena_take(&m->arena, m->storage_count * sizeof **out);
    if (!*out) return pf_last_failure();
    for (const pf_storage *s = m->storages; s; s = s->next) (*out)[n++] = s;
    qsort(*out, n, sizeof **out, storages_by_key);
    return PEFT_OK;
}

/* Reads the data of the storage with this key. storages[m->storage_count]: sorted. */
static peft_status read_blob(pf_machine *m, const pf_storage **storages, const pf_pyvalue *key, pf_torch_blob *out)
{
    const pf_storage named = { .key = key->text, .key_length = key->length }, *wanted = &named;
    const pf_storage **found = bsearch(&wanted, storages, m->storage_count, sizeof *storages, storages_by_key);
    uint64_t n;
    if (!found)
        return pf_fail(PEFT_E_FORMAT, "storage '%.*s' follows the pickle, which does not use it: the file is damaged",
                       (int)(key->length < 40 ? key->length : 40), key->text);
    PF_TRY(pf_machine_number(m, sizeof n, &n));
    *out = (pf_torch_blob){ .key = key->text, .key_length = key->length };
    if (__builtin_mul_overflow(n, (*found)->type->bytes, &out->bytes))
        return pf_fail(PEFT_E_FORMAT, "a storage of %llu elements: the file is damaged", (unsigned long long)n);
    return pf_machine_bytes(m, out->bytes, &out->data);
}

peft_status pf_torch_read_legacy(peft_context *ctx, pf_torch_file *f)
{
    pf_machine *m = &f->machine;
    const pf_storage **storages;
    pf_pyvalue keys;
    pf_machine_init(m, ctx, f->data, f->size, f->size);
    PF_TRY(read_front(m));
    PF_TRY(pf_machine_run(m, &f->value));
    PF_TRY(pf_machine_run(m, &keys));
    if (keys.kind != PF_V_LIST)
        return pf_fail(PEFT_E_FORMAT, "the keys of the storages are no list: the file is damaged");
    PF_TRY(sort_storages(m, &storages));
    f->blob = pf_arena_take(&m->arena, (size_t)keys.items->count * sizeof *f->blob);
    if (!f->blob) return pf_last_failure();
    for (const pf_item *i = keys.items->first; i; i = i->next)
        if (i->value.kind == PF_V_TEXT) PF_TRY(read_blob(m, storages, &i->value, f->blob + f->blobs++));
    qsort(f->blob, f->blobs, sizeof *f->blob, blobs_by_key);
    return PEFT_OK;
}
