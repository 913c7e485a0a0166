/* SPDX-License-Identifier: Apache-2.0
 * verbose.h -- contexts of the programs. With PEFT_VERBOSE=1 in the environment, each operation of a model prints a
 * line on standard error. */
#ifndef VERBOSE_H
#define VERBOSE_H
#include <peft/peft.h>

/* Creates a context, with the log at level 3 if PEFT_VERBOSE is 1. The same warning is printed once in a program, since
 * a table is opened for each split. An error ends the program. */
peft_context *make_context(void);
#endif
