/* SPDX-License-Identifier: Apache-2.0
 * clock.h -- a clock to measure elapsed time with. */
#ifndef CLOCK_H
#define CLOCK_H

double seconds_now(void);                                     /* monotonic, from an arbitrary origin */
#endif
