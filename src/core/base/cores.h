/* SPDX-License-Identifier: Apache-2.0
 * cores.h -- how many threads it makes sense to compute with. */
#ifndef PF_CORES_H
#define PF_CORES_H

enum { PF_MOST_THREADS = 1024 };

/* Cores this process may use now, 1 to PF_MOST_THREADS: those of its affinity mask (taskset), bounded by the CPU quota
 * of its control group and of the groups above (containers), rounded up. root: "" (a test gives a folder that stands for
 * the root of the file system). */
int pf_usable_cores(const char *root);
#endif
