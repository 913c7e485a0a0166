/* SPDX-License-Identifier: Apache-2.0
 * aggregate.c -- joins the files that several sites have trained from the same start into the next global file. Reads
 * no backbone and no images. */
#include "common/federated/rules.h"
#include "common/files/output.h"
#include "common/files/text_file.h"
#include "common/flags/flags.h"
#include "common/program/errors.h"
#include "common/record/json_read.h"
#include "common/record/record.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FLAGS(X) \
    X(start, "PATH", NULL, "the global file that the sites began with; without it the sites are compared with the " \
      "first of them") \
    X(out, "PATH", NULL, "required: the next global file") \
    AGGREGATION_FLAGS(X) \
    X(force, NULL, NULL, "overwrite --out if it exists")
enum { FLAGS(FLAG_ID) flags };
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--start GLOBAL --out NEXT [options] SITE[:SAMPLES] ...",
    "Joins the models that several sites have trained from the same start into the next global one: a round of\n"
    "federated training by files. A site counts by the number of its training images, which is read from the record\n"
    "beside its file (SITE.record.json) if it is not given.",
    "  aggregate --start global.peft --out next.peft a.peft:120 b.peft:40\n"
    "  aggregate --start global.peft --out next.peft --lora product site*.peft" };

/* The training images that the record beside a model states; ends the program if there is no such record. */
static double samples_of_record(const char *model)
{
    char *path = record_path(model), *text = read_text_file(path, NULL), hex[65];
    json *record = text ? json_parse(text) : NULL;
    const json *training = json_member(json_member(record, "data"), "training");
    const char *sum = json_text_of(json_member(record, "model"), "sha256"), *images = json_text_of(training, "images");
    if (!text) fail("%s: give the number of its training images, %s:N, as there is no record %s", model, model, path);
    if (!json_is_record(record) || !images)
        fail("%s: is no training record; give the number of training images, %s:N", path, model);
    if (!hash_file(model, hex) || !sum || strcmp(sum, hex))
        fail("%s: is the record of another file than %s; give the number of training images, %s:N", path, model, model);
    const double samples = atof(images);
    json_free(record);
    free(text);
    free(path);
    return samples;
}

/* The file of a site. found: it exists, with this identity. */
typedef struct site { char *path; double samples; bool found; struct stat file; } site;

/* Splits "PATH:SAMPLES" or "PATH"; *path is to be freed. */
static double read_site(const char *word, char **path)
{
    const char *colon = strrchr(word, ':');
    const bool number = colon && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")];
    *path = check_alloc(number ? strndup(word, (size_t)(colon - word)) : strdup(word));
    return number ? atof(colon + 1) : samples_of_record(*path);
}

/* Adds the sites; returns their training images. */
static double add_sites(peft_aggregator *a, const site *s, int count)
{
    double images = 0;
    for (int i = 0; i < count; i++) {
        must(peft_aggregator_add(a, s[i].path, s[i].samples));
        printf("%s: %.0f images\n", s[i].path, s[i].samples);
        images += s[i].samples;
    }
    return images;
}

/* The sites of the command line, to be freed; ends the program if one is given twice, also by another name. */
static site *read_sites(char **words, int count)
{
    site *s = check_alloc(calloc((size_t)(count > 0 ? count : 0) + 1, sizeof *s));
    for (int i = 0; i < count; i++) {
        s[i].samples = read_site(words[i], &s[i].path);
        s[i].found = !stat(s[i].path, &s[i].file);
        for (int k = 0; k < i; k++)
            if (!strcmp(s[i].path, s[k].path) || (s[i].found && s[k].found && s[i].file.st_dev == s[k].file.st_dev &&
                                                  s[i].file.st_ino == s[k].file.st_ino))
                fail("%s: is given twice (%s); give each site once", s[i].path, s[k].path);
    }
    return s;
}

/* Ends the program if --out cannot be written, or is the start or a site's file. */
static void check_next(const site *s, int count)
{
    const char **inputs = check_alloc(calloc((size_t)(count > 0 ? count : 0) + 1, sizeof *inputs));
    inputs[0] = given[start].value;
    for (int i = 0; i < count; i++) inputs[i + 1] = s[i].path;
    check_output("out", given[out].value, given[force].value != NULL, inputs, count + 1);
    free(inputs);
}

int main(int argc, char **argv)
{
    program_name = "aggregate";
    const int first = read_flags(given, flags, &about, argc, argv);
    peft_context *ctx;
    peft_aggregator *a;
    if (!given[out].value) fail("--out is required; see --help");
    if (first == argc) fail("expected the files of sites, SITE.peft:SAMPLES; see --help");
    const int sites = argc - first;
    site *s = read_sites(argv + first, sites);
    check_next(s, sites);
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    peft_options *o = aggregation_options(ctx, given + lora, 0);
    must(peft_aggregator_create(ctx, o, &a));
    peft_options_free(o);
    if (given[start].value) must(peft_aggregator_start(a, given[start].value));
    const double images = add_sites(a, s, sites);
    must(peft_aggregator_write(a, given[out].value));
    printf("%s: %zu sites, %.0f images, %zu bytes of values received\n", given[out].value, peft_aggregator_sites(a),
           images, peft_aggregator_received(a));
    if (given[noise].value) puts("noise: each site counts the same; drift and update below are not protected by it");
    printf("drift %.6g", peft_aggregator_drift(a));
    if (given[start].value) printf(", update %.6g", peft_aggregator_update(a));
    if (given[clip].value) printf(", %zu sites clipped", peft_aggregator_clipped(a));
    putchar('\n');
    for (int i = 0; i < sites; i++) free(s[i].path);
    free(s);
    peft_aggregator_free(a);
    peft_context_free(ctx);
    return 0;
}
