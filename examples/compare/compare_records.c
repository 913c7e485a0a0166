/* SPDX-License-Identifier: Apache-2.0
 * compare_records.c -- writes the record files of a study (compare --records), whose formats are in records.h. */
#include "common/backbone/image_sides.h"
#include "common/files/atomic_file.h"
#include "common/program/errors.h"
#include "common/segment/mask_sets.h"
#include "compare_study.h"
#include "segment/segment.h"
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

static void open_record(atomic_file *w, const study *s, const char *name)
{
    char *path = record_path(s, name);
    open_atomic(w, path);
    free(path);
}

char *run_record_path(const study *s, int64_t i, const char *kind)
{
    char name[record_name_size];
    record_name(name, entry_of(s, i)->key, draw_seed(s, i), run_in_draw(s, i), kind);
    return record_path(s, name);
}

static bool has_record(const study *s, const char *name)
{
    char *path = record_path(s, name);
    bool readable = !access(path, R_OK);
    free(path);
    return readable;
}

bool has_study(const study *s) { return has_record(s, "study.csv"); }

void open_run_record(atomic_file *w, const study *s, int64_t i, const char *kind)
{
    char *path = run_record_path(s, i, kind);
    open_atomic(w, path);
    free(path);
}

bool has_records(const study *s, int64_t i)
{
    const struct { const char *kind; bool wanted; } kinds[] = {
        { "run", true }, { "curve", true }, { has_masks(s) ? "cases" : "test", true }, { "space", s->analysis },
        { "map", s->analysis }, { "mass", s->analysis }, { "masks", run_shows_masks(s, i) } };
    bool all = true;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char *path = run_record_path(s, i, kinds[k].kind);
        all = all && (!kinds[k].wanted || !access(path, R_OK));
        free(path);
    }
    if (!all || !run_has_maps(s, i)) return all;
    char *path = run_record_path(s, i, "maps");
    all = covers_maps(s, path);
    free(path);
    return all;
}

/* Writes the row of a property; none for text NULL. */
static void put_text(FILE *f, const char *name, const char *text)
{
    if (!text) return;
    fprintf(f, "%s,", name);
    put_csv_field(f, text);
    fputc('\n', f);
}

static void put_count(FILE *f, const char *name, int64_t n) { fprintf(f, "%s,%lld\n", name, (long long)n); }

/* Do all entries have the same --image-size? */
static bool one_image_size(const study *s)
{
    const char *first = s->entry[0].recipe[recipe_image_size].value;
    for (int64_t e = 1; e < s->entries; e++) {
        const char *other = s->entry[e].recipe[recipe_image_size].value;
        const bool same = first && other ? !strcmp(first, other) : first == other;     /* both NULL: not given */
        if (!same) return false;
    }
    return true;
}

/* Writes the rows on the backbone; image_size only if all entries use the same. */
static void put_backbone(FILE *f, const study *s, const peft_backbone *b)
{
    static const char *const properties[] = { "width", "depth", "patch" };
    put_text(f, "backbone", s->backbone);
    put_text(f, "fingerprint", s->fingerprint);
    for (size_t k = 0; k < sizeof properties / sizeof *properties; k++)
        put_count(f, properties[k], peft_backbone_get(b, properties[k]));
    char sides[SIDES_TEXT];
    if (one_image_size(s)) put_text(f, "image_size", sides_text(sides, backbone_sides(b)));
}

static void put_entry(FILE *f, const entry *e)
{
    const char *const fields[] = { "entry", e->label, e->key, e->recipe[recipe_method].value, e->settings };
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        if (k) fputc(',', f);
        put_csv_field(f, fields[k]);
    }
    fputc('\n', f);
}

/* Writes what is counted of the draws: of equal draws one row each, else for each draw. */
static void put_draws(FILE *f, const study *s)
{
    static const char *const names[draw_counts] = { "train_images", "test_images", "test_cases" };
    const int64_t rows = draws_differ(s) ? s->samplings : 1;
    for (int k = 0; k < draw_counts; k++)
        for (int64_t d = 0; d < rows && (k != draw_test_cases || s->per_case); d++)
            put_count(f, names[k], s->draw[d].of[k]);
}

/* Draws the images of the first run and builds its training, to know the classes and the backbone's properties. */
void write_study(study *s)
{
    training_run t;
    peft_dataset *test;
    draw_run_data(s, 0, &t, &test);
    build_entry(&t, &s->entry[0]);
    if (mkdir(s->records, 0777) && errno != EEXIST)
        fail("--records %s: the folder cannot be made: %s", s->records, strerror(errno));
    atomic_file record;
    open_record(&record, s, "study.csv");
    put_text(record.file, "libpeft", peft_version_string());
    put_text(record.file, "isa", peft_context_isa(t.ctx));
    put_text(record.file, "command", s->command);
    put_text(record.file, "title", s->title);
    put_text(record.file, "note", s->note);
    put_text(record.file, "data", s->images.data);
    put_text(record.file, "test", s->images.test);
    put_text(record.file, "table", s->images.table);
    put_text(record.file, "patients", s->images.patients);
    put_text(record.file, "image_options", s->images.image_options);
    put_text(record.file, "masks", s->images.masks);
    put_text(record.file, "mask_options", s->images.mask_options);
    put_text(record.file, "test_masks", s->images.test_masks);
    put_text(record.file, "all_slices", s->images.all_slices ? "true" : NULL);
    if (s->images.masks) put_text(record.file, "spacing", s->spacing ? s->spacing : "");
    put_text(record.file, "per_case", s->per_case);
    put_text(record.file, "maps", s->maps_text);
    put_backbone(record.file, s, t.vit);
    put_count(record.file, "shots", s->images.shots);
    put_count(record.file, "test_per_class", s->images.tests);
    put_count(record.file, "samplings", s->samplings);
    put_count(record.file, "runs", s->runs);
    fprintf(record.file, "seed,%" PRIu64 "\n", s->seed);
    put_count(record.file, "jobs", s->jobs);
    put_draws(record.file, s);
    for (int64_t c = 0; c < label_classes(test); c++) put_text(record.file, "class", label_class_name(test, c));
    for (int64_t e = 0; e < s->entries; e++) put_entry(record.file, &s->entry[e]);
    close_atomic(&record);
    free_training(&t);
    peft_dataset_free(t.train);
    peft_context_free(t.io_ctx);
    peft_dataset_free(test);
}

/* KEY-SEED-RUN.curve.csv */
void write_curve(const study *s, int64_t i, const epoch_point *curve, int64_t epochs)
{
    atomic_file record;
    open_run_record(&record, s, i, "curve");
    fprintf(record.file, "epoch,loss,%s\n", result_name[has_masks(s) ? result_dice : result_balanced_accuracy]);
    for (int64_t e = 0; e < epochs; e++) {
        fprintf(record.file, "%lld,%.9g,", (long long)e + 1, curve[e].loss);
        if (isfinite(curve[e].figure)) fprintf(record.file, "%.9g", curve[e].figure);
        fputc('\n', record.file);
    }
    close_atomic(&record);
}

/* KEY-SEED-RUN.run.csv */
void write_run(const study *s, int64_t i)
{
    atomic_file record;
    open_run_record(&record, s, i, "run");
    put_csv_heading(record.file, s);
    put_csv_row(record.file, s, i);
    close_atomic(&record);
}

void patient_hash(const char *id, char hash[patient_hash_size])
{
    char hex[65];
    peft_sha256(id, strlen(id), hex);
    snprintf(hash, patient_hash_size, "%.16s", hex);
}

/* Nothing for an image of no known patient. */
static void put_patient(FILE *f, const char *id)
{
    char hash[patient_hash_size] = "";
    if (id) patient_hash(id, hash);
    fprintf(f, ",%s", hash);
}

/* KEY-SEED-RUN.test.csv */
static void put_test(FILE *f, const study *s, const evaluation *ev)
{
    int64_t classes = peft_dataset_classes(ev->test);
    fputs("name,index,true", f);
    for (int64_t c = 0; c < classes; c++) {
        fputc(',', f);
        put_csv_field(f, peft_dataset_class_name(ev->test, c));
    }
    if (peft_dataset_has_groups(ev->test)) fputs(",patient", f);
    for (int64_t i = 0; i < peft_dataset_count(ev->test); i++) {
        fputc('\n', f);
        put_csv_field(f, s->per_case ? case_name(ev->test, i) : peft_dataset_name(ev->test, i));
        fprintf(f, ",%lld,%lld", (long long)i, (long long)peft_dataset_label(ev->test, i));
        for (int64_t c = 0; c < classes; c++) fprintf(f, "," RECORDED_SCORE, ev->scores[i * classes + c]);
        if (peft_dataset_has_groups(ev->test)) put_patient(f, peft_dataset_group(ev->test, i));
    }
    fputc('\n', f);
}

void write_records(const study *s, int64_t i, const evaluation *ev)
{
    atomic_file test;
    write_curve(s, i, ev->curve, ev->epochs);
    open_run_record(&test, s, i, "test");
    put_test(test.file, s, ev);
    close_atomic(&test);
    write_run(s, i);
}
