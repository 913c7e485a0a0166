/* SPDX-License-Identifier: Apache-2.0
 * below.c -- lists the files in a folder and in those below it, and finds one of them by its file name (below.h). */
#include "io/below.h"
#include "io/entries.h"
#include <sys/stat.h>

enum { MAX_FILES = 1 << 22 };

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A folder whose entries are added to paths, with those of folders in it `depth` deep. */
typedef struct level { peft_context *ctx; const char *folder; int depth; io_strings *paths; } level;

static peft_status add_entry(void *user, const char *path, const char *name, bool is_folder)
{
    const level *l = user;
    struct stat st;
    (void)name;
    if (is_folder) return l->depth ? io_files_below(l->ctx, path, l->depth - 1, l->paths) : PEFT_OK;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return PEFT_OK;
    if (l->paths->count < MAX_FILES) return io_strings_add(l->paths, io_copy(l->ctx, path));
    return io_fail(PEFT_E_UNSUPPORTED, "%s: more than %d files; give the folder of the pictures by folder=", l->folder,
                   MAX_FILES);
}

/* A folder that cannot be read has no files: the caller says which pictures it lacks. */
peft_status io_files_below(peft_context *ctx, const char *folder, int depth, io_strings *paths)
{
    level l = { ctx, folder, depth, paths };
    const peft_status s = io_each_entry(ctx, folder, add_entry, &l);
    return s == PEFT_E_IO ? PEFT_OK : s;
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
