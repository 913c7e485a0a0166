/* SPDX-License-Identifier: Apache-2.0
 * below.c -- lists the files in a folder and in those below it, and finds one of them by its file name (below.h). */
#include "io/below.h"
#include <dirent.h>
#include <sys/stat.h>

enum { MAX_FILES = 1 << 22 };

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* folder/name, or name where folder is "". */
static char *join(peft_context *ctx, const char *folder, const char *name)
{
    char *prefix = io_join(ctx, folder, *folder && folder[strlen(folder) - 1] != '/' ? "/" : "");
    char *path = prefix ? io_join(ctx, prefix, name) : NULL;
    peft_sys_free(ctx, prefix);
    return path;
}

/* Adds an entry of a folder: a file's path, or those of the files in a folder. Takes ownership of path. */
static peft_status add_entry(peft_context *ctx, char *path, int depth, io_strings *paths)
{
    struct stat st;
    if (!path) return io_nomem("list of files");
    const bool exists = !stat(path, &st), is_folder = exists && S_ISDIR(st.st_mode);
    if (exists && S_ISREG(st.st_mode)) return io_strings_add(paths, path);
    peft_status s = is_folder && depth ? io_files_below(ctx, path, depth - 1, paths) : PEFT_OK;
    peft_sys_free(ctx, path);
    return s;
}

/* A folder that cannot be read has no files: the caller says which pictures it lacks. */
peft_status io_files_below(peft_context *ctx, const char *folder, int depth, io_strings *paths)
{
    DIR *dir = opendir(*folder ? folder : ".");
    peft_status s = PEFT_OK;
    for (struct dirent *e; dir && !s && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        if (paths->count >= MAX_FILES)
            s = io_fail(PEFT_E_UNSUPPORTED, "%s: more than %d files; give the folder of the pictures by folder=", folder,
                        MAX_FILES);
        else s = add_entry(ctx, join(ctx, folder, e->d_name), depth, paths);
    }
    if (dir) closedir(dir);
    return s;
}

static int by_file(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    const int order = strcmp(file_of(x), file_of(y));
    return order ? order : strcmp(x, y);
}

void io_sort_by_file(io_strings *paths)
{
    if (paths->count) qsort(paths->item, (size_t)paths->count, sizeof *paths->item, by_file);
}

const char *io_find_file(const io_strings *paths, const char *name, bool *several)
{
    int64_t low = 0, high = paths->count;
    while (low < high) {                                      /* low becomes the first whose file is not before name */
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(file_of(paths->item[middle]), name) < 0) low = middle + 1;
        else high = middle;
    }
    const bool found = low < paths->count && !strcmp(file_of(paths->item[low]), name);
    *several = found && low + 1 < paths->count && !strcmp(file_of(paths->item[low + 1]), name);
    return found ? paths->item[low] : NULL;
}
