/* SPDX-License-Identifier: Apache-2.0
 * endings.c -- the endings of file names, and the text that counts files by ending ("12 .txt, 3 .xml, 1 folder"). */
#include "io/source/tree/tree.h"
#include <stdio.h>

/* The longest ending, with its dot; the endings that the text names, before ", 5 others". */
enum { MAX_ENDING = 10, MAX_NAMED = 8 };

/* "volume.nii.gz" has the ending .nii.gz. Text after the last dot that is longer than MAX_ENDING, or that has other
 * characters than ASCII letters and digits ("scan.left side"), is no ending: the result is then "". */
char *io_ending(peft_context *ctx, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot && (io_same_word(dot, ".gz") || io_same_word(dot, ".bz2") || io_same_word(dot, ".xz")))
        while (dot > name && *--dot != '.') {}                /* to the dot before, that of .nii in .nii.gz */
    if (!dot || *dot != '.' || dot == name || strlen(dot) > MAX_ENDING) return io_copy(ctx, "");
    char *ending = io_copy(ctx, dot);
    for (char *c = ending; c && *c; c++) {
        *c = io_lower(*c);
        /* Any other character makes the result "". */
        if (*c != '.' && !(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9')) *ending = 0;
    }
    return ending;
}

/* The files with one ending. */
typedef struct ending_count { const char *ending; int64_t count; } ending_count;

static int most_first(const void *a, const void *b)
{
    const ending_count *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->ending, y->ending);
}

/* Writes "12 .txt", "1 folder" or "3 files without ending"; returns the length. */
static size_t print_count(char *text, size_t size, const ending_count *k)
{
    const char *plural = k->count == 1 ? "" : "s";
    int n = *k->ending == '/' ? snprintf(text, size, "%lld folder%s", (long long)k->count, plural)
          : *k->ending ? snprintf(text, size, "%lld %s", (long long)k->count, k->ending)
                       : snprintf(text, size, "%lld file%s without ending", (long long)k->count, plural);
    return (size_t)n;
}

peft_status io_count_endings(io_strings *endings, char **out)
{
    enum { TEXT_SIZE = (MAX_NAMED + 1) * 48 };
    int64_t kinds = 0, others = 0;                            /* different endings; files of endings not named */
    size_t used = 0;
    io_strings_sort(endings);
    ending_count *k = io_alloc(endings->ctx, endings->count, sizeof *k);
    char *text = io_alloc(endings->ctx, TEXT_SIZE, 1);
    if (!k || !text) {
        peft_sys_free(endings->ctx, k);
        peft_sys_free(endings->ctx, text);
        return io_nomem("list of endings");
    }
    for (int64_t i = 0; i < endings->count; i++) {
        if (!kinds || strcmp(k[kinds - 1].ending, endings->item[i])) k[kinds++].ending = endings->item[i];
        k[kinds - 1].count++;
    }
    if (kinds) qsort(k, (size_t)kinds, sizeof *k, most_first);
    for (int64_t i = 0; i < kinds; i++) {
        if (i >= MAX_NAMED) others += k[i].count;
        else {
            if (i) used += (size_t)snprintf(text + used, TEXT_SIZE - used, ", ");
            used += print_count(text + used, TEXT_SIZE - used, &k[i]);
        }
    }
    if (others) snprintf(text + used, TEXT_SIZE - used, ", %lld others", (long long)others);
    peft_sys_free(endings->ctx, k);
    *out = text;
    return PEFT_OK;
}
