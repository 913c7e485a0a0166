/* SPDX-License-Identifier: Apache-2.0
 * compare_records.c -- what --records keeps of a study: files for report and for whoever wants every probability. */
#include "common/files/whole_file.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *record_path(const study *s, const char *name)    /* to be freed */
{
    char *path;
    if (asprintf(&path, "%s/%s", s->records, name) < 0) fail("out of memory");
    return path;
}

static void open_record(whole_file *w, const study *s, const char *name)
{
    char *path = record_path(s, name);
    open_whole(w, path);
    free(path);
}

static bool has_record(const study *s, const char *name)
{
    char *path = record_path(s, name);
    bool there = !access(path, R_OK);
    free(path);
    return there;
}

bool has_study(const study *s) { return has_record(s, "study.csv"); }

static void open_run_record(whole_file *w, const study *s, int64_t i, const char *kind)
{
    char name[record_name_room];
    record_name(name, entry_of(s, i)->key, draw_seed(s, i), run_of(s, i), kind);
    open_record(w, s, name);
}

bool has_records(const study *s, int64_t i)
{
    static const char *const kinds[] = { "run", "curve", "test" };
    char name[record_name_room];
    bool all = true;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        record_name(name, entry_of(s, i)->key, draw_seed(s, i), run_of(s, i), kinds[k]);
        all = all && has_record(s, name);
    }
    return all;
}

static void put_text(FILE *f, const char *name, const char *text)
{
    if (!text) return;
    fprintf(f, "%s,", name);
    put_csv_field(f, text);
    fputc('\n', f);
}

static void put_count(FILE *f, const char *name, int64_t n) { fprintf(f, "%s,%lld\n", name, (long long)n); }

/* Does every entry see the image at the backbone's size of the first? */
static bool one_image_size(const study *s)
{
    const char *first = s->entry[0].recipe[recipe_image_size].value;
    for (int64_t e = 1; e < s->entries; e++) {
        const char *other = s->entry[e].recipe[recipe_image_size].value;
        if (!first != !other || (first && strcmp(first, other))) return false;
    }
    return true;
}

static void put_backbone(FILE *f, const study *s, const peft_backbone *b)
{
    static const char *const facts[] = { "width", "depth", "patch" };
    put_text(f, "backbone", s->backbone);
    put_text(f, "fingerprint", s->fingerprint);
    for (size_t k = 0; k < sizeof facts / sizeof *facts; k++) put_count(f, facts[k], peft_backbone_get(b, facts[k]));
    if (one_image_size(s)) put_count(f, "image_size", peft_backbone_get(b, "image_size"));
}

static void put_entry(FILE *f, const entry *e)
{
    const char *const fields[] = { "entry", e->label, e->key, e->recipe[recipe_method].value, e->settings };
    for (int k = 0; k < 5; k++) {
        if (k) fputc(',', f);
        put_csv_field(f, fields[k]);
    }
    fputc('\n', f);
}

void write_study(study *s)
{
    trial t;
    peft_dataset *test;
    open_trial(s, 0, &t, &test);
    build_trial(&t, s->entry[0].recipe);
    if (mkdir(s->records, 0777) && errno != EEXIST) fail("%s: %s", s->records, strerror(errno));
    whole_file r;
    open_record(&r, s, "study.csv");
    put_text(r.file, "libpeft", peft_version_string());
    put_text(r.file, "isa", peft_context_isa(t.ctx));
    put_text(r.file, "command", s->command);
    put_text(r.file, "title", s->title);
    put_text(r.file, "note", s->note);
    put_text(r.file, "data", s->data);
    put_text(r.file, "test", s->test);
    put_backbone(r.file, s, t.vit);
    put_count(r.file, "shots", s->shots);
    put_count(r.file, "test_per_class", s->test_per_class);
    put_count(r.file, "samplings", s->samplings);
    put_count(r.file, "runs", s->runs);
    fprintf(r.file, "seed,%" PRIu64 "\n", s->seed);
    put_count(r.file, "jobs", s->jobs);
    put_count(r.file, "train_images", peft_dataset_count(t.train));
    put_count(r.file, "test_images", peft_dataset_count(test));
    for (int64_t c = 0; c < peft_dataset_classes(test); c++)
        put_text(r.file, "class", peft_dataset_class_name(test, c));
    for (int64_t e = 0; e < s->entries; e++) put_entry(r.file, &s->entry[e]);
    close_whole(&r);
    free_trial(&t);
    peft_dataset_free(t.train);
    peft_context_free(t.images);
    peft_dataset_free(test);
}

static void put_curve(FILE *f, const judged *j)
{
    fputs("epoch,loss,balanced_accuracy\n", f);
    for (int64_t e = 0; e < j->epochs; e++) {
        fprintf(f, "%lld,%.9g,", (long long)e + 1, j->curve[e].loss);
        if (isfinite(j->curve[e].balanced_accuracy)) fprintf(f, "%.9g", j->curve[e].balanced_accuracy);
        fputc('\n', f);
    }
}

static void put_test(FILE *f, const judged *j)
{
    int64_t classes = peft_dataset_classes(j->test);
    fputs("name,index,true", f);
    for (int64_t c = 0; c < classes; c++) {
        fputc(',', f);
        put_csv_field(f, peft_dataset_class_name(j->test, c));
    }
    for (int64_t i = 0; i < peft_dataset_count(j->test); i++) {
        fputc('\n', f);
        put_csv_field(f, peft_dataset_name(j->test, i));
        fprintf(f, ",%lld,%lld", (long long)i, (long long)peft_dataset_label(j->test, i));
        for (int64_t c = 0; c < classes; c++) fprintf(f, ",%.9g", j->scores[i * classes + c]);
    }
    fputc('\n', f);
}

void write_records(const study *s, int64_t i, const judged *j)
{
    whole_file curve, test, run;
    open_run_record(&curve, s, i, "curve");
    put_curve(curve.file, j);
    close_whole(&curve);
    open_run_record(&test, s, i, "test");
    put_test(test.file, j);
    close_whole(&test);
    open_run_record(&run, s, i, "run");
    put_csv_heading(run.file);
    put_csv_row(run.file, s, i);
    close_whole(&run);
}
