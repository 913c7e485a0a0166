/* SPDX-License-Identifier: Apache-2.0
 * groups.c -- io_groups, and the functions that tell groups (patients) and cases of samples. */
#include "io/dataset/groups.h"

/* Adds the names, and finds each sample's. */
static peft_status fill(io_groups *g, const char *const *text, int64_t count)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < count && !s; i++)
        if (text[i] && *text[i]) s = io_strings_add(&g->names, io_copy(g->names.ctx, text[i]));
    if (s) return s;
    io_strings_sort_unique(&g->names);
    for (int64_t i = 0; i < count; i++)
        g->of[i] = text[i] && *text[i] ? io_strings_find(&g->names, text[i]) : IO_NO_GROUP;
    return PEFT_OK;
}

peft_status io_groups_make(peft_context *ctx, const char *const *text, int64_t count, io_groups **out)
{
    io_groups *g = io_alloc(ctx, 1, sizeof *g);
    if (!g) return io_nomem("groups");
    atomic_init(&g->refs, 1);
    g->names.ctx = ctx;
    g->of = io_alloc(ctx, count, sizeof *g->of);
    peft_status s = g->of ? fill(g, text, count) : io_nomem("groups");
    if (s) io_groups_free(ctx, g);
    else *out = g;
    return s;
}

io_groups *io_groups_retain(io_groups *g)
{
    if (g) io_retain(&g->refs);
    return g;
}

void io_groups_free(peft_context *ctx, io_groups *g)
{
    if (!g || !io_release(&g->refs)) return;
    io_strings_clear(&g->names);
    peft_sys_free(ctx, g->of);
    peft_sys_free(ctx, g);
}

int64_t io_group_of(const peft_dataset *d, const io_groups *g, int64_t i)
{
    return g ? g->of[d->opened ? d->index[i] : i] : IO_NO_GROUP;
}

/* The name of the sample's group; NULL: it has none, or there is no such sample. */
static const char *name_of(const peft_dataset *d, const io_groups *g, int64_t i)
{
    if (!d || i < 0 || i >= d->count) return NULL;
    const int64_t k = io_group_of(d, g, i);
    return k == IO_NO_GROUP ? NULL : g->names.item[k];
}

int         peft_dataset_has_groups(const peft_dataset *d) { return d && d->groups; }
int         peft_dataset_has_cases(const peft_dataset *d) { return d && d->cases; }
const char *peft_dataset_group(const peft_dataset *d, int64_t i) { return name_of(d, d ? d->groups : NULL, i); }
const char *peft_dataset_case(const peft_dataset *d, int64_t i) { return name_of(d, d ? d->cases : NULL, i); }

/* Sets first[k] to the first sample of d in each group k; -1: none is in it. NULL: no memory. */
static int64_t *first_samples(const peft_dataset *d)
{
    const int64_t groups = d->groups ? d->groups->names.count : 0;
    int64_t *first = io_alloc(d->ctx, groups + 1, sizeof *first);
    for (int64_t k = 0; k < groups && first; k++) first[k] = -1;
    for (int64_t i = d->count - 1; i >= 0 && first; i--) {
        const int64_t k = io_group_of(d, d->groups, i);
        if (k != IO_NO_GROUP) first[k] = i;
    }
    return first;
}

/* Both lists of names are sorted, so that one pass through both finds those that are equal. */
peft_status peft_dataset_shared_groups(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a,
                                       int64_t *in_b, int64_t *count)
{
    if (!a || !b || !count || (room > 0 && (!in_a || !in_b)))
        return io_fail(PEFT_E_INVALID, "shared groups: %s is NULL", !a || !b ? "data set" : !count ? "count"
                                                                                                   : "in_a or in_b");
    int64_t found = 0, *first_a = first_samples(a), *first_b = first_samples(b);
    peft_status s = first_a && first_b ? PEFT_OK : io_nomem("groups");
    const int64_t of_a = a->groups ? a->groups->names.count : 0, of_b = b->groups ? b->groups->names.count : 0;
    for (int64_t i = 0, k = 0; !s && i < of_a && k < of_b;) {
        const int order = strcmp(a->groups->names.item[i], b->groups->names.item[k]);
        if (!order && first_a[i] >= 0 && first_b[k] >= 0) {
            if (found < room) {
                in_a[found] = first_a[i];
                in_b[found] = first_b[k];
            }
            found++;
        }
        i += order <= 0;
        k += order >= 0;
    }
    if (!s && a->groups && b->groups && a->groups != b->groups)
        s = io_warn_of_similar_groups(a->ctx, "two data sets", &a->groups->names, &b->groups->names);
    if (!s) *count = found;
    peft_sys_free(a->ctx, first_a);
    peft_sys_free(b->ctx, first_b);
    return s;
}
