/* SPDX-License-Identifier: Apache-2.0
 * verbose.h -- PEFT_VERBOSE=1 in the environment: each operation of a model writes a line on standard error. */
#ifndef VERBOSE_H
#define VERBOSE_H
#include <peft/peft.h>

/* peft_context_create, with the log that PEFT_VERBOSE asks for. */
peft_context *make_context(void);
#endif
