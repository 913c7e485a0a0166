/* SPDX-License-Identifier: Apache-2.0
 * report.c -- makes one self-contained HTML page (images and CSV files inside, no network, no script unless asked for)
 * of the records that compare --records wrote. The same records and data give the same bytes. */
#include "common/files/output.h"
#include "common/flags/command.h"
#include "common/flags/flags.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "card/card.h"
#include "report_parts.h"
#include <stdlib.h>

#define FLAGS(X) \
    X(out, "FILE", "report.html", "file for the page") \
    X(card, "MODEL", NULL, "make the model card of MODEL, a file that finetune wrote with its training record beside " \
      "it, in place of a page of studies") \
    X(title, "TEXT", NULL, "title of the page; default: Methods compared, of a card Model card of MODEL") \
    X(note, "TEXT", NULL, "with --card: what the model is for") \
    X(date, "TEXT", NULL, "with --card: the date of the card; default: none") \
    X(csv, "NAME", NULL, "write the CSV files of figures and tables into the folder NAME beside the page; default: " \
      "links in the page hold them") \
    X(local_numbers, NULL, NULL, "add a script that writes decimal points or commas as the reader's browser does; " \
      "default: points, and no script") \
    X(force, NULL, NULL, "overwrite --out, and files in the folder --csv, if they exist")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "[options] DIR... | --card MODEL [options]",
    "Makes one HTML page of the folders (DIR) that compare --records wrote: tables with 95 % confidence intervals,\n"
    "learning curves, confusion matrices, reliability diagrams, calibration, and examples of right and wrong\n"
    "predictions; of records with compare --analysis also the features before and after tuning, and maps of the\n"
    "attention that EPT's prompts take. Each figure has its values beside it, as a table and as CSV. --card makes one\n"
    "page on a model: its data, its training, its figures and their limits.",
    "  compare --backbone vit.safetensors --data scans --methods list.txt --records scans.records\n"
    "  report --out scans.html scans.records\n"
    "  report --card scans.safetensors --out card.html --note \"Research only\"" };

/* The parts of a study: an id for links, the studies that have it, the heading, that of a study of cases, and the
 * function that writes it. */
static const struct part {
    const char *id;
    result_kind of;
    const char *title, *of_cases;
    void (*put)(page *p, const study *s);
} parts[] = {
    { "results", OF_ALL, "Results", NULL, put_results },
    { "choices", OF_ALL, "Chosen settings", NULL, put_choices },
    { "differences", OF_ALL, "Differences to the best method", NULL, put_differences },
    { "classes", OF_MASKS, "Figures of each class", NULL, put_class_table },
    { "spread", OF_MASKS, "Dice of each case", NULL, put_dice_chart },
    { "curves", OF_ALL, "Learning curves", NULL, put_curves },
    { "confusion", OF_CLASSES, "Confusion matrices", NULL, put_confusion },
    { "reliability", OF_CLASSES, "Reliability", NULL, put_reliability },
    { "calibration", OF_CLASSES, "Calibration before and after tuning", NULL, put_calibration },
    { "features", OF_CLASSES, "Features before and after tuning", NULL, put_space },
    { "attention", OF_CLASSES, "Attention that prompts take", NULL, put_masses },
    { "single", OF_CLASSES, "Single images", "Single cases", put_cases },
    { "overlays", OF_MASKS, "Best, median and worst case", NULL, put_overlays } };

/* A text in memory that is written as a file. */
typedef struct buffer { FILE *f; char *text; size_t size; } buffer;
static void open_buffer(buffer *b) { b->f = check_alloc(open_memstream(&b->text, &b->size)); }
static void close_buffer(buffer *b) { if (fclose(b->f)) fail("out of memory"); }

/* Appends a part with its heading to body and a link to contents, unless it has nothing to show. */
static void put_part(page *p, const study *s, const struct part *part, FILE *body, FILE *contents)
{
    const char *title = part->of_cases && study_has_cases(s) ? part->of_cases : part->title;
    buffer b;
    open_buffer(&b);
    p->f = b.f;
    part->put(p, s);
    close_buffer(&b);
    if (b.size) {
        const long long study = (long long)p->study;
        fprintf(contents, "<li><a href=\"#study-%lld-%s\">%s</a></li>\n", study, part->id, title);
        fprintf(body, "<h3 id=\"study-%lld-%s\">%s</h3>\n%s", study, part->id, title, b.text);
    }
    free(b.text);
}

static void put_study(page *p, const study *s, const study *all, int64_t studies, FILE *body, FILE *contents)
{
    fprintf(contents, "<li><a href=\"#study-%lld\">", (long long)p->study);
    put_title(contents, s, all, studies);
    fputs("</a>", contents);
    put_study_head(body, s, p->study, all, studies);
    if (best_method(s)) {
        fputs("\n<ul>\n", contents);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            if (parts[k].of & (s->masks ? OF_MASKS : OF_CLASSES)) put_part(p, s, &parts[k], body, contents);
        fputs("</ul>", contents);
    } else {
        fputs("<p>No run is done yet.</p>\n", body);
    }
    fputs("</li>\n", contents);
    put_settings(body, s);
}

/* Writes the page to f. command: report's own command line, for the foot. */
static void put_page(page *p, FILE *f, const study *s, int64_t studies, const char *command)
{
    const bool local = given[local_numbers].value;
    buffer body, contents;
    open_buffer(&body);
    open_buffer(&contents);
    for (int64_t i = 0; i < studies; i++) {
        p->study = i + 1;
        p->tables = 0;
        put_study(p, &s[i], s, studies, body.f, contents.f);
    }
    close_buffer(&body);
    close_buffer(&contents);
    put_head(f, given[title].value ? given[title].value : "Methods compared", local);
    fprintf(f, "<nav aria-label=\"Contents\"><ul>\n%s</ul></nav>\n<main id=\"content\">\n%s", contents.text, body.text);
    put_foot(f, command, local);
    free(body.text);
    free(contents.text);
}

/* Writes the page and the CSV files beside it. */
static void write_page(page *p, const buffer *b)
{
    if (p->csv) write_csv_folder(p, given[out].value);
    must(peft_write_file(given[out].value, b->text, b->size));
    printf("written: %s, %lld KiB\n", given[out].value, (long long)(b->size / 1024));
    if (p->csv) printf("written: %lld files in the folder %s beside it\n", (long long)p->files, p->csv);
    free_page(p);
}

/* Checks the paths of the page, which may not be one of the inputs. */
static void check_paths(const page *p, const char *const *inputs, int count)
{
    check_output("out", given[out].value, given[force].value, inputs, count);
    if (p->csv) check_csv_folder(p, given[out].value, given[force].value);
}

static void write_studies(page *p, char **folders, int64_t studies, const char *command)
{
    study *s = check_alloc(calloc((size_t)studies, sizeof *s));
    check_paths(p, NULL, 0);                                  /* no other option names a file */
    for (int64_t i = 0; i < studies; i++) check_not_record("out", given[out].value, folders[i]);
    for (int64_t i = 0; i < studies; i++) {
        s[i] = read_study(folders[i]);
        read_analyses(&s[i]);
    }
    buffer b;
    open_buffer(&b);
    put_page(p, b.f, s, studies, command);
    close_buffer(&b);
    write_page(p, &b);
    for (int64_t i = 0; i < studies; i++) {
        free_analyses(&s[i]);
        free_study(&s[i]);
    }
    free(s);
    free(b.text);
}

static void write_card(page *p, const char *command)
{
    model_card c = read_card(given[card].value);
    const char *const inputs[] = { c.model, c.record_path };
    const card_texts texts = { given[title].value, given[note].value, given[date].value, command };
    check_paths(p, inputs, 2);
    buffer b;
    open_buffer(&b);
    put_card(p, b.f, &c, &texts, given[local_numbers].value);
    close_buffer(&b);
    write_page(p, &b);
    free_card(&c);
    free(b.text);
}

int main(int argc, char **argv)
{
    program_name = "report";
    char *command = command_line(argc, argv);                 /* before getopt reorders argv */
    const int first = read_flags(given, flags, &about, argc, argv);
    page p = { .csv = given[csv].value };
    if (given[card].value && first < argc)
        fail("'%s': a card is of one model, without folders of records; leave the folders or --card out", argv[first]);
    for (int i = note; i <= date; i++)
        if (given[i].value && !given[card].value)
            fail("--%s: is for a model card; give --card MODEL too, or leave it out", given[i].name);
    if (given[card].value) write_card(&p, command);
    else if (first == argc) fail("no folder given; expected folders that compare --records wrote, or --card MODEL");
    else write_studies(&p, argv + first, argc - first, command);
    free(command);
    return 0;
}
