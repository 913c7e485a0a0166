/* SPDX-License-Identifier: Apache-2.0
 * mask_paths.c -- under which path the mask of each picture is written (mask_paths.h). */
#include "mask_paths.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of characters, up to a slash, that all names have in common. */
static size_t shared_folder(const char *const *name, int64_t count)
{
    const char *slash = count ? strrchr(name[0], '/') : NULL;
    size_t n = slash ? (size_t)(slash - name[0]) + 1 : 0;
    for (int64_t i = 1; i < count; i++)
        while (n && strncmp(name[0], name[i], n))
            for (n--; n && name[0][n - 1] != '/'; n--) { }
    return n;
}

/* The characters of a file name before its ending: "ct" of "ct.nii.gz". */
static size_t stem_length(const char *file, size_t length)
{
    size_t n = length;
    while (n > 1 && file[n - 1] != '.') n--;
    if (n <= 1) return length;
    n--;
    if (length - n == 3 && !strncasecmp(file + n, ".gz", 3) && n > 4 && !strncasecmp(file + n - 4, ".nii", 4)) n -= 4;
    return n;
}

/* The path of the mask of a picture whose name is `name` without the shared folders. Parts "." and ".." and empty ones
 * are left out, so that no mask lies outside of its folder. */
static char *path_of(const char *name)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        const size_t n = (size_t)(slash - name);
        if (n && !(n == 1 && *name == '.') && !(n == 2 && !strncmp(name, "..", 2)))
            fprintf(f, "%.*s/", (int)n, name);
    }
    const char *hash = strrchr(name, '#');
    const size_t file = hash ? (size_t)(hash - name) : strlen(name);
    fprintf(f, "%.*s", (int)stem_length(name, file), name);
    if (hash) fputc('_', f);
    for (const char *c = hash ? hash + 1 : ""; *c; c++)
        if (*c != '=') fputc(*c, f);
    fputs(".png", f);
    if (fclose(f)) fail("out of memory");
    return text;
}

typedef struct named_path { const char *name, *path; } named_path;
static int by_path(const void *a, const void *b)
{
    return strcmp(((const named_path *)a)->path, ((const named_path *)b)->path);
}

/* Two pictures must not have the same mask. */
static void check_different(const mask_paths *m, const char *const *name, const char *flag)
{
    named_path *all = check_alloc(malloc(((size_t)m->count + 1) * sizeof *all));
    for (int64_t i = 0; i < m->count; i++) all[i] = (named_path){ name[i], m->path[i] };
    qsort(all, (size_t)m->count, sizeof *all, by_path);
    for (int64_t i = 1; i < m->count; i++)
        if (!by_path(&all[i - 1], &all[i]))
            fail("--%s: the pictures %s and %s would both have the mask %s; %s", flag, all[i - 1].name, all[i].name,
                 all[i].path, strcmp(all[i - 1].name, all[i].name) ? "predict them by two calls with different folders"
                                                                   : "give each picture once");
    free(all);
}

mask_paths find_mask_paths(const char *const *name, int64_t count, const char *flag)
{
    mask_paths m = { count, check_alloc(malloc(((size_t)count + 1) * sizeof *m.path)) };
    const size_t shared = shared_folder(name, count);
    for (int64_t i = 0; i < count; i++) m.path[i] = path_of(name[i] + shared);
    check_different(&m, name, flag);
    return m;
}

void free_mask_paths(mask_paths *m)
{
    for (int64_t i = 0; i < m->count; i++) free(m->path[i]);
    free(m->path);
}

/* Makes the folders of path up to its last slash. */
static void make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        if (mkdir(path, 0777) && errno != EEXIST) fail("%s: %s", path, strerror(errno));
        *slash = '/';
    }
}

static char *join(const char *folder, const char *path, const char *ending)
{
    const int stem = (int)(strlen(path) - strlen("png"));
    char *text;
    if (asprintf(&text, "%s/%.*s%s", folder, stem, path, ending) < 0) fail("out of memory");
    return text;
}

void prepare_mask_folder(const char *flag, const char *folder, const mask_paths *m, const char *ending, int replace)
{
    struct stat st;
    if (mkdir(folder, 0777) && (errno != EEXIST || stat(folder, &st)))
        fail("--%s %s: %s", flag, folder, strerror(errno));
    if (access(folder, W_OK | X_OK)) fail("--%s %s: %s; give a folder that can be written", flag, folder,
                                          strerror(errno));
    for (int64_t i = 0; i < m->count && !replace; i++) {
        char *path = join(folder, m->path[i], ending);
        if (!access(path, F_OK))
            fail("--%s: %s exists; give another folder, or --force to replace such files", flag, path);
        free(path);
    }
}

char *mask_path(const char *folder, const mask_paths *m, int64_t i, const char *ending)
{
    char *path = join(folder, m->path[i], ending);
    make_folders(path);
    return path;
}
