/* SPDX-License-Identifier: Apache-2.0
 * record_numbers.c -- paths of record files, and numbers in their fields (report_study.h). */
#include "common/program/errors.h"
#include "report/report_study.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

_Noreturn void fail_malformed(const char *path)
{
    fail("%s: is not a record file that this version of compare wrote; repeat the study with compare --records", path);
}

int64_t whole_number(const char *text, int64_t limit, const char *path)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < 0 || v >= limit) fail_malformed(path);
    return v;
}

double number_or_nan(const char *text, const char *path)
{
    char *end;
    double v = strtod(text, &end);
    if (*end) fail_malformed(path);
    return *text && isfinite(v) ? v : NAN;
}

char *path_of_record(const study *s, const method *m, const run *r, const char *kind)
{
    char name[record_name_size], *path;
    record_name(name, m->key, r->draw_seed, r->number, kind);
    if (asprintf(&path, "%s/%s", s->folder, name) < 0) fail("out of memory");
    return path;
}
