/* SPDX-License-Identifier: Apache-2.0
 * methods.h -- the table of built-in methods, which src/library hands to each new context. */
#ifndef PF_METHODS_H
#define PF_METHODS_H
#include <peft/sys/method.h>

extern const peft_method *const pf_methods[];                 /* in the order of methods.def; NULL ends it */
#endif
