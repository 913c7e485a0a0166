/* SPDX-License-Identifier: Apache-2.0
 * mask_folders.c -- checks and makes the folders of masks (mask_folders.h). */
#include "mask_folders.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is to be written: as messages name it, and without links, "." and "..". name: of its picture. */
typedef struct output { const mask_folder *folder; const char *name; char *shown, *path; } output;
/* The file of a picture that the command reads. */
typedef struct picture { dev_t device; ino_t inode; const char *name; } picture;

/* The path without links, "." and "..", to be freed; of parts that do not exist too. */
static char *resolve(const char *path)
{
    char *full = realpath(path, NULL), *text;
    if (full) return full;
    if (!strcmp(path, ".")) fail("the current folder: %s", strerror(errno));
    char *parent = check_alloc(strdup(path));
    for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/'; n--) parent[n - 1] = 0;
    char *slash = strrchr(parent, '/'), *base = check_alloc(strdup(slash ? slash + 1 : parent));
    if (slash) slash[slash == parent] = 0;
    full = resolve(slash ? parent : ".");
    free(parent);
    slash = strrchr(full, '/');
    if (!strcmp(base, "..")) slash[slash == full] = 0;
    else if (strcmp(base, ".")) {
        if (asprintf(&text, "%s/%s", slash[1] ? full : "", base) < 0) fail("out of memory");
        free(full);
        full = text;
    }
    free(base);
    return full;
}

static void check_folder(const mask_folder *f)
{
    struct stat st;
    if (!*f->path) fail("--%s: the path is empty; give the path of a folder, which is made if there is none", f->flag);
    if (stat(f->path, &st)) {
        if (errno != ENOENT) fail("--%s %s: %s; give another folder", f->flag, f->path, strerror(errno));
    } else if (!S_ISDIR(st.st_mode)) {
        fail("--%s %s: is a file; give the path of a folder, which is made if there is none", f->flag, f->path);
    } else if (access(f->path, W_OK | X_OK)) {
        fail("--%s %s: %s; give a folder that can be written", f->flag, f->path, strerror(errno));
    }
}

static void check_different_folders(const mask_folder *f, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++) {
            char *a = resolve(f[k].path), *b = resolve(f[i].path);
            if (!strcmp(a, b))
                fail("--%s %s: is the folder of --%s %s too, and files of one would replace those of the other; give "
                     "another one", f[i].flag, f[i].path, f[k].flag, f[k].path);
            free(a);
            free(b);
        }
}

/* A path comes right before the paths below it: a slash is before all other characters. */
static int by_path(const void *x, const void *y)
{
    const unsigned char *a = (const unsigned char *)((const output *)x)->path;
    const unsigned char *b = (const unsigned char *)((const output *)y)->path;
    while (*a && *a == *b) a++, b++;
    const int left = *a == '/' ? 1 : *a ? *a + 1 : 0, right = *b == '/' ? 1 : *b ? *b + 1 : 0;
    return left - right;
}

/* No output may have the path of another, or of a folder of another. */
static void check_different_outputs(output *all, int64_t count)
{
    static const char cure[] = "predict them by two calls with different folders";
    qsort(all, (size_t)count, sizeof *all, by_path);
    for (int64_t i = 1; i < count; i++) {
        const output *a = &all[i - 1], *b = &all[i];
        const size_t length = strlen(a->path);
        if (strncmp(a->path, b->path, length)) continue;
        if (b->path[length] == '/')
            fail("--%s: %s would be the file of %s, and a folder in the path of %s, the file of %s; %s",
                 b->folder->flag, a->shown, a->name, b->shown, b->name, cure);
        if (b->path[length]) continue;
        if (a->folder != b->folder)
            fail("--%s: %s is also a file of --%s; give another folder", b->folder->flag, b->shown, a->folder->flag);
        fail("--%s: the pictures %s and %s would both have the file %s; %s", b->folder->flag, a->name, b->name,
             b->shown, strcmp(a->name, b->name) ? cure : "give each picture once");
    }
}

static int by_inode(const void *x, const void *y)
{
    const picture *a = x, *b = y;
    if (a->device != b->device) return a->device < b->device ? -1 : 1;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

/* The files of the pictures that have one, sorted, to be freed; a picture in an archive has none. */
static picture *find_pictures(const char *const *name, int64_t count, size_t *found)
{
    picture *p = check_alloc(malloc(((size_t)count + 1) * sizeof *p));
    *found = 0;
    for (int64_t i = 0; i < count; i++) {
        struct stat st;
        char *file = check_alloc(strdup(name[i])), *slice = strrchr(file, '#');
        bool exists = !stat(file, &st);
        if (!exists && slice) {
            *slice = 0;                                       /* "ct.nii.gz#slice=3" */
            exists = !stat(file, &st);
        }
        if (exists) p[(*found)++] = (picture){ st.st_dev, st.st_ino, name[i] };
        free(file);
    }
    qsort(p, *found, sizeof *p, by_inode);
    return p;
}

/* No output may be a picture. One that exists is an error unless it may be replaced. */
static void check_existing(const output *all, int64_t outputs, const char *const *name, int64_t names, int replace)
{
    size_t count;
    picture *p = find_pictures(name, names, &count);
    for (int64_t i = 0; i < outputs; i++) {
        struct stat st;
        const output *o = &all[i];
        if (stat(o->shown, &st)) {
            if (errno == ENOENT) continue;
            fail("--%s: %s cannot be written: %s; give another folder", o->folder->flag, o->shown, strerror(errno));
        }
        const picture key = { st.st_dev, st.st_ino, NULL };
        const picture *same = bsearch(&key, p, count, sizeof *p, by_inode);
        if (same)
            fail("--%s: the file %s of %s would replace the picture %s, which this command reads, and input files are "
                 "never written over; give another folder", o->folder->flag, o->shown, o->name, same->name);
        if (S_ISDIR(st.st_mode))
            fail("--%s: %s is a folder, and the file of %s would have this path; give another folder", o->folder->flag,
                 o->shown, o->name);
        if (!replace)
            fail("--%s: %s exists; give another folder, or --force to replace such files", o->folder->flag, o->shown);
    }
    free(p);
}

static void make_all(const mask_folder *f, int count)
{
    bool made[8] = { 0 };
    for (int i = 0; i < count; i++) {
        made[i] = !mkdir(f[i].path, 0777);
        if (made[i] || errno == EEXIST) continue;
        const int error = errno;
        for (int k = i - 1; k >= 0; k--)
            if (made[k]) rmdir(f[k].path);
        fail("--%s %s: the folder cannot be made: %s; give one whose parent exists and can be written", f[i].flag,
             f[i].path, strerror(error));
    }
}

void prepare_mask_folders(const mask_folder *folder, int folders, const char *const *name, int64_t count, int replace)
{
    int64_t outputs = 0;
    size_t most = 1;
    for (int k = 0; k < folders; k++) {
        check_folder(&folder[k]);
        most += (size_t)folder[k].files->count;
    }
    check_different_folders(folder, folders);
    output *all = check_alloc(malloc(most * sizeof *all));
    for (int k = 0; k < folders; k++) {
        const mask_folder *f = &folder[k];
        char *resolved = resolve(f->path);
        for (int64_t i = 0; i < f->files->count; i++)
            all[outputs++] = (output){ f, f->of[i], join_mask_path(f->path, f->files, i, f->ending),
                                       join_mask_path(resolved, f->files, i, f->ending) };
        free(resolved);
    }
    check_different_outputs(all, outputs);
    check_existing(all, outputs, name, count, replace);
    make_all(folder, folders);
    for (int64_t i = 0; i < outputs; i++) {
        free(all[i].shown);
        free(all[i].path);
    }
    free(all);
}
