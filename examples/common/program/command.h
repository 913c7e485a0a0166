/* SPDX-License-Identifier: Apache-2.0
 * command.h -- the command line of the program as text that a shell can run again. */
#ifndef COMMAND_H
#define COMMAND_H

/* program_name and the arguments as a shell takes them, without --resume and --force; to be freed. */
char *command_line(int argc, char **argv);
#endif
