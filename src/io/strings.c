/* SPDX-License-Identifier: Apache-2.0
 * strings.c -- a list of texts that grows (strings.h). */
#include "io/strings.h"

/* Where text cannot be added, it is freed. */
peft_status io_strings_add(io_strings *list, char *text)
{
    if (!text || !io_grow(list->ctx, &list->item, list->count, &list->capacity, sizeof *list->item)) {
        peft_sys_free(list->ctx, text);
        return io_nomem("list of names");
    }
    list->item[list->count++] = text;
    return PEFT_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void io_strings_sort(io_strings *list)
{
    if (list->count) qsort(list->item, (size_t)list->count, sizeof *list->item, by_name);
}

void io_strings_sort_unique(io_strings *list)
{
    int64_t n = 0;                                            /* items that are kept so far */
    io_strings_sort(list);
    for (int64_t i = 0; i < list->count; i++)
        if (n && !strcmp(list->item[n - 1], list->item[i])) peft_sys_free(list->ctx, list->item[i]);
        else list->item[n++] = list->item[i];
    list->count = n;
}

static int by_text(const void *text, const void *item) { return strcmp(text, *(char *const *)item); }

int64_t io_strings_find(const io_strings *list, const char *text)
{
    if (!list->count) return -1;
    char **found = bsearch(text, list->item, (size_t)list->count, sizeof *list->item, by_text);
    return found ? found - list->item : -1;
}

peft_status io_strings_copy(io_strings *list, const io_strings *from, const int64_t *keep)
{
    size_t size = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < from->count; i++)
        if (!keep || keep[i] >= 0) size += strlen(from->item[i]) + 1, count++;
    if (!count) return PEFT_OK;
    list->item = io_alloc(list->ctx, count, sizeof *list->item);
    char *to = list->block = io_alloc(list->ctx, (int64_t)size, 1);
    if (!list->item || !list->block) return io_nomem("list of names");
    for (int64_t i = 0; i < from->count; i++) {
        if (keep && keep[i] < 0) continue;
        list->item[list->count++] = to;
        to = stpcpy(to, from->item[i]) + 1;
    }
    list->capacity = count;
    return PEFT_OK;
}

void io_strings_clear(io_strings *list)
{
    for (int64_t i = 0; i < list->count && !list->block; i++) peft_sys_free(list->ctx, list->item[i]);
    peft_sys_free(list->ctx, list->block);
    peft_sys_free(list->ctx, list->item);
    *list = (io_strings){ .ctx = list->ctx };
}
