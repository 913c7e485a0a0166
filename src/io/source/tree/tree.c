/* SPDX-License-Identifier: Apache-2.0
 * tree.c -- io_tree: adds names and cuts them into parts; removes the top folder of a zip. */
#include "io/source/tree/tree.h"

/* Cuts e->text into parts, up to the first hidden one. Names in __MACOSX, which macOS adds to its zips, get no part. */
static void cut_into_parts(io_entry *e)
{
    char *text = e->text;
    if (!strncmp(text, "__MACOSX/", 9)) return;
    for (char *next = text; next; text = next) {
        if ((next = strchr(text, '/'))) *next++ = 0;
        if (!*text || !strcmp(text, ".")) continue;
        if (*text == '.') return;
        e->part[e->count++] = text;
        e->is_folder = next != NULL;
        if (e->count == IO_PARTS) return;
    }
}

/* Adds e, of which cut_into_parts fills the parts. e.text NULL: no memory. */
static peft_status add_entry(io_tree *t, io_entry e)
{
    if (!e.text || !io_grow(t->ctx, &t->item, t->count, &t->capacity, sizeof *t->item)) {
        peft_sys_free(t->ctx, e.text);
        return io_nomem("list of names");
    }
    cut_into_parts(&e);
    if (e.count) e.is_picture = !e.is_folder && (e.is_picture || io_is_image_name(e.part[e.count - 1]));
    if (e.count) t->item[t->count++] = e;
    else peft_sys_free(t->ctx, e.text);
    return PEFT_OK;
}

peft_status io_tree_add(io_tree *t, char *name) { return add_entry(t, (io_entry){ .text = name }); }

peft_status io_tree_add_picture(io_tree *t, char *name)
{
    return add_entry(t, (io_entry){ .text = name, .is_picture = true });
}

peft_status io_tree_add_member(io_tree *t, char *name, bool guessed, bool is_picture, int64_t member)
{
    return add_entry(t, (io_entry){ .text = name, .guessed = guessed, .is_picture = is_picture, .member = member });
}

void io_tree_clear(io_tree *t)
{
    for (int64_t i = 0; i < t->count; i++) peft_sys_free(t->ctx, t->item[i].text);
    peft_sys_free(t->ctx, t->item);
    *t = (io_tree){ .ctx = t->ctx };
}

/* The folder directly below the root that holds all pictures, if there is one. */
typedef struct top_folder {
    const char *name;                                         /* of the folder that holds the first picture */
    bool several;                                             /* another folder holds pictures too: no top folder */
    const io_entry *direct, *deeper;                          /* a picture directly in it, and one in its folders */
    bool has_splits;                                          /* a folder in it has the name of a split */
} top_folder;

/* Looks at all pictures. The result is a top folder only if it has a name and not `several`. */
static top_folder find_top(const io_tree *t)
{
    top_folder top = { 0 };
    for (int64_t i = 0; i < t->count; i++) {
        const io_entry *e = &t->item[i];
        if (!e->is_picture || e->count < 2) continue;         /* a picture in no folder is never a sample */
        if (!top.name) top.name = e->part[0];
        top.several |= strcmp(top.name, e->part[0]) != 0;
        if (e->count == 2) top.direct = e;
        else {
            top.deeper = e;
            top.has_splits |= io_split_of(e->part[1]) != NULL;
        }
    }
    return top;
}

/* Removes the first part of all names in the top folder. Names outside of it stay, marked with outside_top, so that
 * io_tree_arrange counts them as skipped. */
static void remove_top(io_tree *t, const char *top)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < t->count; i++) {
        io_entry e = t->item[i];
        if (strcmp(e.part[0], top)) e.outside_top = true;
        else memmove(e.part, e.part + 1, (size_t)--e.count * sizeof *e.part);
        if (e.count) t->item[kept++] = e;
        else peft_sys_free(t->ctx, e.text);
    }
    t->count = kept;
}

/* A folder that means a split stays, and so does one without folders in it, which is a class. Where a split is to be
 * opened, only a folder that holds splits is removed. */
peft_status io_tree_skip_top(io_tree *t, const char *path, const char *split)
{
    const top_folder top = find_top(t);
    if (!top.name || top.several || io_split_of(top.name) || !top.deeper) return PEFT_OK;
    if (!top.has_splits && split) return PEFT_OK;
    if (!top.has_splits && top.direct)
        return io_fail(PEFT_E_FORMAT, "%s: pictures lie in '%.80s' (%.80s) and in its folders (%.80s/%.80s): is it a "
                       "class, or a folder around the classes? Expected every picture in a folder of its class",
                       path, top.name, top.direct->part[1], top.deeper->part[1], top.deeper->part[2]);
    remove_top(t, top.name);
    return PEFT_OK;
}
