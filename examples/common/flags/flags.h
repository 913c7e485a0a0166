/* SPDX-License-Identifier: Apache-2.0
 * flags.h -- command-line options (flags): a program lists them in a table, and read_flags parses them and prints
 * --help. compare also parses the lines of its list file with it. */
#ifndef FLAGS_H
#define FLAGS_H
#include <stdint.h>

/* Where the value of a flag comes from. The list file overrides the command line, which overrides the default. */
enum { FROM_DEFAULT, FROM_COMMAND_LINE, FROM_LIST_FILE };
/* name: "weight_decay" for --weight-decay. argument: what --help calls the value; NULL for a switch, whose value is "1"
 * when given. value: first the default (NULL: none), then what was given. source: FROM_*, where value comes from. */
typedef struct flag { const char *name, *argument, *value, *help; int source; } flag;
/* The flag's name on the command line without the dashes before it, "weight-decay". */
typedef struct flag_name { char text[32]; } flag_name;
flag_name name_of_flag(const flag *f);
/* A program's table is a macro FLAGS(X) of rows X(name, argument, value, help): enum { FLAGS(FLAG_ID) flags } gives the
 * index of each flag and their number; flag given[] = { FLAGS(FLAG_ROW) } is the array for read_flags. */
#define FLAG_ID(name, argument, value, help) name,
#define FLAG_ROW(name, argument, value, help) { #name, argument, value, help, FROM_DEFAULT },

typedef struct program {
    const char *usage;                                        /* "--data PATH [options]" */
    const char *purpose;                                      /* one or two sentences */
    const char *example;                                      /* commands, one on each line */
} program;
/* Parses the command line into flags[0..count-1] and returns the index of the first word that is not a flag, as getopt
 * does. --help (-h) and --version print and exit. A flag given twice is an error, and so is a value that begins with
 * "--". --print manual|bash|zsh|fish prints the manual page or the completion for a shell and exits; the build
 * calls it. From then on the program ends with status 1 if its standard output cannot be written. */
int     read_flags(flag *flags, int count, const program *p, int argc, char **argv);
/* The same for a line of compare's list file, without --help and --version; argv[0] names the line in messages. */
int     read_list_flags(flag *flags, int count, int argc, char **argv);
/* The value as a whole number from low to high (INT64_MAX: any from low on), in decimal digits; else fails.
 * flag_integer: from 0 on. Values of flags whose argument is N or K are checked for being whole numbers, of any size,
 * when they are read. */
int64_t flag_whole(const flag *f, int64_t low, int64_t high);
int64_t flag_integer(const flag *f);
double  flag_number(const flag *f, double low, double high);  /* a decimal number in low..high; else fails */
enum { most_in_batch = 65536 };                               /* images that sessions and adaptors take at a time */
#endif
