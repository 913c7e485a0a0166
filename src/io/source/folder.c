/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- the source folder: a data set from a folder of images, class/file or split/class/file. */
#include "io/source/source.h"
#include "io/source/tree.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* folder/name, or name where folder is "". */
static char *join_path(peft_context *ctx, const char *folder, const char *name)
{
    char *prefix = io_join(ctx, folder, *folder ? "/" : ""), *path = prefix ? io_join(ctx, prefix, name) : NULL;
    peft_sys_free(ctx, prefix);
    return path;
}

/* Sets *out: whether an entry of a folder is a folder or a link to one. An entry on which stat fails counts as a file;
 * loading it then reports the error. */
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

static peft_status read_failed(const char *folder)
{
    return io_fail(PEFT_E_IO, "%s: %s", folder, strerror(errno));
}

/* Adds the entries of a folder to the tree, and those of its folders, down to the files of class folders. folder: its
 * path; name: its path below the root ("" for the root); depth: 0 for the root, 1 for a folder in it. With
 * splits, the folders at depth 1 are splits and those at depth 2 classes, and other folders at depth 1 are not entered;
 * without, those at depth 1 are classes. */
static peft_status walk(io_tree *t, const char *folder, const char *name, bool splits, int depth)
{
    peft_context *ctx = t->ctx;
    DIR *dir = opendir(folder);
    if (!dir) return read_failed(folder);
    peft_status s = PEFT_OK;
    for (struct dirent *e; !s && (errno = 0, e = readdir(dir));) {            /* on failure readdir sets errno */
        bool is_dir;
        if (e->d_name[0] == '.') continue;
        if ((s = is_folder(ctx, folder, e, &is_dir))) break;
        char *entry_name = join_path(ctx, name, e->d_name), *path = join_path(ctx, folder, e->d_name);
        if (!entry_name || !path) s = io_nomem(folder);
        else if (!is_dir && io_is_unnamed_image(ctx, path)) s = io_tree_add_picture(t, io_copy(ctx, entry_name));
        else s = io_tree_add(t, io_join(ctx, entry_name, is_dir ? "/" : ""));
        const bool enter = depth < (splits ? 2 : 1) && (!splits || depth || io_split_of(e->d_name));
        if (!s && is_dir && enter) s = walk(t, path, entry_name, splits, depth + 1);
        peft_sys_free(ctx, entry_name);
        peft_sys_free(ctx, path);
    }
    if (!s && errno) s = read_failed(folder);
    closedir(dir);
    return s;
}

static peft_status open_folder(const io_open_arguments *a, peft_dataset *d)
{
    io_tree t = { .ctx = d->ctx };
    const char *const root_name = "";
    const int root_depth = 0;
    int64_t **const no_members = NULL;                        /* only samples of a zip have an entry */
    peft_status s = io_check_split(a->split);
    if (!s) s = walk(&t, a->path, root_name, a->split != NULL, root_depth);
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
