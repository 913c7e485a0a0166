/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- the source folder: a data set from a folder of images, class/file or split/class/file. */
#include "io/entries.h"
#include "io/source/source.h"
#include "io/source/tree/tree.h"
#include <sys/stat.h>

/* A folder that is being read. name: its path below the root ("" for the root); depth: 0 for the root, 1 for a folder
 * in it. */
typedef struct level { io_tree *tree; const char *name; bool splits; int depth; } level;

/* Adds the entries of a folder to the tree, and those of its folders, down to the files of class folders. With splits,
 * the folders at depth 1 are splits and those at depth 2 classes, and other folders at depth 1 are not entered;
 * without, those at depth 1 are classes. */
static peft_status add_entry(void *user, const char *path, const char *entry, bool is_folder)
{
    const level *l = user;
    peft_context *ctx = l->tree->ctx;
    char *name = io_path(ctx, l->name, entry);
    peft_status s;
    if (!name) s = io_nomem(path);
    else if (!is_folder && io_is_unnamed_image(ctx, path)) s = io_tree_add_picture(l->tree, io_copy(ctx, name));
    else s = io_tree_add(l->tree, io_join(ctx, name, is_folder ? "/" : ""));
    const bool enter = l->depth < (l->splits ? 2 : 1) && (!l->splits || l->depth || io_split_of(entry));
    if (!s && is_folder && enter) {
        level inner = { l->tree, name, l->splits, l->depth + 1 };
        s = io_each_entry(ctx, path, add_entry, &inner);
    }
    peft_sys_free(ctx, name);
    return s;
}

static peft_status open_folder(const io_open_arguments *a, peft_dataset *d)
{
    io_tree t = { .ctx = d->ctx };
    level root = { .tree = &t, .name = "", .splits = a->split != NULL, .depth = 0 };
    int64_t **const no_members = NULL;                        /* only samples of a zip have an entry */
    peft_status s = io_check_split(a->split);
    if (!s) s = io_each_entry(d->ctx, a->path, add_entry, &root);
    if (!s) s = io_tree_arrange(&t, a->path, a->split, no_members, d);
    io_tree_clear(&t);
    d->store = &io_files;
    return s;
}

static bool probe(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

const io_source io_source_folder = { .name = "a folder of class folders", .probe = probe, .open = open_folder };

peft_status peft_dataset_open_folder(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_folder, &(io_open_arguments){ .ctx = ctx, .path = path, .split = split }, out);
}
