/* SPDX-License-Identifier: Apache-2.0
 * cores.h -- the number of cores that a process may use: the default number of threads. */
#ifndef PF_CORES_H
#define PF_CORES_H

enum { PF_MOST_THREADS = 1024 };

/* Cores that this process may use now, 1 to PF_MOST_THREADS: those of its affinity mask (taskset), bounded by the CPU
 * quota of its control group and of the groups above (containers), rounded up. */
int pf_usable_cores(void);
/* The same, with /proc and /sys read below the folder `root`: for tests. */
int pf_usable_cores_below(const char *root);
#endif
