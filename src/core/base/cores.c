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

typedef enum cgroup_version { CGROUP_V1, CGROUP_V2 } cgroup_version;

/* The cores of the affinity mask; where it cannot be read, those that are online. */
static int cores_in_mask(void)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
    return n < 1 ? 1 : n > PF_MOST_THREADS ? PF_MOST_THREADS : (int)n;
}

/* Reads the first line of the file folder/name; false: it cannot be read. */
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
static bool read_quota(const char *folder, cgroup_version version, long long *quota, long long *period)
{
    char line[80], second[80];
    if (version == CGROUP_V2)
        return first_line(folder, "cpu.max", line, sizeof line) && sscanf(line, "%lld %lld", quota, period) == 2;
    return first_line(folder, "cpu.cfs_quota_us", line, sizeof line) && sscanf(line, "%lld", quota) == 1
        && first_line(folder, "cpu.cfs_period_us", second, sizeof second) && sscanf(second, "%lld", period) == 1;
}

/* Returns limit, or fewer cores: the smallest quota of the group in the folder mount + path and of the groups above it,
 * rounded up to cores. */
static int limit_by_quotas(const char *mount, const char *path, cgroup_version version, int limit)
{
    char folder[PATH_MAX];
    const size_t mount_length = strlen(mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount, path) >= sizeof folder) return limit;
    for (;;) {
        long long quota, period;
        if (read_quota(folder, version, &quota, &period) && quota > 0 && period > 0 && quota / period < limit) {
            int cores = (int)((quota + period - 1) / period);           /* at most limit, which fits an int */
            if (cores < limit) limit = cores;
        }
        char *slash = strrchr(folder + mount_length, '/');
        if (!slash) return limit;
        *slash = 0;
    }
}

/* Whether `name` is among the controllers, n bytes such as "cpu,cpuacct", behind which a colon follows. */
static bool has_controller(const char *controllers, size_t n, const char *name)
{
    for (const char *p = controllers, *end = controllers + n; p < end;) {
        size_t length = strcspn(p, ",:");
        if (length == strlen(name) && !strncmp(p, name, length)) return true;
        p += length + 1;
    }
    return false;
}

/* Returns limit, or fewer cores if a quota of the group in one line of /proc/self/cgroup is lower. The line is
 * number:controllers:path, such as "4:cpu,cpuacct:/a/b" for cgroup v1 and "0::/a/b" for v2. */
static int limit_of_line(const char *root, char *line, int limit)
{
    char mount[PATH_MAX];
    char *const first_colon = strchr(line, ':');
    char *const second_colon = first_colon ? strchr(first_colon + 1, ':') : NULL;
    if (!second_colon) return limit;
    const char *const controllers = first_colon + 1;
    char *const path = second_colon + 1;
    const size_t n = (size_t)(second_colon - controllers);          /* bytes of the controllers */
    path[strcspn(path, "\n")] = 0;
    if (!n) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return limit_by_quotas(mount, path, CGROUP_V2, limit);
    }
    if (!has_controller(controllers, n, "cpu")) return limit;
    static const char *const mounts[] = { "cpu", "cpu,cpuacct", "cpuacct,cpu" };
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, mounts[i]);
        limit = limit_by_quotas(mount, path, CGROUP_V1, limit);
    }
    return limit;
}

int pf_usable_cores_below(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    int limit = cores_in_mask();
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) limit = limit_of_line(root, line, limit);
    if (f) fclose(f);
    return limit < 1 ? 1 : limit;
}

int pf_usable_cores(void) { return pf_usable_cores_below(""); }
