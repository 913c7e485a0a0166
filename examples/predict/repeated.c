/* SPDX-License-Identifier: Apache-2.0
 * repeated.c -- finds pictures that are given more than once, under the same path or another spelling of it, so that
 * each counts once in its case or in figures (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

/* A picture and its case; kase "": none. */
typedef struct given_picture { char *name; const char *kase; int64_t number; } given_picture;

/* The name with the path of its folder resolved: without links, "." and ".."; to be freed. A folder that does not exist
 * is one within an archive: then the path of the archive is resolved. A link in place of the picture keeps its name, by
 * which its mask is found. */
static char *resolve_folder(const char *name)
{
    char *folder = check_alloc(strdup(name)), *slash, *full = NULL, *text = NULL;
    const char *rest = name;                                  /* behind the folder */
    while (!full && (slash = strrchr(folder, '/'))) {
        *slash = 0;
        full = realpath(*folder ? folder : "/", NULL);
        if (full) rest = name + (slash - folder) + 1;
    }
    if (!full) full = realpath(".", NULL);
    if (asprintf(&text, "%s%s%s", full ? full : "", full ? "/" : "", rest) < 0) fail("out of memory");
    free(full);
    free(folder);
    return text;
}

static int compare_names(const given_picture *x, const given_picture *y)
{
    const int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->kase, y->kase);
}

static int by_name_and_number(const void *a, const void *b)
{
    const given_picture *x = a, *y = b;
    const int order = compare_names(x, y);
    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

/* The pictures by name, case and number, to be freed with their names. */
static given_picture *sort_pictures(const inputs *in)
{
    given_picture *sorted = check_alloc(malloc((size_t)(in->count + 1) * sizeof *sorted));
    for (int64_t i = 0; i < in->count; i++) {
        const char *kase = input_case(in, i);
        sorted[i] = (given_picture){ resolve_folder(input_name(in, i)), kase ? kase : "", i };
    }
    qsort(sorted, (size_t)in->count, sizeof *sorted, by_name_and_number);
    return sorted;
}

static void free_sorted(given_picture *sorted, int64_t count)
{
    for (int64_t i = 0; i < count; i++) free(sorted[i].name);
    free(sorted);
}

void refuse_repeated(const inputs *in, const char *flag)
{
    static const char advice[] = "give each picture once, as each counts once in the figures";
    given_picture *sorted = sort_pictures(in);
    for (int64_t k = 1; k < in->count; k++) {
        const char *a = input_name(in, sorted[k - 1].number), *b = input_name(in, sorted[k].number);
        if (strcmp(sorted[k - 1].name, sorted[k].name)) continue;
        if (!strcmp(a, b)) fail("%s: the picture %s is given twice; %s", flag, a, advice);
        fail("%s: the pictures %s and %s are the same; %s", flag, a, b, advice);
    }
    free_sorted(sorted, in->count);
}

void drop_repeated(inputs *in)
{
    const int64_t count = in->count;
    int64_t kept = 0, example = 0;
    given_picture *sorted = sort_pictures(in);
    bool *repeated = check_alloc(calloc((size_t)count + 1, sizeof *repeated));
    int64_t *number = check_alloc(malloc((size_t)(count + 1) * sizeof *number));
    for (int64_t k = 1; k < count; k++)
        repeated[sorted[k].number] = !compare_names(&sorted[k - 1], &sorted[k]);
    for (int64_t i = 0; i < count; i++)
        if (repeated[i]) example = i;
        else number[kept++] = i;
    if (kept < count)
        warn("--per-case: %lld of %lld pictures repeat an earlier one, such as %s; each counts once in its case",
             (long long)(count - kept), (long long)count, input_name(in, example));
    free_sorted(sorted, count);
    free(repeated);
    in->number = number;
    in->count = kept;
}
