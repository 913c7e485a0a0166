/* SPDX-License-Identifier: Apache-2.0
 * command_line.c -- predict's flags, and the checks of them before anything is read (command_line.h). */
#include "command_line.h"
#include "common/files/output.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

flag given[] = { FLAGS(FLAG_ROW) };

void check_inputs(int arguments, char *const *argument)
{
    if (!given[backbone].value || (!arguments && !given[data].value))
        fail("--backbone and at least one picture, or --data, are required; see --help");
    if (arguments && given[data].value)
        fail("--data: predicts the pictures of a data set; leave '%s' out, or leave --data out", argument[0]);
    if (!given[data].value && (given[split].value || (given[table].value && !given[source].value)))
        fail("--split and --table: are for --data; give it too");
}

adaptation adaptation_of_flags(void)
{
    const int only_adapting[] = { batch, source, source_images, seed, state };
    const char *const inputs[] = { given[backbone].value, given[model].value, given[source].value };
    for (size_t i = 0; i < sizeof only_adapting / sizeof *only_adapting; i++)
        if (!given[adapt].value && given[only_adapting[i]].source != FROM_DEFAULT)
            fail("--%s: is for adapting alone; give --adapt KIND too", name_of_flag(&given[only_adapting[i]]).text);
    if (given[adapt].value && given[compute].source != FROM_DEFAULT)
        fail("--compute: with --adapt it is an option of the kind; give --adapt KIND,compute=%s", given[compute].value);
    adaptation a = { .kind = given[adapt].value, .source = given[source].value, .state = given[state].value,
                     .table = given[table].value };
    if (!a.kind) return a;
    a.batch = flag_whole(&given[batch], 1, most_in_batch);
    a.source_images = flag_integer(&given[source_images]);
    a.seed = (uint64_t)flag_integer(&given[seed]);
    check_kind_of("adapt", a.kind, NULL);
    const bool replace = true;                                /* restore reads an existing file, and refuses others */
    if (a.state) {
        const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
        check_output("state", a.state, replace, inputs, 3);
        check_not_input("state", a.state, &in);
    }
    a.resumed = a.state && !access(a.state, F_OK);
    return a;
}

/* Does the path end in one of these endings, separated by blanks? */
static bool ends_in(const char *path, const char *endings)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    const size_t length = dot ? strlen(dot) : 0;
    for (const char *e = endings; length && (e = strcasestr(e, dot)); e += length)
        if (e[length] == ' ' || !e[length]) return true;
    return false;
}

/* The format that the ending of --out stands for, where no flag names one. */
static table_format format_of_ending(const char *path)
{
    if (ends_in(path, ".tsv .tab"))
        fail("--out %s: a table has commas or semicolons between its columns; give FILE.csv, or --format csv with this "
             "name", path);
    if (ends_in(path, ".json"))
        fail("--out %s: has an object on each line; give FILE.jsonl, or --format jsonl with this name", path);
    return ends_in(path, ".jsonl .ndjson") ? FORMAT_JSONL : FORMAT_CSV;
}

table_format format_of_flags(void)
{
    const char *name = given[format].value, *path = given[out].value;
    if (path && ends_in(path, ".xlsx .xls .ods"))
        fail("--out %s: predict writes no spreadsheets; give FILE.csv, which spreadsheet programs open", path);
    if (given[csv].value && name && strcmp(name, "csv")) fail("--csv and --format %s: give one of them", name);
    if (given[csv].value) return FORMAT_CSV;
    if (!name) return path ? format_of_ending(path) : FORMAT_TEXT;
    if (path && read_format(name) == FORMAT_TEXT)
        fail("--format text: is for the terminal; give csv or jsonl with --out");
    return read_format(name);
}

line_kind lines_of_flags(void)
{
    if (!given[per_case].value) return LINE_OF_IMAGE;
    if (parse_case_rule(given[per_case].value, true) != CASE_ATTENTION) return LINE_OF_CASE;
    if (!given[model].value) fail("--per-case attention: give --model, the file that finetune wrote with this flag");
    if (given[adapt].value)
        fail("--adapt: predicts images, and has no features of them; with it give --per-case mean or max");
    return LINE_OF_ATTENTION;
}

static bool has_true_masks(void) { return given[masks].value || given[mask_options].value; }

bool can_resume(void)
{
    return given[out].value && !given[per_case].value && !given[adapt].value && !has_true_masks();
}

/* Ends the program if path is one of the files that it reads. */
static void check_table_path(const char *flag, const char *path, bool replace, int arguments, char *const *argument)
{
    const char *const flags_read[] = { given[backbone].value, given[model].value, given[source].value,
                                       given[state].value, given[data].value, given[masks].value };
    enum { FLAGS_READ = sizeof flags_read / sizeof *flags_read };
    const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
    const char **read = check_alloc(malloc((size_t)(FLAGS_READ + arguments) * sizeof *read));
    for (int i = 0; i < FLAGS_READ + arguments; i++)
        read[i] = i < FLAGS_READ ? flags_read[i] : argument[i - FLAGS_READ];
    check_output(flag, path, replace, read, FLAGS_READ + arguments);
    check_not_input(flag, path, &in);
    free(read);
}

void check_table_flags(int arguments, char *const *argument)
{
    const char *path = given[out].value;
    const bool replace_part = true;                           /* it is asked for below */
    char *part;
    const bool writes = path || given[save_masks].value || given[save_overlays].value
                        || given[save_segmentations].value || given[case_figures].value;
    if ((!path && given[resume].value) || (!writes && given[force].value))
        fail("--%s: is for a table in a file; give --out FILE too", given[resume].value ? "resume" : "force");
    if (given[case_figures].value)
        check_table_path("case-figures", given[case_figures].value, given[force].value, arguments, argument);
    if (!path) return;
    if (given[resume].value && has_true_masks())
        fail("--resume: figures of masks need all pictures; leave --masks and --mask-options, or --resume out");
    if (given[resume].value && given[per_case].value)
        fail("--resume: a case needs the probabilities of all its pictures; predict without --resume");
    if (given[resume].value && given[adapt].value)
        fail("--resume: predictions with --adapt depend on the pictures before; give --state FILE to go on with what "
             "was learned");
    if (asprintf(&part, "%s.part", path) < 0) fail("out of memory");
    if (given[resume].value && !given[force].value && !access(path, F_OK) && access(part, F_OK))
        fail("--resume: %s is complete: there is no %s of a run that was stopped; give --force to predict again", path,
             part);
    check_table_path("out", path, given[force].value, arguments, argument);
    check_table_path("out", part, replace_part, arguments, argument);
    if (!given[resume].value && !given[force].value && !access(part, F_OK))
        fail("--out: %s is of a run that was stopped; give %s--force to begin again", part,
             can_resume() ? "--resume to go on with it, or " : "");
    free(part);
}

/* Names what the model has stored and is left out, and the cure. */
static void warn_of_decisions(const loaded_model *s)
{
    const bool sets = s->sets.coverage > 0;
    warn("--%s: the model's %s for %s and are not applied%s", given[adapt].value ? "adapt" : "per-case",
         !s->how.stored ? "prediction sets were fitted" : sets ? "thresholds and prediction sets were chosen"
         : "thresholds were chosen", given[adapt].value ? "the model as it was trained" : "single images",
         s->how.stored && !given[threshold].value ? "; give --threshold NAME=VALUE" : "");
}

void choose_decisions(loaded_model *s)
{
    const bool other = given[per_case].value || given[adapt].value;
    if (other && (s->how.stored || s->sets.coverage > 0)) {
        warn_of_decisions(s);
        free_decision(&s->how);
        s->how = plain_decision(s->classes, s->multilabel);
        free_set_rule(&s->sets);
        s->sets = (set_rule){ .classes = s->classes };
    }
    if (given[threshold].value && s->sets.coverage > 0)
        warn("--threshold: the class that it decides may lie outside the model's prediction set, which is made of the "
             "probabilities alone (docs/predict.md)");
    if (given[threshold].value) set_thresholds(&s->how, given[threshold].value, s->names, "threshold");
}
