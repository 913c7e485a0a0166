/* SPDX-License-Identifier: Apache-2.0
 * rank_files.c -- the folder of a rank (rank_files.h). The rank holds a lock of it (flock), which ends with the
 * process: a folder without a lock is one that a killed rank has left. */
#include "parallel/rank_files.h"
#include "common/program/errors.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "peft-rank-"
static char folder[4096];                                     /* "": not made yet */
static int lock = -1;                                         /* of the folder */

static char *joined(const char *a, const char *b)
{
    char *path;
    if (asprintf(&path, "%s/%s", a, b) < 0) fail("out of memory");
    return path;
}

static const char *temporary(void)
{
    const char *tmp = getenv("TMPDIR");
    return tmp && *tmp ? tmp : "/tmp";
}

/* Opens a folder of this user, which is no link; -1: it is none. */
static int open_folder(int in, const char *name)
{
    struct stat st;
    const int f = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f < 0 || (!fstat(f, &st) && st.st_uid == geteuid())) return f;
    close(f);
    return -1;
}

/* Removes the files of a folder, and the folder. Takes f, the open folder. */
static void remove_folder(int f, const char *path)
{
    DIR *d = fdopendir(f);
    for (struct dirent *e; d && (e = readdir(d)); ) unlinkat(dirfd(d), e->d_name, 0);     /* "." and "..": refused */
    rmdir(path);
    if (d) closedir(d);
    else close(f);
}

void remove_left_files(void)
{
    DIR *d = opendir(temporary());
    for (struct dirent *e; d && (e = readdir(d)); ) {
        if (strncmp(e->d_name, FOLDER, strlen(FOLDER))) continue;
        const int f = open_folder(dirfd(d), e->d_name);
        if (f >= 0 && flock(f, LOCK_EX | LOCK_NB)) close(f);  /* its rank runs */
        else if (f >= 0) {
            char *path = joined(temporary(), e->d_name);
            remove_folder(f, path);
            free(path);
        }
    }
    if (d) closedir(d);
}

/* Makes a folder and locks it; tries again where another process takes it for one that was left, before it is locked.
 * Without a lock, on file systems that have none, a folder of a killed rank stays. */
static void make_folder(void)
{
    enum { TRIES = 10 };
    struct stat st;
    for (int i = 0; i < TRIES; i++) {
        snprintf(folder, sizeof folder, "%s/" FOLDER "XXXXXX", temporary());
        lock = mkdtemp(folder) ? open_folder(AT_FDCWD, folder) : -1;
        if (lock >= 0 && (flock(lock, LOCK_EX) || (!fstat(lock, &st) && st.st_nlink))) return;
        if (lock >= 0) close(lock);
    }
    *folder = 0;
    fail("%s: no folder can be made for the files of this rank; set TMPDIR", temporary());
}

/* Copies a regular file; others, and files that cannot be read, are left out: rank 0 tells of them. */
static void copy(const char *from, const char *to)
{
    struct stat st;
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return;
    if (!fstat(in, &st) && S_ISREG(st.st_mode)) {
        const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        off_t done = 0;
        while (out >= 0 && done < st.st_size && sendfile(out, in, &done, (size_t)(st.st_size - done)) > 0) { }
        if (out < 0 || close(out) || done < st.st_size) fail("%s: cannot be copied to %s", from, to);
    }
    close(in);
}

const char *own_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *from = strndup(path, (size_t)(name - path));
    if (!*folder) make_folder();
    DIR *d = opendir(from && *from ? from : ".");
    for (struct dirent *e; d && (e = readdir(d)); ) {
        if (strncmp(e->d_name, name, strlen(name))) continue;
        char *source, *target = joined(folder, e->d_name);
        if (asprintf(&source, "%s%s", from, e->d_name) < 0) fail("out of memory");
        copy(source, target);
        free(source);
        free(target);
    }
    if (d) closedir(d);
    free(from);
    return joined(folder, name);
}

void remove_rank_files(void)
{
    if (*folder) remove_folder(lock, folder);
    *folder = 0;
}
