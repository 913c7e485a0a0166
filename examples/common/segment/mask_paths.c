/* SPDX-License-Identifier: Apache-2.0
 * mask_paths.c -- under which path the mask of each picture is written (mask_paths.h). */
#include "mask_paths.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

mask_paths find_mask_paths(const char *const *name, int64_t count)
{
    mask_paths m = { count, check_alloc(malloc(((size_t)count + 1) * sizeof *m.path)) };
    const size_t shared = shared_folder(name, count);
    for (int64_t i = 0; i < count; i++) m.path[i] = path_of(name[i] + shared);
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

char *join_mask_path(const char *folder, const mask_paths *m, int64_t i, const char *ending)
{
    const int stem = (int)(strlen(m->path[i]) - strlen("png"));
    char *text;
    if (asprintf(&text, "%s/%.*s%s", folder, stem, m->path[i], ending) < 0) fail("out of memory");
    return text;
}

char *mask_path(const char *folder, const mask_paths *m, int64_t i, const char *ending)
{
    char *path = join_mask_path(folder, m, i, ending);
    make_folders(path);
    return path;
}
