/* SPDX-License-Identifier: Apache-2.0
 * found.c -- a list of pictures, which becomes a data set without labels (found.h). */
#include "io/source/pictures/found.h"
#include "io/dataset/groups.h"

peft_status io_found_add(found_list *l, char *name, int64_t member)
{
    if (!name || !io_grow(l->ctx, &l->item, l->count, &l->capacity, sizeof *l->item)) {
        peft_sys_free(l->ctx, name);
        return io_nomem("list of pictures");
    }
    l->item[l->count++] = (found){ .name = name, .member = member };
    return PEFT_OK;
}

static int by_name(const void *a, const void *b)
{
    const found *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : x->member < y->member ? -1 : x->member > y->member;
}

void io_found_sort(found_list *l)
{
    if (l->count) qsort(l->item, (size_t)l->count, sizeof *l->item, by_name);
}

void io_found_clear(found_list *l)
{
    for (int64_t i = 0; i < l->count; i++) {
        peft_sys_free(l->ctx, l->item[i].name);
        peft_sys_free(l->ctx, l->item[i].series);
    }
    peft_sys_free(l->ctx, l->item);
    *l = (found_list){ .ctx = l->ctx };
}

/* Makes the cases of d, if a picture has a series. */
static peft_status make_cases(const found_list *l, peft_dataset *d)
{
    bool any = false;
    const char **text = io_alloc(l->ctx, l->count, sizeof *text);
    if (!text) return io_nomem("cases");
    for (int64_t i = 0; i < l->count; i++) {
        text[i] = l->item[i].series;
        any |= text[i] != NULL;
    }
    peft_status s = any ? io_groups_make(l->ctx, text, l->count, &d->cases) : PEFT_OK;
    peft_sys_free(l->ctx, text);
    return s;
}

peft_status io_found_keep(found_list *l, peft_dataset *d, int64_t **member)
{
    if (!l->count) return PEFT_OK;
    if (member && !(*member = io_alloc(d->ctx, l->count, sizeof **member))) return io_nomem("list of pictures");
    peft_status s = make_cases(l, d);
    for (int64_t i = 0; i < l->count && !s; i++) {
        char *name = l->item[i].name;
        l->item[i].name = NULL;                               /* io_strings_add owns it from here on */
        s = io_strings_add(&d->names, name);
        if (member) (*member)[i] = l->item[i].member;
    }
    if (s) return s;
    if (!(d->label = io_alloc(d->ctx, l->count, sizeof *d->label))) return io_nomem("list of pictures");
    d->count = l->count;
    d->classes = 1;
    return io_strings_add(&d->class_names, io_copy(d->ctx, "unlabelled"));
}
