/* SPDX-License-Identifier: Apache-2.0
 * claimed.c -- remembers output files by folder and name (claimed.h). */
#include "claimed.h"
#include "common/program/errors.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

typedef struct claim { dev_t device; ino_t folder; char *name, *flag, *path; } claim;
static claim *claims;
static int64_t count;

static claim claim_of(const char *flag, const char *path, const char *folder)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    if (stat(folder, &st)) fail("--%s %s: the folder '%s' does not exist", flag, path, folder);
    return (claim){ st.st_dev, st.st_ino, check_alloc(strdup(slash ? slash + 1 : path)), check_alloc(strdup(flag)),
                    check_alloc(strdup(path)) };
}

static bool is_same(const claim *a, const claim *b)
{
    return a->device == b->device && a->folder == b->folder && !strcmp(a->name, b->name);
}

void claim_output(const char *flag, const char *path, const char *folder)
{
    const claim new = claim_of(flag, path, folder);
    for (int64_t i = 0; i < count; i++)
        if (is_same(&claims[i], &new) && strcmp(claims[i].flag, flag))
            fail("--%s %s: --%s writes the same file, %s; give a path that no other output of this command has", flag,
                 path, claims[i].flag, claims[i].path);
    claims = grow_by_one(claims, count, sizeof *claims);
    claims[count++] = new;
}
