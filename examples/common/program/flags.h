/* SPDX-License-Identifier: Apache-2.0
 * flags.h -- reads a command line by a table of flags. */
#ifndef FLAGS_H
#define FLAGS_H
#include <stdint.h>

/* name: - stands for _ on the command line; argument: NULL for a switch, whose value becomes "1"; value: the default,
 * NULL for none. given: 0 default, 1 by the command line, 2 by a list file's line. */
typedef struct flag { const char *name, *argument, *value, *help; int given; } flag;
/* A program's table is a macro FLAGS(X) of rows X(name, argument, value, help): enum { FLAGS(FLAG_ID) flags } numbers
 * the flags and counts them, flag given[] = { FLAGS(FLAG_ROW) } is what read_flags takes. */
#define FLAG_ID(name, argument, value, help) name,
#define FLAG_ROW(name, argument, value, help) { #name, argument, value, help, 0 },

typedef struct program {
    const char *usage;                                        /* the text after the program's name */
    const char *purpose;                                      /* one or two sentences */
    const char *example;                                      /* commands, a line each */
} program;
/* --help and -h print the program's purpose, an example and the table, --version the library's; p NULL: the words are
 * those of a list file's line, and there is neither. A flag given twice is refused, and so is a value that begins
 * with "--". Returns the first word that is no flag, as getopt does. When the program ends, standard output is
 * closed, and what could not be written there makes it fail. */
int     read_flags(flag *flags, int count, const program *p, int argc, char **argv);
int64_t flag_count(const flag *f);                            /* its value, a whole number >= 0 */
#endif
