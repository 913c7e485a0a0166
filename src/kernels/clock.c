/* SPDX-License-Identifier: Apache-2.0
 * clock.c -- the clock that all times of the library are read from. */
#include <time.h>
#include "pk.h"

double pk_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
