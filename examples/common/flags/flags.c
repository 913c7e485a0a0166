/* SPDX-License-Identifier: Apache-2.0
 * flags.c -- parses the command line with getopt_long and prints --help (flags.h). */
#include "flags.h"
#include "common/program/errors.h"
#include "completion.h"
#include "decimal.h"
#include "help_text.h"
#include "manual.h"
#include <errno.h>
#include <getopt.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Called at exit: ends with status 1 when output was lost, for example on a full disk. */
static void close_output(void)
{
    bool bad = ferror(stdout);
    if (!fclose(stdout) && !bad) return;
    fprintf(stderr, "%s: standard output: %s; what was printed is not complete\n", program_name, strerror(errno));
    _exit(1);
}

/* Prints text from `column` on; wraps lines at column WIDTH and indents the next ones by INDENT. */
static void print_wrapped(const char *text, int column)
{
    enum { WIDTH = 112, INDENT = 25 };
    while (*text) {
        const int n = (int)strcspn(text, " ");
        if (column > INDENT && column + n > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        }
        column += printf("%.*s%s", n, text, text[n] ? " " : "");
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

/* Prints the lines of an example. If the programs are installed, they are named peft-NAME, and commands get this
 * prefix. */
static void print_example(const char *text)
{
    const bool installed = !strncmp(program_name, "peft-", 5);
    while (*text) {
        const size_t n = strcspn(text, "\n");
        if (installed && command_length(text)) printf("  peft-%.*s\n", (int)n - 2, text + 2);
        else printf("%.*s\n", (int)n, text);
        text += n + (text[n] == '\n');                        /* the next line */
    }
}

/* defaults: the flags' values before the command line was read. */
static void print_help(const flag *flags, const flag_name *names, const char *const *defaults, int count,
                       const program *p)
{
    printf("usage: %s %s\n\n%s\n\nexample:\n", program_name, p->usage, p->purpose);
    print_example(p->example);
    printf("\noptions:\n");
    for (int i = 0; i < count; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s%s", flags[i].help, defaults[i] ? "; default " : "",
                 defaults[i] ? defaults[i] : "");
        const int column = printf("  --%-14s %-5s ", names[i].text, flags[i].argument ? flags[i].argument : "");
        print_wrapped(text, column);
    }
    printf("  --help                 print this text and exit (also -h)\n"
           "  --version              print the version of libpeft and exit\n\n"
           "environment variables, for programs that compute:\n");
    for (int i = 0; i < environment_count; i++) {
        const int column = printf("  %-22s ", environment[i].name);
        print_wrapped(environment[i].help, column);
    }
    exit(0);
}

/* Where the command line is --print KIND, prints this text and exits. */
static void print_generated(const flag *flags, int count, const program *p, int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "--print")) return;
    if (!strcmp(argv[2], "manual")) print_manual(flags, count, p);
    else if (!print_completion(argv[2], flags, count))
        fail("--print %s: expected manual, bash, zsh or fish", argv[2]);
    exit(0);
}

static void print_version(void)
{
    printf("%s (libpeft %s)\n", program_name, peft_version_string());
    exit(0);
}

/* Are these decimal digits, behind a sign or not? */
static bool is_whole(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text && !text[strspn(text, "0123456789")];
}

/* Stores a given value, or "1" for a switch. source: FROM_COMMAND_LINE or FROM_LIST_FILE. */
static void set_flag(flag *f, const char *name, const char *value, int source)
{
    if (f->source == source) fail("--%s is given twice; give it once", name);
    if (f->argument && !strncmp(value, "--", 2))
        fail("--%s is followed by '%s'; expected a value, --%s %s", name, value, name, f->argument);
    if (f->argument && (!strcmp(f->argument, "N") || !strcmp(f->argument, "K")) && !is_whole(value))
        fail("--%s: given '%s', expected a whole number", name, value);
    f->value = f->argument ? value : "1";
    f->source = source;
}

/* Sets program_name to "peft-merge" when the program was started under its installed name; else leaves "merge". */
static void name_program(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strncmp(name, "peft-", 5) && !strcmp(name + 5, program_name)) program_name = name;
}

/* Prints advice below getopt's own message, and ends the program. */
static _Noreturn void refuse_flag(int source)
{
    if (source == FROM_COMMAND_LINE) fprintf(stderr, "see %s --help\n", program_name);
    else fprintf(stderr, "%s: expected the flags that compare --help lists from --method on\n", program_name);
    exit(2);
}

/* read_flags and read_list_flags. p: the texts of --help; NULL for a line of the list file. */
static int parse_flags(flag *flags, int count, const program *p, int argc, char **argv)
{
    flag_name *names = check_alloc(calloc((size_t)count, sizeof *names));
    struct option *table = check_alloc(calloc((size_t)count + 3, sizeof *table));    /* two more rows and the end */
    const char **defaults = check_alloc(calloc((size_t)count, sizeof *defaults));
    const int source = p ? FROM_COMMAND_LINE : FROM_LIST_FILE;
    enum { FIRST_FLAG = 256 };                                /* what getopt_long returns for flag 0: no character */
    for (int i = 0; i < count; i++) {
        names[i] = name_of_flag(&flags[i]);
        defaults[i] = flags[i].value;
        table[i] = (struct option){ names[i].text, flags[i].argument ? required_argument : no_argument, NULL,
                                    FIRST_FLAG + i };
    }
    if (p) table[count] = (struct option){ "help", no_argument, NULL, 'h' };
    if (p) table[count + 1] = (struct option){ "version", no_argument, NULL, 'v' };
    for (int c; (c = getopt_long(argc, argv, p ? "h" : "", table, NULL)) != -1; ) {
        if (c == '?') refuse_flag(source);
        if (c == 'h') print_help(flags, names, defaults, count, p);
        if (c == 'v') print_version();
        set_flag(&flags[c - FIRST_FLAG], names[c - FIRST_FLAG].text, optarg, source);
    }
    free(names);
    free(defaults);
    free(table);
    return optind;
}

int read_flags(flag *flags, int count, const program *p, int argc, char **argv)
{
    atexit(close_output);
    print_generated(flags, count, p, argc, argv);
    name_program(argv[0]);
    return parse_flags(flags, count, p, argc, argv);
}

int read_list_flags(flag *flags, int count, int argc, char **argv)
{
    return parse_flags(flags, count, NULL, argc, argv);
}

int64_t flag_whole(const flag *f, int64_t low, int64_t high)
{
    errno = 0;
    const long long v = is_whole(f->value) ? strtoll(f->value, NULL, 10) : -1;
    if (is_whole(f->value) && !errno && v >= low && v <= high) return v;
    if (high < INT64_MAX)
        fail("--%s: given '%s', expected a whole number from %lld to %lld", name_of_flag(f).text, f->value,
             (long long)low, (long long)high);
    fail("--%s: given '%s', expected a whole number from %lld on", name_of_flag(f).text, f->value, (long long)low);
}

int64_t flag_integer(const flag *f) { return flag_whole(f, 0, INT64_MAX); }

double flag_number(const flag *f, double low, double high)
{
    char *end;
    const double v = read_decimal(f->value, &end);
    if (*end || !(v >= low && v <= high))
        fail("--%s: given '%s', expected a decimal number from %g to %g", name_of_flag(f).text, f->value, low, high);
    return v;
}
