/* SPDX-License-Identifier: Apache-2.0
 * report_cases.c -- held-out images that the best method got right and wrong in one of its runs, with what it thought
 * of them. The images are drawn anew, as compare drew them; where the data are not at hand, names stand for them. */
#include "common/data/data.h"
#include "common/figures/svg.h"
#include "common/program/errors.h"
#include "report_parts.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { most_cases = 6, side = 96 };

static double confidence(const study *s, const run *r, int64_t i) { return r->score[i * s->classes + decide(s, r, i)]; }

/* The most confident ones, a class after the other. out [most_cases]; how many. */
static int64_t pick_cases(const study *s, const run *r, bool right, int64_t *out)
{
    int64_t n = 0, *taken = need(calloc((size_t)s->classes, sizeof *taken));
    bool *used = need(calloc((size_t)r->images, sizeof *used));
    for (; n < most_cases; n++) {
        int64_t best = -1;
        for (int64_t i = 0; i < r->images; i++) {
            if (used[i] || (decide(s, r, i) == r->label[i]) != right) continue;
            int64_t more = best < 0 ? -1 : taken[r->label[i]] - taken[r->label[best]];
            if (more < 0 || (!more && confidence(s, r, i) > confidence(s, r, best))) best = i;
        }
        if (best < 0) break;
        used[best] = true;
        taken[r->label[best]]++;
        out[n] = best;
    }
    free(taken);
    free(used);
    return n;
}

/* The run's held-out images; NULL: the data are not there. Fails if they are others than those recorded. */
static peft_dataset *open_images(const study *s, const run *r)
{
    const char *data = fact(s, "data"), *other = fact(s, "test");
    if (!data || access(data, R_OK) || (other && access(other, R_OK))) return NULL;
    peft_dataset *train, *test;
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    draw_sets(ctx, data, other, count_fact(s, "shots"), count_fact(s, "test_per_class"), r->draw_seed, &train, &test);
    peft_context_free(ctx);
    peft_dataset_free(train);
    bool same = peft_dataset_count(test) == r->images;
    for (int64_t i = 0; same && i < r->images; i++)
        same = peft_dataset_label(test, i) == r->label[i] && !strcmp(peft_dataset_name(test, i), r->name[i]);
    if (!same) fail("%s: the data have changed since the records in %s were made", data, s->folder);
    return test;
}

static void put_thumbnail(FILE *f, const study *s, const run *r, int64_t i, peft_dataset *images)
{
    peft_image *im;
    if (!images) return;
    must(peft_dataset_load(images, i, &im));
    bool tiny = peft_image_width(im) <= side && peft_image_height(im) <= side;
    fprintf(f, "<div class=\"pic\"><img%s alt=\"held-out image %lld, ", tiny ? " class=\"tiny\"" : "", (long long)i);
    put_escaped(f, s->class_name[r->label[i]], 0);
    fputs("\" src=\"", f);
    put_image_uri(f, im, side);
    fputs("\"></div>\n", f);
    peft_image_free(im);
}

static void put_shares(FILE *f, const study *s, const run *r, int64_t i)
{
    fputs("<ul class=\"shares\" aria-label=\"probabilities\">\n", f);
    for (int64_t c = 0; c < s->classes; c++) {
        double p = 100 * r->score[i * s->classes + c];
        fprintf(f, "<li%s><span>", c == r->label[i] ? " class=\"true\"" : "");
        put_escaped(f, s->class_name[c], 0);
        fprintf(f, "</span><i><b style=\"width:%.1f%%\"></b></i><span>%.1f %%</span></li>\n", p, p);
    }
    fputs("</ul>\n", f);
}

static void put_case(FILE *f, const study *s, const run *r, int64_t i, peft_dataset *images)
{
    const char *slash = strrchr(r->name[i], '/');
    fputs("<div class=\"case\">\n<div class=\"top\">", f);
    put_thumbnail(f, s, r, i, images);
    fputs("<dl><dt>true</dt><dd>", f);
    put_escaped(f, s->class_name[r->label[i]], 0);
    fputs("</dd><dt>predicted</dt><dd>", f);
    put_escaped(f, s->class_name[decide(s, r, i)], 0);
    fputs("</dd><dt>", f);
    put_escaped(f, slash ? slash + 1 : r->name[i], 40);
    fputs("</dt></dl></div>\n", f);
    put_shares(f, s, r, i);
    fputs("</div>\n", f);
}

static void put_group(FILE *f, const study *s, const run *r, bool right, peft_dataset *images)
{
    int64_t picked[most_cases], n = pick_cases(s, r, right, picked), all = 0;
    for (int64_t i = 0; i < r->images; i++) all += (decide(s, r, i) == r->label[i]) == right;
    fprintf(f, "<h4>%s: %lld of %lld</h4>\n<div class=\"grid narrow\">\n", right ? "Right" : "Wrong", (long long)all,
            (long long)r->images);
    for (int64_t k = 0; k < n; k++) put_case(f, s, r, picked[k], images);
    fputs("</div>\n", f);
}

void put_cases(FILE *f, const study *s)
{
    const method *m = best_method(s);
    const run *r = m->run;
    while (!r->done) r++;                                     /* best_method has a run that is done */
    peft_dataset *images = open_images(s, r);
    if (!images)
        fprintf(stderr, "%s: %s is not at hand: no images of the study in %s\n", program_name, fact(s, "data"),
                s->folder);
    fputs("<h3>Single images</h3>\n<p class=\"small\">Of draw ", f);
    fprintf(f, "%lld, run %lld of the method with the best balanced accuracy, ", (long long)r->draw,
            (long long)r->number);
    put_escaped(f, m->label, 0);
    fputs(": those it was surest of, the classes in turn. The true class is set bold.</p>\n", f);
    put_group(f, s, r, false, images);
    put_group(f, s, r, true, images);
    peft_dataset_free(images);
}
