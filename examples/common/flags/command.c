/* SPDX-License-Identifier: Apache-2.0
 * command.c -- quotes the words of the command line for a shell (command.h). */
#include "command.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <string.h>

static const char plain_characters[] =                        /* a shell takes them as they are */
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:%@";

/* Writes a word, in single quotes unless it consists of plain characters: it's becomes 'it'\''s'. */
static void put_word(FILE *f, const char *word)
{
    if (*word && !word[strspn(word, plain_characters)]) {
        fputs(word, f);
        return;
    }
    fputc('\'', f);
    for (; *word; word++)
        if (*word == '\'') fputs("'\\''", f);
        else fputc(*word, f);
    fputc('\'', f);
}

/* Leaves out --resume and --force, so the text is the command that begins the work, also when it was resumed. */
char *command_line(int argc, char **argv)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    fputs(program_name, f);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--resume") || !strcmp(argv[i], "--force")) continue;
        fputc(' ', f);
        put_word(f, argv[i]);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}
