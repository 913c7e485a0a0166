/* SPDX-License-Identifier: Apache-2.0
 * common.c -- see common.h. */
#include "common.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *program_name = "peft";

static void say(const char *kind, const char *format, va_list args)
{
    fflush(stdout);                                           /* lines of both streams in the order of the program */
    fprintf(stderr, "%s: %s", program_name, kind);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
    exit(1);
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("warning: ", format, args);
    va_end(args);
}

void must(peft_status s)
{
    if (s) fail("%s (%s)", peft_last_error(), peft_status_name(s));
}

void *need(void *memory)
{
    if (!memory) fail("out of memory");
    return memory;
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A table cut off by a full disk must not look like a whole one. */
static void close_output(void)
{
    bool bad = ferror(stdout);
    if (!fclose(stdout) && !bad) return;
    fprintf(stderr, "%s: standard output: %s; what was printed is not complete\n", program_name, strerror(errno));
    _exit(1);
}

typedef char flag_name[32];

static void print_help(const flag *flags, const flag_name *names, int count, const program *p)
{
    printf("usage: %s %s\n\n%s\n\nexample:\n%s\n\noptions:\n", program_name, p->usage, p->purpose, p->example);
    for (int i = 0; i < count; i++)
        printf("  --%-14s %-5s %s%s%s\n", names[i], flags[i].argument ? flags[i].argument : "", flags[i].help,
               flags[i].value ? "; default " : "", flags[i].value ? flags[i].value : "");
    exit(0);
}

static void take_flag(flag *f, const char *name, const char *value, int level)
{
    if (f->given == level) fail("--%s is given twice; expected once", name);
    if (f->argument && !strncmp(value, "--", 2))
        fail("--%s: the next word is '%s'; expected a value (%s) between them", name, value, f->argument);
    f->value = f->argument ? value : "1";
    f->given = level;
}

int read_flags(flag *flags, int count, const program *p, int argc, char **argv)
{
    flag_name *names = need(calloc((size_t)count, sizeof *names));
    struct option *table = need(calloc((size_t)count + 2, sizeof *table));
    if (p) atexit(close_output);
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%s", flags[i].name);
        for (char *c; (c = strchr(names[i], '_')); ) *c = '-';
        table[i] = (struct option){ names[i], flags[i].argument ? required_argument : no_argument, NULL, i };
    }
    if (p) table[count] = (struct option){ "help", no_argument, NULL, count };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1; ) {
        if (c == '?') exit(2);
        if (c == count) print_help(flags, names, count, p);
        take_flag(&flags[c], names[c], optarg, p ? 1 : 2);
    }
    free(names);
    free(table);
    return optind;
}

int64_t flag_count(const flag *f)
{
    char *end;
    errno = 0;
    long long v = strtoll(f->value, &end, 10);
    if (errno || end == f->value || *end || v < 0) fail("%s: '%s' is not a whole number >= 0", f->name, f->value);
    return v;
}
