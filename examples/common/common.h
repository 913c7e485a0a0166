/* SPDX-License-Identifier: Apache-2.0
 * common.h -- what all example programs share: failing, and reading a command line. */
#ifndef COMMON_H
#define COMMON_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>

extern const char *program_name;                              /* set first in main */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* status 1 */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void must(peft_status s);                                     /* fails with the library's last message */
void *need(void *memory);                                     /* fails on NULL */
double seconds_now(void);

/* A command line from a table. name: - stands for _ on the command line; argument: NULL for a switch, whose value
 * becomes "1"; value: the default, NULL for none. given: 0 default, 1 by the command line, 2 by a list file's line. */
typedef struct flag { const char *name, *argument, *value, *help; int given; } flag;
typedef struct program {
    const char *usage;                                        /* what stands behind the program's name */
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
