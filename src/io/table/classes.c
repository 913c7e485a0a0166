/* SPDX-License-Identifier: Apache-2.0
 * classes.c -- the classes of a table: their order and their names. */
#include "io/table/table.h"

enum { MAX_CLASSES = 1 << 20, MAX_COMPARED = 1000 };

bool io_table_integer(const char *cell, int64_t *v)
{
    size_t n = strlen(cell);
    if (n > 2 && !strcmp(cell + n - 2, ".0")) n -= 2;         /* as pandas writes numbers in a column with gaps */
    return peft_sys_opt_integer(cell, n, v);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = 0, y = 0;
    const char *s = *(char *const *)a, *t = *(char *const *)b;
    io_table_integer(s, &x);
    io_table_integer(t, &y);
    return x != y ? (x < y ? -1 : 1) : strcmp(s, t);
}

/* Sorts texts bytewise and leaves one of equal ones; then by number, if all are whole numbers. */
static void sort_classes(io_strings *found)
{
    bool numbers = true;
    int64_t v;
    io_strings_sort_unique(found);
    for (int64_t i = 0; i < found->count && numbers; i++) numbers = io_table_integer(found->item[i], &v);
    if (numbers && found->count) qsort(found->item, (size_t)found->count, sizeof *found->item, by_number);
}

/* Adds the names of the option classes. */
static peft_status take_option(io_table *t)
{
    char part[IO_TABLE_WORD];
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < io_list_count(t->options.classes) && !s; i++) {
        const char *name = io_list_part(t->options.classes, i, part);
        s = name ? io_strings_add(&t->classes, io_copy(t->ctx, name))
                 : io_fail(PEFT_E_OPTION, "table: option 'classes' has a name of more than %d bytes",
                           IO_TABLE_WORD - 1);
    }
    return s;
}

/* Sets by_name, and refuses two classes of one name. */
static peft_status index_classes(io_table *t)
{
    const io_strings *c = &t->classes;
    io_named *sorted = io_alloc(t->ctx, c->count, sizeof *sorted);
    t->by_name = io_alloc(t->ctx, c->count, sizeof *t->by_name);
    peft_status s = sorted && t->by_name ? PEFT_OK : io_nomem(t->path);
    for (int64_t i = 0; i < c->count && !s; i++) sorted[i] = (io_named){ c->item[i], i };
    if (!s) io_sort_named(sorted, c->count);
    for (int64_t i = 0; i < c->count && !s; i++) {
        t->by_name[i] = sorted[i].i;
        if (i && !strcmp(sorted[i - 1].name, sorted[i].name))
            s = io_fail(PEFT_E_FORMAT, "%s: two classes have the name '%.80s'", t->path, sorted[i].name);
    }
    peft_sys_free(t->ctx, sorted);
    return s;
}

/* Refuses names that cannot stand in a model file, and warns of two that differ in upper and lower case alone, unless
 * there are more than MAX_COMPARED classes. */
static peft_status check_names(const io_table *t)
{
    const io_strings *c = &t->classes;
    for (int64_t i = 0; i < c->count; i++) {
        if (!*c->item[i] || !io_is_plain_text(c->item[i]))
            return io_fail(PEFT_E_FORMAT, "%s: class number %lld: its name is empty, or has a line break or another "
                           "control character; rename it in the table", t->path, (long long)i);
        for (int64_t k = 0; k < i && c->count <= MAX_COMPARED; k++)
            if (io_same_word(c->item[k], c->item[i]))
                io_warn(t->ctx, "%s: '%.80s' and '%.80s' are two classes, which differ in upper and lower case alone",
                        t->path, c->item[k], c->item[i]);
    }
    return PEFT_OK;
}

peft_status io_table_set_classes(io_table *t, io_strings *found, bool keep_order)
{
    peft_status s = PEFT_OK;
    if (*t->options.classes) {
        io_strings_clear(found);
        s = take_option(t);
    } else {
        if (!keep_order) sort_classes(found);
        t->classes = *found;
        *found = (io_strings){ .ctx = t->ctx };
    }
    if (!s && t->classes.count > MAX_CLASSES)
        s = io_fail(PEFT_E_UNSUPPORTED, "%s: %lld different labels, the limit is %d; is it the column of the labels?",
                    t->path, (long long)t->classes.count, MAX_CLASSES);
    if (!s) s = check_names(t);
    return s ? s : index_classes(t);
}

int64_t io_table_class(const io_table *t, const char *name)
{
    int64_t low = 0, high = t->classes.count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(t->classes.item[t->by_name[middle]], name);
        if (!order) return t->by_name[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}
