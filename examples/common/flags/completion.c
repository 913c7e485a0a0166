/* SPDX-License-Identifier: Apache-2.0
 * completion.c -- completions for bash, zsh and fish (completion.h). After a flag whose argument is a path, shells
 * offer files; after other flags with an argument, nothing. */
#include "completion.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <string.h>

static bool takes_path(const flag *f)
{
    return f->argument && (!strcmp(f->argument, "PATH") || !strcmp(f->argument, "FILE") || !strcmp(f->argument, "DIR"));
}

/* Prints the flags for which `wanted` is true, with `between` between them, as "--a|--b"; returns how many. */
static int put_flags(const flag *flags, int count, bool (*wanted)(const flag *), const char *between)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (wanted(&flags[i])) printf("%s--%s", n++ ? between : "", name_of_flag(&flags[i]).text);
    return n;
}

static bool takes_other(const flag *f) { return f->argument && !takes_path(f); }
static bool any(const flag *f) { return f != NULL; }

static void put_bash(const flag *flags, int count)
{
    printf("_peft_%s() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    case $before in\n        ", program_name);
    if (put_flags(flags, count, takes_other, "|")) printf(") COMPREPLY=(); return ;;\n    esac\n");
    else printf("--) ;;\n    esac\n");
    printf("    case $word in\n        -*) mapfile -t COMPREPLY < <(compgen -W '");
    put_flags(flags, count, any, " ");
    printf(" --help --version' -- \"$word\") ;;\n"
           "        *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n    esac\n}\n"
           "complete -o filenames -F _peft_%s peft-%s\n", program_name, program_name);
}

/* Writes help without the characters that end a description in zsh or a word in quotes. */
static void put_description(const char *help)
{
    for (; *help; help++)
        if (!strchr("[]':\\", *help)) putchar(*help);
}

static void put_zsh(const flag *flags, int count)
{
    printf("#compdef peft-%s\n_arguments \\\n", program_name);
    for (int i = 0; i < count; i++) {
        printf("    '--%s[", name_of_flag(&flags[i]).text);
        put_description(flags[i].help);
        printf("]%s%s%s' \\\n", flags[i].argument ? ":" : "", flags[i].argument ? flags[i].argument : "",
               takes_path(&flags[i]) ? ":_files" : flags[i].argument ? ": " : "");
    }
    puts("    '--help[print a summary of the options]' \\\n    '--version[print the version]' \\\n    '*:file:_files'");
}

static void put_fish(const flag *flags, int count)
{
    for (int i = 0; i < count; i++) {
        printf("complete -c peft-%s -l %s %s-d '", program_name, name_of_flag(&flags[i]).text,
               takes_path(&flags[i]) ? "-r -F " : flags[i].argument ? "-x " : "");
        put_description(flags[i].help);
        puts("'");
    }
    printf("complete -c peft-%s -l help -d 'print a summary of the options'\n"
           "complete -c peft-%s -l version -d 'print the version'\n", program_name, program_name);
}

bool print_completion(const char *shell, const flag *flags, int count)
{
    static const struct { const char *shell; void (*put)(const flag *, int); } completions[] = {
        { "bash", put_bash }, { "zsh", put_zsh }, { "fish", put_fish } };
    for (size_t i = 0; i < sizeof completions / sizeof *completions; i++) {
        if (strcmp(shell, completions[i].shell)) continue;
        completions[i].put(flags, count);
        return true;
    }
    return false;
}
