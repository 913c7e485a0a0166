/* SPDX-License-Identifier: Apache-2.0
 * zip_folder.c -- the source zip: a data set from a zip of a folder of images, by the same rules as a folder. */
#include "io/source/source.h"
#include "io/source/tree/tree.h"
#include "io/source/zip/zip_store.h"

typedef struct reading { io_tree tree; const io_zip_members *members; } reading;

static peft_status add_member(void *user, char *name, bool guessed, int64_t member)
{
    reading *r = user;
    const bool is_picture = io_zip_is_unnamed_image(r->members, name, member);
    return io_tree_add_member(&r->tree, name, guessed, is_picture, member);
}

static peft_status open_zip(const io_open_arguments *a, peft_dataset *d)
{
    reading r = { .tree = { .ctx = d->ctx } };
    io_tree *t = &r.tree;
    peft_status s = io_check_split(a->split);
    if (!s) s = io_zip_store_open(a->path, d);
    if (s) return s;
    io_zip_members *m = d->store_state;
    r.members = m;
    s = io_zip_each_member(m, add_member, &r);
    if (s) io_fail_in(s, a->path);
    if (!s) s = io_tree_skip_top(t, a->path, a->split);
    if (!s) s = io_tree_arrange(t, a->path, a->split, &m->index, d);
    if (!s) s = io_zip_check_samples(d);
    io_tree_clear(t);
    return s;
}

static bool probe(const char *path) { return io_ends_in(path, ".zip"); }

const io_source io_source_zip = { .name = "a .zip of such a folder", .probe = probe, .open = open_zip };

peft_status peft_dataset_open_zip(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_zip, &(io_open_arguments){ .ctx = ctx, .path = path, .split = split }, out);
}
