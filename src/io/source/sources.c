/* SPDX-License-Identifier: Apache-2.0
 * sources.c -- the table of kinds of data sets, and the choice of one by what lies at a path. */
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
    const io_place at = { .ctx = ctx, .path = path, .split = split };
    struct stat st;
    char names[300];
    size_t n = 0;
    int found = 0;
    if (!ctx || !path || !out)
        return io_fail(PEFT_E_INVALID, "data set: %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    if (!stat(path, &st)) {
        while (sources[found]->probe && !sources[found]->probe(path)) found++;
        return io_source_open(sources[found], &at, out);
    }
    const int why = errno;
    for (int i = 0; i < SOURCES && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i == 0 ? "" : i < SOURCES - 1 ? ", " : " or ",
                              sources[i]->name);
    return io_fail(PEFT_E_IO, "%s: %s; expected %s", path, strerror(why), names);
}
