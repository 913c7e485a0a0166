/* SPDX-License-Identifier: Apache-2.0
 * masks.c -- io_masks: references, and what the public functions tell about the masks of a data set. */
#include "io/dataset/masks/masks.h"
#include "io/format/held/held.h"

peft_status io_masks_new(peft_context *ctx, io_masks **out)
{
    io_masks *m = io_alloc(ctx, 1, sizeof *m);
    if (!m) return io_nomem("masks");
    m->ctx = m->classes.ctx = m->files.ctx = peft_sys_context_retain(ctx);
    atomic_init(&m->refs, 1);
    atomic_init(&m->warned_of_turn, false);
    atomic_init(&m->warned_of_directions, false);
    atomic_init(&m->warned_of_spacing, false);
    peft_status s = io_held_new(ctx, &m->held);
    if (!s) s = io_mask_seg_new(ctx, &m->seg);
    if (s) io_masks_free(m);
    else *out = m;
    return s;
}

io_masks *io_masks_retain(io_masks *m)
{
    if (m) io_retain(&m->refs);
    return m;
}

void io_masks_free(io_masks *m)
{
    if (!m || !io_release(&m->refs)) return;
    peft_context *ctx = m->ctx;
    io_strings_clear(&m->classes);
    io_strings_clear(&m->files);
    io_held_free(m->held);
    io_mask_seg_free(m->seg);
    peft_sys_free(ctx, m->colour);
    peft_sys_free(ctx, m->first);
    peft_sys_free(ctx, m->file);
    peft_sys_free(ctx, m->of_class);
    peft_sys_free(ctx, m);
    peft_context_free(ctx);
}

int64_t io_masks_sample(const peft_dataset *d, int64_t i) { return d->opened ? d->index[i] : i; }

/* Copies what the options have made. */
static peft_status copy_options(const io_masks *m, io_masks *to)
{
    to->options = m->options;
    to->colours = m->colours;
    to->outside = m->outside;
    peft_status s = io_strings_copy(&to->classes, &m->classes, NULL);
    if (!s && m->files.count) s = io_strings_copy(&to->files, &m->files, NULL);
    if (s || !m->colours) return s;
    to->colour = io_alloc(m->ctx, m->colours, sizeof *m->colour);
    if (!to->colour) return io_nomem("masks");
    memcpy(to->colour, m->colour, (size_t)m->colours * sizeof *m->colour);
    return PEFT_OK;
}

peft_status io_masks_of_slices(const io_masks *m, const int64_t *old, int64_t count, io_masks **out)
{
    io_masks *to = NULL;
    int64_t entries = 0;
    for (int64_t k = 0; k < count; k++) entries += m->first[old[k] + 1] - m->first[old[k]];
    peft_status s = io_masks_new(m->ctx, &to);
    if (s) return s;
    to->count = count;
    to->first = io_alloc(m->ctx, count + 1, sizeof *to->first);
    to->file = io_alloc(m->ctx, entries, sizeof *to->file);
    to->of_class = io_alloc(m->ctx, entries, sizeof *to->of_class);
    s = to->first && to->file && to->of_class ? copy_options(m, to) : io_nomem("masks");
    for (int64_t k = 0; k < count && !s; k++) {
        const int64_t begin = m->first[old[k]], n = m->first[old[k] + 1] - begin;
        memcpy(to->file + to->first[k], m->file + begin, (size_t)n * sizeof *to->file);
        memcpy(to->of_class + to->first[k], m->of_class + begin, (size_t)n * sizeof *to->of_class);
        to->first[k + 1] = to->first[k] + n;
    }
    if (s) io_masks_free(to);
    else *out = to;
    return s;
}

int     peft_dataset_has_masks(const peft_dataset *d) { return d && d->masks; }
int     peft_dataset_mask_multilabel(const peft_dataset *d) { return d && d->masks && d->masks->options.multilabel; }
int64_t peft_dataset_mask_classes(const peft_dataset *d) { return d && d->masks ? d->masks->classes.count : 0; }

const char *peft_dataset_mask_class_name(const peft_dataset *d, int64_t c)
{
    return c >= 0 && c < peft_dataset_mask_classes(d) ? d->masks->classes.item[c] : NULL;
}

const char *peft_dataset_mask_file(const peft_dataset *d, int64_t i, int64_t k)
{
    if (!d || !d->masks || i < 0 || i >= d->count || k < 0) return NULL;
    const io_masks *m = d->masks;
    const int64_t *first = m->first + io_masks_sample(d, i);
    return k < first[1] - first[0] ? m->files.item[m->file[first[0] + k]] : NULL;
}
