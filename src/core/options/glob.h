/* SPDX-License-Identifier: Apache-2.0
 * glob.h -- matches names of tensors against patterns: * stands for any characters (dots too, or none), ? for one. */
#ifndef PF_GLOB_H
#define PF_GLOB_H
#include <stdbool.h>
bool pf_glob(const char *pattern, const char *name);
#endif
