/* SPDX-License-Identifier: Apache-2.0
 * cores.c -- counting usable cores. The quota is in cpu.max ("200000 100000": two cores' time; "max 100000": no quota)
 * of cgroup v2, in cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us of v1. In a container the group's path may be that of
 * the host, which is not mounted there; then the group is the root of what is mounted. */
#include "core/base/cores.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int affinity(void)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
    return n < 1 ? 1 : n > PF_MOST_THREADS ? PF_MOST_THREADS : (int)n;
}

/* The first line of folder/name. */
static bool line_of(const char *folder, const char *name, char *line, int room)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) return false;
    FILE *f = fopen(path, "re");
    bool got = f && fgets(line, room, f);
    if (f) fclose(f);
    return got;
}

/* Microseconds of computing a period, of one group. false: no quota. */
static bool read_quota(const char *folder, bool v2, long long *quota, long long *period)
{
    char line[80], second[80];
    if (v2) return line_of(folder, "cpu.max", line, sizeof line) && sscanf(line, "%lld %lld", quota, period) == 2;
    return line_of(folder, "cpu.cfs_quota_us", line, sizeof line) && sscanf(line, "%lld", quota) == 1
        && line_of(folder, "cpu.cfs_period_us", second, sizeof second) && sscanf(second, "%lld", period) == 1;
}

/* The smallest quota from the group at mount + path up to mount itself, as cores; most when there is none. */
static int quota_cores(const char *mount, const char *path, bool v2, int most)
{
    char folder[PATH_MAX];
    const size_t top = strlen(mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount, path) >= sizeof folder) return most;
    for (;;) {
        long long quota, period;
        if (read_quota(folder, v2, &quota, &period) && quota > 0 && period > 0 && quota / period < most) {
            int cores = (int)((quota + period - 1) / period);
            if (cores < most) most = cores;
        }
        char *slash = strrchr(folder + top, '/');
        if (!slash) return most;
        *slash = 0;
    }
}

/* Whether `word` is one of the comma-separated words of list[n]. */
static bool has_word(const char *list, size_t n, const char *word)
{
    for (const char *p = list, *end = list + n; p < end;) {
        size_t length = strcspn(p, ",:");
        if (length == strlen(word) && !strncmp(p, word, length)) return true;
        p += length + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup is number:controllers:path, the controllers empty for v2. */
static int one_group(const char *root, char *line, int most)
{
    char mount[PATH_MAX];
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(++controllers, ':') : NULL;
    if (!path) return most;
    size_t n = (size_t)(path++ - controllers);
    path[strcspn(path, "\n")] = 0;
    if (!n) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return quota_cores(mount, path, true, most);
    }
    if (!has_word(controllers, n, "cpu")) return most;
    static const char *const mounts[] = { "cpu", "cpu,cpuacct", "cpuacct,cpu" };
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, mounts[i]);
        most = quota_cores(mount, path, false, most);
    }
    return most;
}

int pf_usable_cores(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    int most = affinity();
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) most = one_group(root, line, most);
    if (f) fclose(f);
    return most < 1 ? 1 : most;
}
