/* SPDX-License-Identifier: Apache-2.0
 * torch_zip.c -- the form of torch.save since PyTorch 1.6: a zip archive with NAME/data.pkl, the pickle, NAME/data/KEY,
 * the data of each storage, and NAME/byteorder. */
#include <peft/sys/content.h>
#include <stdlib.h>
#include <string.h>
#include "core/format/torch/torch.h"
#include "core/format/zip/zip.h"

#define SAVE_WEIGHTS "save its weights in Python: torch.save(model.state_dict(), 'weights.pth')"

/* What find_parts finds in the archive: data.pkl, byteorder, and whether it is TorchScript, which has constants.pkl. */
typedef struct contents { pf_zip zip; pf_zip_entry pickle, order; bool has_pickle, has_order, script; } contents;

/* Does the entry's name end in this, after a slash or as the whole name? */
static bool is_file(const pf_zip_entry *e, const char *name)
{
    const size_t n = strlen(name);
    if (e->name_length < n || memcmp(e->name + e->name_length - n, name, n)) return false;
    return e->name_length == n || e->name[e->name_length - n - 1] == '/';
}

/* Is the entry's name that of data.pkl with "data.pkl" replaced by folder and more? *rest is what follows folder: "7"
 * of "weights/data/7" for folder "data/" beside "weights/data.pkl". */
static bool in_folder(const contents *c, const pf_zip_entry *e, const char *folder, const char **rest, size_t *length)
{
    const size_t front = c->pickle.name_length - strlen("data.pkl"), n = strlen(folder);
    if (e->name_length < front + n || memcmp(e->name, c->pickle.name, front) || memcmp(e->name + front, folder, n))
        return false;
    *rest = e->name + front + n;
    *length = e->name_length - front - n;
    return true;
}

static peft_status find_parts(contents *c)
{
    size_t place = 0;
    pf_zip_entry e;
    for (uint64_t i = 0; i < c->zip.entries; i++) {
        PF_TRY(pf_zip_next(&c->zip, &place, &e));
        if (is_file(&e, "data.pkl") && !c->has_pickle) {
            c->pickle = e;
            c->has_pickle = true;
        }
        if (is_file(&e, "byteorder") && !c->has_order) {
            c->order = e;
            c->has_order = true;
        }
        c->script |= is_file(&e, "constants.pkl");
    }
    if (c->script)
        return pf_fail(PEFT_E_UNSUPPORTED, "it is TorchScript, a program with its weights; " SAVE_WEIGHTS);
    if (!c->has_pickle)
        return pf_fail(PEFT_E_FORMAT, "it has no data.pkl, which torch.save writes; expected a safetensors file or a "
                       "file of torch.save");
    return PEFT_OK;
}

/* Opens the archive and finds its parts; an error names the kind of archive. */
static peft_status open_archive(const pf_torch_file *f, contents *c)
{
    peft_status s = pf_zip_open(f->data, f->size, &c->zip);
    if (!s) s = find_parts(c);
    return s ? pf_prefix_error(s, "is %s", peft_sys_content_kind(f->data, f->size)) : PEFT_OK;
}

static peft_status check_order(const contents *c)
{
    const uint8_t *data;
    if (!c->has_order) return PEFT_OK;                          /* PyTorch before 2.1 did not write it */
    PF_TRY(pf_zip_data(&c->zip, &c->order, &data));
    if (c->order.unpacked == 6 && !memcmp(data, "little", 6)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "was written on a big-endian machine; " SAVE_WEIGHTS " on a little-endian one");
}

int pf_torch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_key(const void *x, const void *y)
{
    const pf_torch_blob *a = x, *b = y;
    return pf_torch_compare_keys(a->key, a->key_length, b->key, b->key_length);
}

/* Lists the entries data/KEY, sorted by key. */
static peft_status list_blobs(pf_torch_file *f, const contents *c)
{
    size_t place = 0;
    pf_zip_entry e;
    f->blob = pf_arena_take(&f->machine.arena, (size_t)c->zip.entries * sizeof *f->blob);
    if (!f->blob) return pf_last_failure();
    for (uint64_t i = 0; i < c->zip.entries; i++) {
        pf_torch_blob *b = f->blob + f->blobs;
        PF_TRY(pf_zip_next(&c->zip, &place, &e));
        if (!in_folder(c, &e, "data/", &b->key, &b->key_length)) continue;
        PF_TRY(pf_zip_data(&c->zip, &e, &b->data));
        b->bytes = e.unpacked;
        f->blobs++;
    }
    qsort(f->blob, f->blobs, sizeof *f->blob, by_key);
    return PEFT_OK;
}

peft_status pf_torch_read_zip(peft_context *ctx, pf_torch_file *f)
{
    contents c = { .has_pickle = false };
    const uint8_t *pickle;
    PF_TRY(open_archive(f, &c));
    PF_TRY(check_order(&c));
    PF_TRY(pf_zip_data(&c.zip, &c.pickle, &pickle));
    pf_machine_init(&f->machine, ctx, pickle, (size_t)c.pickle.unpacked, f->size);
    PF_TRY(pf_machine_run(&f->machine, &f->value));
    return list_blobs(f, &c);
}
