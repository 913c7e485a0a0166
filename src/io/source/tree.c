/* SPDX-License-Identifier: Apache-2.0
 * tree.c -- the list of names below the root of a data set, the names of splits, and the top folder of a zip. */
#include "io/source/tree.h"

static const struct { const char *name, *split; } splits[] = {
    { "train", "train" }, { "training", "train" }, { "val", "val" }, { "valid", "val" }, { "validation", "val" },
    { "test", "test" },   { "testing", "test" } };

const char *io_split_of(const char *name)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (io_same_word(name, splits[i].name)) return splits[i].split;
    return NULL;
}

peft_status io_check_split(const char *split)
{
    if (!split || io_split_of(split)) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "data set: split '%.40s', expected train (training), val (valid, validation) or "
                   "test (testing)", split);
}

/* Cuts e->text into parts, up to the first hidden one. Names below __MACOSX, which macOS adds to its zips, get none. */
static void cut(io_entry *e)
{
    char *text = e->text;
    if (!strncmp(text, "__MACOSX/", 9)) return;
    e->folder = true;
    for (char *next = text; next; text = next) {
        if ((next = strchr(text, '/'))) *next++ = 0;
        if (!*text || !strcmp(text, ".")) continue;
        if (*text == '.') return;
        e->part[e->count++] = text;
        e->folder = next != NULL;
        if (e->count == IO_PARTS) return;
    }
}

peft_status io_tree_add(io_tree *t, char *owned, bool guessed, int64_t member)
{
    if (owned && t->count == t->room) {
        int64_t room = t->room ? 2 * t->room : 64;
        io_entry *item = peft_sys_realloc(t->ctx, t->item, (size_t)room * sizeof *item);
        if (item) {
            t->item = item;
            t->room = room;
        }
    }
    if (!owned || t->count == t->room) {
        peft_sys_free(t->ctx, owned);
        return io_nomem("list of names");
    }
    io_entry *e = &t->item[t->count];
    *e = (io_entry){ .text = owned, .guessed = guessed, .member = member };
    cut(e);
    if (e->count) t->count++;
    else peft_sys_free(t->ctx, owned);
    return PEFT_OK;
}

void io_tree_clear(io_tree *t)
{
    for (int64_t i = 0; i < t->count; i++) peft_sys_free(t->ctx, t->item[i].text);
    peft_sys_free(t->ctx, t->item);
    *t = (io_tree){ .ctx = t->ctx };
}

static bool is_picture(const io_entry *e) { return !e->folder && io_is_image_name(e->part[e->count - 1]); }

/* The first parts of all pictures: one top folder, or several; a picture directly in it, a picture deeper in it, and
 * whether a folder in it is called as a split. */
typedef struct shape { const char *top; const io_entry *direct, *deeper; bool several, splits; } shape;

static shape find_top(const io_tree *t)
{
    shape s = { 0 };
    for (int64_t i = 0; i < t->count; i++) {
        const io_entry *e = &t->item[i];
        if (!is_picture(e) || e->count < 2) continue;         /* a picture beside all folders is never a sample */
        if (!s.top) s.top = e->part[0];
        s.several |= strcmp(s.top, e->part[0]) != 0;
        if (e->count == 2) s.direct = e;
        else {
            s.deeper = e;
            s.splits |= io_split_of(e->part[1]) != NULL;
        }
    }
    return s;
}

/* Names outside the top folder stay, marked as stray: io_tree_arrange counts them as left out. */
static void cut_top(io_tree *t, const char *top)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < t->count; i++) {
        io_entry e = t->item[i];
        if (strcmp(e.part[0], top)) e.stray = true;
        else memmove(e.part, e.part + 1, (size_t)--e.count * sizeof *e.part);
        if (e.count) t->item[kept++] = e;
        else peft_sys_free(t->ctx, e.text);
    }
    t->count = kept;
}

peft_status io_tree_skip_top(io_tree *t, const char *path, const char *split)
{
    const shape s = find_top(t);
    if (!s.top || s.several || io_split_of(s.top) || !s.deeper) return PEFT_OK;
    if (!s.splits && split) return PEFT_OK;
    if (!s.splits && s.direct)
        return io_fail(PEFT_E_FORMAT, "%s: pictures lie in '%.80s' (%.80s) and in its folders (%.80s/%.80s): is it a "
                       "class, or a folder around the classes? Expected every picture in a folder of its class",
                       path, s.top, s.direct->part[1], s.deeper->part[1], s.deeper->part[2]);
    cut_top(t, s.top);
    return PEFT_OK;
}
