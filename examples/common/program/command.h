/* SPDX-License-Identifier: Apache-2.0
 * command.h -- the command that a program was started with, as text to be repeated. */
#ifndef COMMAND_H
#define COMMAND_H

/* program_name and the arguments as a shell takes them, without --resume and --force; to be freed. */
char *command_line(int argc, char **argv);
#endif
