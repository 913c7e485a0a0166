/* SPDX-License-Identifier: Apache-2.0
 * command.h -- the program's command line as text that a shell can run again, for records and pages. */
#ifndef COMMAND_H
#define COMMAND_H

/* program_name and the arguments, quoted for a shell, without --resume and --force; to be freed. */
char *command_line(int argc, char **argv);
#endif
