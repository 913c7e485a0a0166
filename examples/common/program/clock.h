/* SPDX-License-Identifier: Apache-2.0
 * clock.h -- the time that work takes. */
#ifndef CLOCK_H
#define CLOCK_H

double seconds_now(void);                                     /* since some moment; never goes back */
#endif
