/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- data sets from folders of images: class/file, or split/class/file. */
#include "io/source/source.h"
#include "io/source/tree.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static char *join_path(peft_context *ctx, const char *folder, const char *name)
{
    char *start = io_join(ctx, folder, *folder ? "/" : ""), *path = start ? io_join(ctx, start, name) : NULL;
    peft_sys_free(ctx, start);
    return path;
}

/* Whether an entry is a folder or a link to one. One that stat fails on counts as a file; loading it reports why. */
static peft_status is_folder(peft_context *ctx, const char *folder, const struct dirent *e, bool *out)
{
    struct stat st;
    *out = e->d_type == DT_DIR;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) return PEFT_OK;
    char *path = join_path(ctx, folder, e->d_name);
    if (!path) return io_nomem(folder);
    *out = !stat(path, &st) && S_ISDIR(st.st_mode);
    peft_sys_free(ctx, path);
    return PEFT_OK;
}

static peft_status failed(const char *folder)
{
    return io_fail(PEFT_E_IO, "%s: %s", folder, strerror(errno));
}

/* Adds what lies in folder, which is called name below the root, and in its folders down to the files of the classes:
 * depth is 0 in the root; class folders lie at depth 0, with splits at depth 1. */
static peft_status walk(io_tree *t, const char *folder, const char *name, bool splits, int depth)
{
    peft_context *ctx = t->ctx;
    DIR *dir = opendir(folder);
    if (!dir) return failed(folder);
    peft_status s = PEFT_OK;
    for (struct dirent *e; !s && (errno = 0, e = readdir(dir));) {
        bool inner;
        if (e->d_name[0] == '.') continue;
        if ((s = is_folder(ctx, folder, e, &inner))) break;
        char *below = join_path(ctx, name, e->d_name), *path = join_path(ctx, folder, e->d_name);
        s = below && path ? io_tree_add(t, io_join(ctx, below, inner ? "/" : ""), false, 0) : io_nomem(folder);
        const bool wanted = depth < (splits ? 2 : 1) && (!splits || depth || io_split_of(e->d_name));
        if (!s && inner && wanted) s = walk(t, path, below, splits, depth + 1);
        peft_sys_free(ctx, below);
        peft_sys_free(ctx, path);
    }
    if (!s && errno) s = failed(folder);
    closedir(dir);
    return s;
}

static peft_status open_tree(const io_place *at, peft_dataset *d)
{
    io_tree t = { .ctx = d->ctx };
    peft_status s = io_check_split(at->split);
    if (!s) s = walk(&t, at->path, "", at->split != NULL, 0);
    if (!s) s = io_tree_arrange(&t, at->path, at->split, NULL, d);
    io_tree_clear(&t);
    d->store = &io_files;
    return s;
}

static bool probe(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

const io_source io_source_folder = { .name = "a folder of class folders", .probe = probe, .open = open_tree };

peft_status peft_dataset_open_folder(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_folder, &(io_place){ .ctx = ctx, .path = path, .split = split }, out);
}
