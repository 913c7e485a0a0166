/* SPDX-License-Identifier: Apache-2.0
 * manual.c -- prints the manual page of a program (manual.h). */
#include "manual.h"
#include "common/program/errors.h"
#include "help_text.h"
#include <peft/peft.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Writes n characters with what roff would interpret escaped: backslashes, dashes, and dots and quotes that begin a
 * line. */
static void put_roff(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const bool begins = !i || text[i - 1] == '\n';
        if (begins && (text[i] == '.' || text[i] == '\'')) fputs("\\&", stdout);
        if (text[i] == '\\') fputs("\\e", stdout);
        else if (text[i] == '-') fputs("\\-", stdout);
        else putchar(text[i]);
    }
}

static void put_text(const char *text) { put_roff(text, strlen(text)); }

/* Prints the lines of an example; commands get the prefix peft-. */
static void put_example(const char *text)
{
    puts(".nf");
    while (*text) {
        const size_t n = strcspn(text, "\n");
        const size_t indent = command_length(text) ? 2 : 0;
        if (indent) fputs("  peft\\-", stdout);
        put_roff(text + indent, n - indent);
        putchar('\n');
        text += n + (text[n] == '\n');
    }
    puts(".fi");
}

static void put_option(const flag *f)
{
    printf(".TP\n.B \\-\\-");
    put_text(name_of_flag(f).text);
    if (f->argument) printf(" \\fI%s\\fR", f->argument);
    putchar('\n');
    put_text(f->help);
    if (f->value) fputs("; default ", stdout), put_text(f->value);
    putchar('\n');
}

void print_manual(const flag *flags, int count, const program *p)
{
    char upper[32] = "";
    for (size_t i = 0; program_name[i] && i + 1 < sizeof upper; i++)
        upper[i] = program_name[i] == '_' ? '-' : (char)(program_name[i] - (program_name[i] >= 'a' ? 'a' - 'A' : 0));
    const size_t summary = strcspn(p->purpose, ".:(\n");       /* one line, as programs that index manuals need */
    printf(".TH PEFT\\-%s 1 \"\" \"libpeft %s\" \"libpeft programs\"\n.SH NAME\npeft\\-%s \\- ", upper,
           peft_version_string(), program_name);
    put_roff(p->purpose, summary);
    printf("\n.SH SYNOPSIS\n.B peft\\-%s\n", program_name);
    put_text(p->usage);
    puts("\n.SH DESCRIPTION");
    put_text(p->purpose);
    puts("\n.SH OPTIONS");
    for (int i = 0; i < count; i++) put_option(&flags[i]);
    puts(".TP\n.B \\-\\-help\nprint a summary of the options and exit\n.TP\n.B \\-\\-version\n"
         "print the version of libpeft and exit\n.SH EXAMPLES");
    put_example(p->example);
    puts(".SH EXIT STATUS\n0: the work is done; 1: an error, which a line on standard error names, or the program was "
         "stopped; 2: an option that does not exist.\n.SH ENVIRONMENT");
    for (int i = 0; i < environment_count; i++) {
        printf(".TP\n.B %s\n", environment[i].name);
        put_text(environment[i].help);
        putchar('\n');
    }
}
