/* SPDX-License-Identifier: Apache-2.0
 * report.c -- makes one self-contained HTML page (images inside, no scripts, no network) of the records that
 * compare --records wrote. The same records and data give the same bytes. */
#include "common/files/output.h"
#include "common/outputs/input_files.h"
#include "common/flags/command.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "report_parts.h"
#include <stdlib.h>

#define FLAGS(X) \
    X(out, "FILE", "report.html", "file for the page") \
    X(title, "TEXT", "Methods compared", "title of the page") \
    X(force, NULL, NULL, "overwrite --out if it exists")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "[options] DIR...",
    "Makes one HTML page of the folders (DIR) that compare --records wrote: tables with 95 % confidence intervals,\n"
    "learning curves, confusion matrices, reliability diagrams, calibration, and examples of right and wrong\n"
    "predictions; of records with compare --analysis also the features before and after tuning, and maps of the\n"
    "attention that EPT's prompts take.",
    "  compare --backbone vit.safetensors --data scans --methods list.txt --records scans.records\n"
    "  report --out scans.html scans.records" };

/* command: report's own command line, for the foot of the page. */
static void put_page(FILE *f, const study *s, int64_t studies, const char *command)
{
    put_head(f, given[title].value, s, studies);
    for (int64_t i = 0; i < studies; i++) {
        put_study_head(f, &s[i], i + 1);
        if (!best_method(&s[i])) {
            fputs("<p>No run is done yet.</p>\n", f);
        } else {
            put_results(f, &s[i]);
            put_choices(f, &s[i]);
            put_differences(f, &s[i]);
            put_curves(f, &s[i]);
            put_confusion(f, &s[i]);
            put_reliability(f, &s[i]);
            put_calibration(f, &s[i]);
            put_space(f, &s[i]);
            put_masses(f, &s[i]);
            put_cases(f, &s[i]);
        }
        put_settings(f, &s[i]);
    }
    put_foot(f, command);
}

int main(int argc, char **argv)
{
    program_name = "report";
    char *command = command_line(argc, argv);                 /* before getopt reorders argv */
    int first = read_flags(given, flags, &about, argc, argv);
    if (first == argc) fail("no folder given; expected folders that compare --records wrote");
    check_output("out", given[out].value, given[force].value, NULL, 0);   /* no other option names a file */
    for (char **folder = argv + first; *folder; folder++) check_not_record("out", given[out].value, *folder);
    int64_t studies = argc - first;
    study *s = check_alloc(calloc((size_t)studies, sizeof *s));
    for (int64_t i = 0; i < studies; i++) {
        s[i] = read_study(argv[first + i]);
        read_analyses(&s[i]);
    }
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    put_page(f, s, studies, command);
    if (fclose(f)) fail("out of memory");
    must(peft_write_file(given[out].value, text, size));
    printf("written: %s, %lld KiB\n", given[out].value, (long long)(size / 1024));
    for (int64_t i = 0; i < studies; i++) {
        free_analyses(&s[i]);
        free_study(&s[i]);
    }
    free(s);
    free(text);
    free(command);
    return 0;
}
