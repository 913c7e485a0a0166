/* SPDX-License-Identifier: Apache-2.0
 * manual.h -- the manual page of a program, made from its table of flags. */
#ifndef MANUAL_H
#define MANUAL_H
#include "flags.h"

/* Prints the page of the installed program peft-NAME, for man. */
void print_manual(const flag *flags, int count, const program *p);
#endif
