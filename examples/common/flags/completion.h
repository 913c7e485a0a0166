/* SPDX-License-Identifier: Apache-2.0
 * completion.h -- completion of a program's flags by shells. */
#ifndef COMPLETION_H
#define COMPLETION_H
#include "flags.h"
#include <stdbool.h>

/* Prints the completion of the installed program peft-NAME for "bash", "zsh" or "fish"; false: another shell. */
bool print_completion(const char *shell, const flag *flags, int count);
#endif
