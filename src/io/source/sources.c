/* SPDX-License-Identifier: Apache-2.0
 * sources.c -- peft_dataset_open: finds the kind of data set that lies at a path, in the table of sources.def, and
 * opens it. */
#include "io/source/source.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define IO_SOURCE(name) extern const io_source io_source_##name;
#include "io/source/sources.def"
#undef IO_SOURCE
static const io_source *const sources[] = {
#define IO_SOURCE(name) &io_source_##name,
#include "io/source/sources.def"
#undef IO_SOURCE
};
enum { SOURCES = sizeof sources / sizeof *sources };

peft_status peft_dataset_open(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    const io_open_arguments a = { .ctx = ctx, .path = path, .split = split };
    struct stat st;
    char names[300];
    size_t used = 0;
    int kind = 0;                                             /* the last kind has no probe: it takes every file */
    if (!ctx || !path || !out)
        return io_fail(PEFT_E_INVALID, "data set: %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    if (!stat(path, &st)) {
        while (sources[kind]->probe && !sources[kind]->probe(path)) kind++;
        return io_source_open(sources[kind], &a, out);
    }
    const int stat_error = errno;
    for (int i = 0; i < SOURCES && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 i == 0 ? "" : i < SOURCES - 1 ? ", " : " or ", sources[i]->name);
    return io_fail(PEFT_E_IO, "%s: %s; expected %s", path, strerror(stat_error), names);
}
