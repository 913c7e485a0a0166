/* SPDX-License-Identifier: Apache-2.0
 * clock.h -- a clock for measuring elapsed time. */
#ifndef CLOCK_H
#define CLOCK_H

double seconds_now(void);                                     /* monotonic, from an arbitrary origin */
#endif
