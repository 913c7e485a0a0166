/* SPDX-License-Identifier: Apache-2.0
 * help_text.h -- what --help and the manual page have in common. */
#ifndef HELP_TEXT_H
#define HELP_TEXT_H

/* Environment variables that both list. */
typedef struct variable { const char *name, *help; } variable;
extern const variable environment[];
extern const int environment_count;

/* An example has commands on lines that begin with two blanks and the name of a program. The length of this name if the
 * line at text is a command; else 0. */
int command_length(const char *text);
#endif
