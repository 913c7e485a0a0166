/* SPDX-License-Identifier: Apache-2.0
 * compare.c -- compares fine-tuning methods by the EPT paper's protocol: trains every entry of a list on several
 * few-shot draws of the training images, with several seeds for each draw, and evaluates it on held-out images. Each
 * run is a process with one thread. Ctrl-C keeps the finished runs; --resume continues with the others. */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/outputs/input_files.h"
#include "common/program/clock.h"
#include "common/flags/command.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/progress_line.h"
#include "common/segment/figures/spacing.h"
#include "common/segment/mask_sets.h"
#include "compare_jobs.h"
#include "compare_study.h"
#include "segment/segment.h"
#include "tuning/choice.h"
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: pretrained Vision Transformer, a safetensors file, a file of PyTorch " \
      "(.pth), the index of a model in several files, a folder with one of these, or a .npz file of Google's ViT") \
    DATA_FLAGS(X) \
    MASK_FLAGS(X) \
    SPACING_FLAG(X) \
    CASE_FLAG(X) \
    X(methods, "FILE", NULL, "required: text file with one entry to compare on each line, `label: flags`, with any " \
      "of the flags listed below from --method on; --method probe is a classifier on the features of the backbone, " \
      "with --options kind=knn, prototypes or logistic") \
    X(shots, "N", "10", "training images (with --all-slices: files) per class in each draw (0: all)") \
    X(test_per_class, "N", "0", "test images (with --all-slices: files) per class (0: all)") \
    X(samplings, "N", "5", "number of random draws of the training images") \
    X(runs, "N", "4", "runs for each draw, with different initial values and image order") \
    X(seed, "N", "1", "seed of the first draw; the next draws use the next numbers") \
    X(jobs, "N", NULL, "runs at the same time; without it one for each core") \
    X(csv, "FILE", "compare.csv", "results, one row for each run, added when the run ends") \
    X(summary, "FILE", "compare-summary.csv", "means and standard deviations of each entry") \
    X(svg, "FILE", "compare.svg", "chart of the results") \
    X(records, "DIR", NULL, "folder for every run's probabilities and learning curve, which report reads") \
    X(title, "TEXT", NULL, "title of the study in report; without it the name of --data") \
    X(note, "TEXT", NULL, "warning or remark that report prints below the title") \
    X(judge_every, "N", "0", "evaluate on the test images every N epochs, for learning curves (0: only at the end)") \
    X(analysis, NULL, NULL, "with --records: analyse features and attention of the test images before and after " \
      "tuning, for report (two more passes through these images in each run)") \
    X(maps, "KINDS", NULL, "with --records: maps of the images that report shows, of the first run of each entry on " \
      "the first draw: some of rollout, ept, cam, occlusion with commas between them, or all (docs/api/maps.md)") \
    X(resume, NULL, NULL, "do the runs that are not yet in --csv") \
    X(force, NULL, NULL, "overwrite --csv, --summary and --svg if they exist") \
    X(unchecked, NULL, NULL, "do not decode every picture before training to find broken ones")
enum { FLAGS(FLAG_ID) own_flags, flags = own_flags + tuned_flags };
static flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) TUNE_FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH --data PATH --methods FILE [options]",
    "Compares fine-tuning methods: trains every entry of a list on the same random draws of few images per class,\n"
    "with several seeds for each draw, evaluates all on the same held-out images, and writes a table, CSV files and\n"
    "a chart. docs/compare.md describes the list file and the columns.",
    "  compare --backbone vit.safetensors --data scans --methods list.txt --shots 10 --samplings 3 --runs 2\n"
    "with list.txt:\n"
    "  linear: --method linear\n"
    "  LoRA:   --method lora --options r=8 --lr 3e-3" };

typedef struct progress {
    study *s;
    double *began;                                            /* start time of each run; 0: not started */
    int64_t jobs;                                             /* runs at a time */
    int64_t left, failed;                                     /* number of runs that have not ended; that failed */
    bool bar;                                                 /* show a progress bar on the terminal */
} progress;

static int64_t at_least_one(int f) { return flag_whole(&given[f], 1, 100000); }

/* Number of cores that this process may use. */
static int64_t cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* Estimates the time left: each run takes the mean time of its entry's finished runs, or else of all finished runs; the
 * sum is divided by the number of jobs. NaN: no run has finished. */
static double seconds_left(const progress *p)
{
    const study *s = p->s;
    double sum = 0, finished_seconds = 0, now = seconds_now();
    int64_t finished = 0;
    for (int64_t i = 0; i < study_size(s); i++)
        if (s->done[i]) finished_seconds += s->result[i].value[result_seconds], finished++;
    for (int64_t i = 0; i < study_size(s); i++) {
        if (s->done[i]) continue;
        moments m = summarise(s, i % s->entries, result_seconds);
        double expected = m.n ? m.mean : finished_seconds / (double)finished;
        double elapsed = p->began[i] > 0 ? now - p->began[i] : 0;
        sum += fmax(0, expected - elapsed);
    }
    return finished ? sum / (double)(p->jobs < p->left ? p->jobs : p->left) : NAN;
}

/* The functions from here to exit_on_failure are hooks of run_jobs (compare_jobs.h); their argument user is the
 * progress. */

/* Redraws the progress bar. */
static void on_tick(void *user)
{
    const progress *p = user;
    if (!p->bar) return;
    int64_t all = study_size(p->s), finished = all - p->left;
    const double seconds = seconds_left(p);
    char left[DURATION_SIZE];
    fprintf(stderr, "\r\033[K");
    if (!p->left) return;
    fprintf(stderr, "[%-30.*s] %lld of %lld runs", (int)(30 * finished / all), "##############################",
            (long long)finished, (long long)all);
    if (isnan(seconds)) return;
    fprintf(stderr, ", %s left", duration_text(left, seconds));
}

static void on_begin(int64_t i, void *user)
{
    ((progress *)user)->began[i] = seconds_now();
}

/* Adds the results of a run to the CSV file and prints them, or prints its failure. */
static void on_done(int64_t i, const char *failure, void *user)
{
    progress *p = user;
    const double *v = p->s->result[i].value;
    p->left--;
    if (p->bar) fprintf(stderr, "\r\033[K");
    if (failure) {
        p->failed++;
        fprintf(stderr, "%s\n", failure);
        return;
    }
    p->s->done[i] = true;
    append_csv(given[csv].value, p->s, i);
    printf("%s, draw %lld, run %lld:", entry_of(p->s, i)->label, (long long)draw_of(p->s, i),
           (long long)run_in_draw(p->s, i));
    if (has_masks(p->s)) printf(" Dice %.1f %%, IoU %.1f %%,", 100 * v[result_dice], 100 * v[result_iou]);
    else if (!isnan(v[result_map])) printf(" mAP %.1f %%,", 100 * v[result_map]);
    else printf(" balanced accuracy %.1f %%,", 100 * v[result_balanced_accuracy]);
    if (!has_masks(p->s)) printf(" macro AUROC %.1f %%,", 100 * v[result_auroc_macro]);
    printf(" %.1f s", v[result_seconds]);
    if (*p->s->chosen[i].text) printf("; chosen: %s", p->s->chosen[i].text);
    putchar('\n');
    fflush(stdout);
}

static void name_run(int64_t i, char *text, size_t size, void *user)
{
    const study *s = ((progress *)user)->s;
    snprintf(text, size, "%s, draw %lld, run %lld", entry_of(s, i)->label, (long long)draw_of(s, i),
             (long long)run_in_draw(s, i));
}

/* The name of a job that is not a run: the path of the list file, with which its errors begin. */
static void name_list(int64_t i, char *text, size_t size, void *user)
{
    (void)i;
    snprintf(text, size, "%s", ((progress *)user)->s->list);
}
static void work_study(int64_t i, void *user) { (void)i; write_study(((progress *)user)->s); }
static void work_run(int64_t i, void *user)
{
    study *s = ((progress *)user)->s;
    (is_probe(entry_of(s, i)) ? perform_probe : perform_run)(s, i);
}
static void work_check(int64_t i, void *user) { (void)i; check_list(((progress *)user)->s); }
static void exit_on_failure(int64_t i, const char *failure, void *user)
{
    (void)i;
    (void)user;
    if (!failure) return;
    fprintf(stderr, "%s\n", failure);
    exit(1);
}

/* Does hooks->work once, in a child process of its own. */
static void run_one_job(const job_hooks *hooks, progress *p)
{
    if (run_jobs(&(int64_t){ 0 }, 1, 1, hooks, p)) fail("stopped before the first run");
}

/* --per-case: sets the rule, and ends the program for flags that do not go with it. */
static void check_case_flags(study *s)
{
    if (!s->per_case) return;
    s->rule = parse_case_rule(s->per_case, false);
    if (s->images.tests)
        fail("--test-per-class: draws images, so that slices of cases are left out; with --per-case leave it out");
    if (s->analysis) fail("--analysis: is of images; with --per-case leave it out");
}

/* --masks: ends the program for flags that do not go with it, and for those of masks without it. */
static void check_mask_flags(const study *s)
{
    const int of_classes[] = { per_case, analysis, maps };
    check_mask_request(&s->images);
    require_masks(s->images.masks, "spacing", s->spacing);
    (void)spacing_of_flag(s->spacing);
    if (!has_masks(s)) return;
    refuse_with_masks(given, of_classes, sizeof of_classes / sizeof *of_classes);
    check_mask_recipe(given + own_flags);
}

/* Makes the study from the flags and the list file. */
static study read_study(void)
{
    study s = { .list = given[methods].value, .backbone = given[backbone].value, .samplings = at_least_one(samplings),
                .images = { DATA_REQUEST, .masks = path_of_masks(given[masks].value, given[mask_options].value),
                            .mask_options = given[mask_options].value, .test_masks = given[test_masks].value,
                            .all_slices = given[all_slices].value != NULL,
                            .shots = flag_integer(&given[shots]), .tests = flag_integer(&given[test_per_class]) },
                .runs = at_least_one(runs), .seed = (uint64_t)flag_integer(&given[seed]) };
    s.records = given[records].value;
    s.spacing = given[spacing].value;
    s.title = given[title].value;
    s.note = given[note].value;
    s.judge_every = flag_integer(&given[judge_every]);
    s.analysis = given[analysis].value;
    s.unchecked = given[unchecked].value;
    s.maps_text = given[maps].value;
    if (s.maps_text) s.maps = kinds_of_maps(s.maps_text);
    s.per_case = given[per_case].value;
    check_case_flags(&s);
    check_mask_flags(&s);
    s.jobs = given[jobs].value ? at_least_one(jobs) : cores();
    if (!s.records && (s.title || s.note || s.judge_every || s.analysis || s.maps_text))
        fail("--title, --note, --judge-every, --analysis and --maps have an effect only with --records DIR; give it, "
             "or leave them out");
    check_recipe_numbers(given + own_flags);
    read_list(&s, given + own_flags);
    s.result = alloc_shared((size_t)study_size(&s) * sizeof *s.result);
    s.chosen = alloc_shared((size_t)study_size(&s) * sizeof *s.chosen);
    s.unit = alloc_shared((size_t)study_size(&s) * sizeof *s.unit);
    s.draw = alloc_shared((size_t)s.samplings * sizeof *s.draw);
    s.trials = path_of_trials(&s, given[csv].value);
    s.fingerprint = alloc_shared(64 + 1);
    s.class_names = alloc_shared(class_names_size);
    s.slot = alloc_shared((size_t)(s.samplings * s.entries) * sizeof *s.slot);
    open_feature_file(&s);
    s.done = check_alloc(calloc((size_t)study_size(&s), sizeof *s.done));
    return s;
}

/* Checks the paths of --records, and of --csv, --summary and --svg, whose flags follow each other in FLAGS and in
 * `others`. Each must differ from the four inputs and from the outputs before it. */
static void check_outputs(const study *s)
{
    enum { inputs = 4 };
    const bool replace = given[force].value || given[resume].value;
    const char *const others[] = { given[backbone].value, given[data].value, given[test].value, given[methods].value,
                                   given[csv].value, given[summary].value, given[svg].value };
    if (!replace && !access(given[csv].value, F_OK))
        fail("--csv %s: exists already; give --resume to continue this study, or --force to overwrite the file",
             given[csv].value);
    if (s->records) check_output_folder("records", s->records);
    for (int f = csv; f <= svg; f++) {
        check_output(given[f].name, given[f].value, replace, others, inputs + (f - csv));
        for (int64_t e = 0; e < s->entries; e++) {
            const char *options = s->entry[e].recipe[recipe_backbone_options].value;
            check_not_input(given[f].name, given[f].value, &(input_files){ given[backbone].value, options, NULL });
        }
    }
}

/* Marks the runs that are done: those with a row in --csv and, with --records, all record files. */
static void read_done(study *s)
{
    read_csv(given[csv].value, s);
    for (int64_t i = 0; s->records && i < study_size(s); i++) {
        s->done[i] = s->done[i] && has_records(s, i);
        if (s->done[i]) read_unit(s, i);
    }
}

int main(int argc, char **argv)
{
    program_name = "compare";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[data].value || !given[methods].value)
        fail("--backbone, --data and --methods are required; see --help");
    study s = read_study();
    s.command = command_line(argc, argv);
    if (!given[resume].value && s.records && has_study(&s))
        fail("--records %s: holds the records of a study; give --resume to continue it, or another folder", s.records);
    progress p = { .s = &s, .jobs = s.jobs, .bar = isatty(STDERR_FILENO) };
    check_outputs(&s);
    const job_hooks check_hooks = { .work = work_check, .name = name_list, .done = exit_on_failure, .echo = true },
                    study_hooks = { .work = work_study, .name = name_list, .done = exit_on_failure },
                    run_hooks = { .work = work_run, .name = name_run, .begin = on_begin, .done = on_done,
                                  .tick = on_tick };
    run_one_job(&check_hooks, &p);
    make_settings(&s);
    begin_columns(&s);
    if (given[resume].value && !access(given[csv].value, F_OK)) read_done(&s);
    else start_csv(given[csv].value, &s, given[force].value);
    if (s.trials) begin_trials(&s, given[resume].value);
    if (s.records) run_one_job(&study_hooks, &p);

    int64_t *todo = check_alloc(calloc((size_t)study_size(&s), sizeof *todo));
    p.began = check_alloc(calloc((size_t)study_size(&s), sizeof *p.began));
    for (int64_t i = 0; i < study_size(&s); i++)
        if (!s.done[i]) todo[p.left++] = i;
    int stopped = run_jobs(todo, p.left, p.jobs, &run_hooks, &p);
    if (p.bar) fputc('\n', stderr);
    read_done(&s);                                            /* the results as the file holds them, rounded */
    print_table(&s);
    print_choices(&s);
    write_summary(given[summary].value, &s);
    write_figure(given[svg].value, &s);
    printf("written: %s, %s, %s", given[csv].value, given[summary].value, given[svg].value);
    if (s.trials) printf(", %s", s.trials);
    putchar('\n');
    free(todo);
    free(p.began);
    free(s.done);
    free(s.trials);
    free_list(&s);
    free((char *)(uintptr_t)s.command);
    if (p.failed) fprintf(stderr, "compare: %lld runs failed; give --resume to repeat them\n", (long long)p.failed);
    if (stopped) fprintf(stderr, "compare: stopped; give --resume to continue with %s\n", given[csv].value);
    return p.failed || stopped;
}
