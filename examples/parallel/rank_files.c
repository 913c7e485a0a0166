/* SPDX-License-Identifier: Apache-2.0
 * rank_files.c -- the folder of a rank (rank_files.h). */
#include "parallel/rank_files.h"
#include "common/program/errors.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];                                     /* "": not made yet */

static char *joined(const char *a, const char *b)
{
    char *path;
    if (asprintf(&path, "%s/%s", a, b) < 0) fail("out of memory");
    return path;
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    if (*folder) return;
    snprintf(folder, sizeof folder, "%s/peft-rank-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        *folder = 0;
        fail("%s: no folder can be made for the files of this rank; set TMPDIR", tmp && *tmp ? tmp : "/tmp");
    }
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
    make_folder();
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
    DIR *d = *folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d)); ) {
        char *path = joined(folder, e->d_name);
        unlink(path);                                         /* "." and "..": refused */
        free(path);
    }
    if (d) closedir(d);
    if (*folder) rmdir(folder);
    *folder = 0;
}
