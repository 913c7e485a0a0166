/* SPDX-License-Identifier: Apache-2.0
 * similar_groups.c -- warns of names of groups that differ in form only: "0003" and "3", "P1" and "p1". They are
 * different patients to every function, so that one patient may come into both parts of a split. */
#include "io/dataset/groups.h"
#include "io/words.h"

/* The number of bytes of the blank at c: a space, a tab or U+00A0 in UTF-8; 0: there is none. */
static size_t blank(const char *c) { return *c == ' ' || *c == '\t' ? 1 : strncmp(c, "\xc2\xa0", 2) ? 0 : 2; }

/* A copy of the name in lower case, without blanks around it and without the zeros in front of numbers; to be freed.
 * NULL: no memory. */
static char *plain_form(peft_context *ctx, const char *name)
{
    char *plain = io_copy(ctx, name), *to = plain, *end = plain;      /* end: behind the last that is no blank */
    bool in_number = false;
    if (!plain) return NULL;
    while (blank(name)) name += blank(name);
    for (const char *c = name; *c; c++) {
        const bool digit = *c >= '0' && *c <= '9';
        if (*c == '0' && !in_number && c[1] >= '0' && c[1] <= '9') continue;
        in_number = digit;
        *to++ = io_lower(*c);
        if (!blank(c) && !(c > name && blank(c - 1) == 2)) end = to;
    }
    *end = 0;
    return plain;
}

/* The names of two lists, of which the second may be NULL, with their plain forms. */
typedef struct forms { io_strings plain; const char **name; io_named *sorted; } forms;

static peft_status fill(forms *f, const io_strings *a, const io_strings *b)
{
    const int64_t count = a->count + (b ? b->count : 0);
    peft_context *ctx = f->plain.ctx;
    f->name = io_alloc(ctx, count, sizeof *f->name);
    f->sorted = io_alloc(ctx, count, sizeof *f->sorted);
    peft_status s = f->name && f->sorted ? PEFT_OK : io_nomem("groups");
    for (int64_t i = 0; i < count && !s; i++) {
        f->name[i] = i < a->count ? a->item[i] : b->item[i - a->count];
        s = io_strings_add(&f->plain, plain_form(ctx, f->name[i]));
    }
    for (int64_t i = 0; i < count && !s; i++) f->sorted[i] = (io_named){ f->plain.item[i], i };
    if (!s) io_sort_named(f->sorted, count);
    return s;
}

peft_status io_warn_of_similar_groups(peft_context *ctx, const char *subject, const io_strings *a, const io_strings *b)
{
    forms f = { .plain = { .ctx = ctx } };
    const char *first = NULL, *second = NULL;
    int64_t pairs = 0;
    peft_status s = fill(&f, a, b);
    for (int64_t i = 1; i < f.plain.count && !s; i++) {
        const io_named *x = &f.sorted[i - 1], *y = &f.sorted[i];
        const bool both = b && x->i < a->count && y->i < a->count;             /* compared when a was made */
        if (strcmp(x->name, y->name) || !strcmp(f.name[x->i], f.name[y->i]) || both) continue;
        if (!pairs++) first = f.name[x->i], second = f.name[y->i];
    }
    if (pairs)
        io_warn(ctx, "%s: '%.80s' and '%.80s' count as two patients, though their names differ in form only%s: if they "
                "are one, its pictures may be in training and test alike; write each patient in one form", subject,
                first, second, pairs > 1 ? " (there are more such names)" : "");
    peft_sys_free(ctx, f.name);
    peft_sys_free(ctx, f.sorted);
    io_strings_clear(&f.plain);
    return s;
}
