/* SPDX-License-Identifier: Apache-2.0
 * glob.h -- names against patterns: * is any run of characters (dots too), ? is one. */
#ifndef PF_GLOB_H
#define PF_GLOB_H
#include <stdbool.h>
bool pf_glob(const char *pattern, const char *name);
#endif
