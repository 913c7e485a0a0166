/* SPDX-License-Identifier: Apache-2.0
 * report_summary.c -- writes the beginning of a study: title, note and a summary of its data, and its end: settings. */
#include "report_parts.h"
#include "common/backbone/image_sides.h"
#include <string.h>

/* compare --title, else the last part of the path of the data, else the folder of the records. */
static const char *own_title(const study *s)
{
    const char *title = study_property(s, "title"), *data = study_property(s, "data");
    if (title && *title) return title;
    if (!data) return s->folder;
    const char *slash = strrchr(data, '/');
    return slash && slash[1] ? slash + 1 : data;
}

void put_title(FILE *f, const study *s, const study *all, int64_t studies)
{
    int64_t same = 0;
    for (int64_t i = 0; i < studies; i++) same += !strcmp(own_title(s), own_title(&all[i]));
    put_escaped(f, own_title(s));
    if (same < 2) return;
    fputs(" (", f);
    put_escaped(f, s->folder);
    fputs(")", f);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }    /* ending of a noun */

/* Numbers of images of all draws and runs. Records of libpeft 1.0 hold those of the first draw alone, beside the
 * numbers of test images of all runs. */
static void put_images(FILE *f, const study *s)
{
    int64_t rows, shots = study_integer(s, "shots");
    const count_range train = study_range(s, "train_images", &rows);
    count_range test = study_range(s, "test_images", &rows);
    const bool of_files = study_property(s, "all_slices");
    char text[RANGE_TEXT];
    for (int64_t m = 0; m < s->methods && !study_has_cases(s); m++)
        for (int64_t i = 0; i < s->runs; i++) {
            const run *r = &s->method[m].run[i];
            if (r->done) add_to_range(&test, (int64_t)r->value[result_test_images]);
        }
    fputs(range_text(text, train, "training image"), f);
    if (rows == 1 && test.low < test.high) fputs(" in the first draw", f);
    if (shots) fprintf(f, " (%lld%s per class%s)", (long long)shots, of_files ? " files, with all their slices," : "",
                       s->masks ? " of images" : "");
    fprintf(f, " and %s per run", range_text(text, test, "held-out image"));
    if (!study_has_cases(s)) return;
    fprintf(f, ", of %s; all results are of cases, by the rule ",
            range_text(text, study_range(s, "test_cases", &rows), "case"));
    put_escaped(f, study_property(s, "per_case"));
    fputs(" over their images", f);
}

/* Writes one paragraph on classes, images, draws, backbone and threads. "\303\227" is the multiplication sign. */
static void put_study_summary(FILE *f, const study *s)
{
    int64_t draws = study_integer(s, "samplings"), seeds = study_integer(s, "runs"), jobs = study_integer(s, "jobs");
    const char *path = study_property(s, "backbone"), *slash = path ? strrchr(path, '/') : NULL;
    fprintf(f, "<p>%lld classes %s(", (long long)s->classes, s->masks ? "of pixels " : "");
    for (int64_t c = 0; c < s->classes; c++) {
        if (c) fputs(", ", f);
        put_escaped(f, s->class_name[c]);
    }
    fputs("); ", f);
    put_images(f, s);
    fprintf(f, "; %lld draw%s of the images \303\227 %lld seed%s. Backbone ", (long long)draws, plural(draws),
            (long long)seeds, plural(seeds));
    put_escaped(f, slash ? slash + 1 : path ? path : "unknown");
    fprintf(f, ": %lld blocks, width %lld, patches of %lld pixels", (long long)study_integer(s, "depth"),
            (long long)study_integer(s, "width"), (long long)study_integer(s, "patch"));
    if (study_property(s, "image_size")) {
        const image_sides sides = parse_sides(study_property(s, "image_size"), "study.csv: image_size");
        fprintf(f, ", images of %lld \303\227 %lld", (long long)sides.height, (long long)sides.width);
    }
    fprintf(f, ". Each run had one thread; %lld run%s at a time.</p>\n", (long long)jobs, plural(jobs));
}

void put_study_head(FILE *f, const study *s, int64_t number, const study *all, int64_t studies)
{
    fprintf(f, "<section class=\"study\" id=\"study-%lld\">\n<h2>", (long long)number);
    put_title(f, s, all, studies);
    fputs("</h2>\n", f);
    if (study_property(s, "note")) {
        fputs("<p class=\"note\" role=\"note\">", f);
        put_escaped(f, study_property(s, "note"));
        fputs("</p>\n", f);
    }
    put_study_summary(f, s);
}

void put_settings(FILE *f, const study *s)
{
    fputs("<details><summary>Settings, and how to repeat the study</summary>\n", f);
    put_code(f, "Command:", study_property(s, "command"));
    put_code(f, "Fingerprint of the backbone:", study_property(s, "fingerprint"));
    put_code(f, "Kernels (instruction set):", study_property(s, "isa"));
    put_code(f, "libpeft:", study_property(s, "libpeft"));
    for (int64_t m = 0; m < s->methods; m++) {
        fputs("<p class=\"small\"><strong>", f);
        put_escaped(f, s->method[m].label);
        fputs("</strong><br><code>", f);
        put_escaped(f, s->method[m].settings);
        fputs("</code></p>\n", f);
    }
    fputs("</details>\n</section>\n", f);
}
