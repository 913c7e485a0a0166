/* SPDX-License-Identifier: Apache-2.0
 * completion.c -- completions for bash, zsh and fish (completion.h). After a flag whose argument is a path, shells
 * offer files; after one with a fixed list of values, these; after other flags with an argument, nothing. */
#include "completion.h"
#include "common/program/errors.h"
#include <peft/peft.h>
#include <stdio.h>
#include <string.h>

static bool takes_path(const flag *f)
{
    return f->argument && (!strcmp(f->argument, "PATH") || !strcmp(f->argument, "FILE") || !strcmp(f->argument, "DIR"));
}

/* The i-th name of the library for an argument METHOD or KIND; NULL: after the last, or for another argument. */
static const char *library_name(const flag *f, size_t i)
{
    if (!strcmp(f->argument, "METHOD")) return peft_method_name(i);
    if (!strcmp(f->argument, "KIND")) return i < peft_adaptor_kind_count() ? peft_adaptor_kind_name(i) : NULL;
    return NULL;
}

/* Prints the values of a flag between `before` and `after`, separated by blanks: those of an argument "adamw|sgd", up
 * to what the user fills in ("sensitivity=" of "sensitivity=SHARE"), or names of the library. False: it has none, and
 * nothing is printed. */
static bool put_values(const flag *f, const char *before, const char *after)
{
    int n = 0;
    if (!f->argument) return false;
    const char *name, *word = strchr(f->argument, '|') ? f->argument : "";
    for (size_t i = 0; (name = library_name(f, i)); i++) printf("%s%s", n++ ? " " : before, name);
    for (; *word; word += strcspn(word, "|"), word += *word == '|') {
        const int length = (int)strcspn(word, "|ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length) printf("%s%.*s", n++ ? " " : before, length, word);
    }
    if (n) fputs(after, stdout);
    return n > 0;
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
           "    case $before in\n", program_name);
    for (int i = 0; i < count; i++) {
        char before[120];
        snprintf(before, sizeof before, "        --%s) mapfile -t COMPREPLY < <(compgen -W '",
                 name_of_flag(&flags[i]).text);
        put_values(&flags[i], before, "' -- \"$word\"); return ;;\n");
    }
    fputs("        ", stdout);
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

/* Writes the argument of a flag; zsh separates fields by colons. */
static void put_zsh_argument(const char *argument)
{
    for (; *argument; argument++) printf(*argument == ':' ? "\\:" : "%c", *argument);
}

static void put_zsh(const flag *flags, int count)
{
    printf("#compdef peft-%s\n_arguments \\\n", program_name);
    for (int i = 0; i < count; i++) {
        printf("    '--%s[", name_of_flag(&flags[i]).text);
        put_description(flags[i].help);
        printf("]%s", flags[i].argument ? ":" : "");
        if (flags[i].argument) put_zsh_argument(flags[i].argument);
        if (!put_values(&flags[i], ":(", ")"))
            fputs(takes_path(&flags[i]) ? ":_files" : flags[i].argument ? ": " : "", stdout);
        puts("' \\");
    }
    puts("    '--help[print a summary of the options]' \\\n    '--version[print the version]' \\\n    '*:file:_files'");
}

static void put_fish(const flag *flags, int count)
{
    for (int i = 0; i < count; i++) {
        printf("complete -c peft-%s -l %s %s", program_name, name_of_flag(&flags[i]).text,
               takes_path(&flags[i]) ? "-r -F " : flags[i].argument ? "-x " : "");
        put_values(&flags[i], "-a '", "' ");
        fputs("-d '", stdout);
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
