/* SPDX-License-Identifier: Apache-2.0
 * cores.c -- counts the cores that this process may use, by its affinity mask and the CPU quota of its control groups.
 * A quota is microseconds of CPU time a period: two cores are "200000 100000" in cpu.max of cgroup v2 ("max 100000": no
 * quota), and 200000 in cpu.cfs_quota_us (-1: no quota) with 100000 in cpu.cfs_period_us of v1. In a container the path
 * of the group may be that of the host, which is not mounted there; then the root of the mount is its group. */
#include "core/base/cores.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int cores_in_mask(void)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
    return n < 1 ? 1 : n > PF_MOST_THREADS ? PF_MOST_THREADS : (int)n;
}

/* Reads the first line of folder/name; false: there is none. */
static bool first_line(const char *folder, const char *name, char *line, int capacity)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) return false;
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, capacity, f);
    if (f) fclose(f);
    return read;
}

/* The quota of one group in microseconds of CPU time a period. false: no quota, or "max". */
static bool read_quota(const char *folder, bool v2, long long *quota, long long *period)
{
    char line[80], second[80];
    if (v2) return first_line(folder, "cpu.max", line, sizeof line) && sscanf(line, "%lld %lld", quota, period) == 2;
    return first_line(folder, "cpu.cfs_quota_us", line, sizeof line) && sscanf(line, "%lld", quota) == 1
        && first_line(folder, "cpu.cfs_period_us", second, sizeof second) && sscanf(second, "%lld", period) == 1;
}

/* limit, lowered to the smallest quota of the group at mount + path and of the groups above it, rounded up to cores. */
static int quota_cores(const char *mount, const char *path, bool v2, int limit)
{
    char folder[PATH_MAX];
    const size_t mount_length = strlen(mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount, path) >= sizeof folder) return limit;
    for (;;) {
        long long quota, period;
        if (read_quota(folder, v2, &quota, &period) && quota > 0 && period > 0 && quota / period < limit) {
            int cores = (int)((quota + period - 1) / period);
            if (cores < limit) limit = cores;
        }
        char *slash = strrchr(folder + mount_length, '/');
        if (!slash) return limit;
        *slash = 0;
    }
}

/* Whether word is one of the comma-separated words of the n bytes at list. */
static bool has_word(const char *list, size_t n, const char *word)
{
    for (const char *p = list, *end = list + n; p < end;) {
        size_t length = strcspn(p, ",:");
        if (length == strlen(word) && !strncmp(p, word, length)) return true;
        p += length + 1;
    }
    return false;
}

/* limit, lowered by one line of /proc/self/cgroup: number:controllers:path, without controllers for cgroup v2. */
static int limit_of_line(const char *root, char *line, int limit)
{
    char mount[PATH_MAX];
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(++controllers, ':') : NULL;
    if (!path) return limit;
    size_t n = (size_t)(path++ - controllers);
    path[strcspn(path, "\n")] = 0;
    if (!n) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return quota_cores(mount, path, true, limit);
    }
    if (!has_word(controllers, n, "cpu")) return limit;
    static const char *const mounts[] = { "cpu", "cpu,cpuacct", "cpuacct,cpu" };
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, mounts[i]);
        limit = quota_cores(mount, path, false, limit);
    }
    return limit;
}

int pf_usable_cores(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    int limit = cores_in_mask();
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) limit = limit_of_line(root, line, limit);
    if (f) fclose(f);
    return limit < 1 ? 1 : limit;
}
