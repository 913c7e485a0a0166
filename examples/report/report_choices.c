/* SPDX-License-Identifier: Apache-2.0
 * report_choices.c -- writes a table of the settings that compare --tune chose, for studies that have it. */
#include "common/figures/svg.h"
#include "common/program/errors.h"
#include "report_parts.h"
#include <stdlib.h>
#include <string.h>

/* Does run a of the method have the choice of run b? */
static bool same_choice(const method *m, int64_t a, int64_t b)
{
    return m->run[a].done && m->run[b].done && !strcmp(m->run[a].chosen, m->run[b].chosen);
}

static bool first_of_choice(const method *m, int64_t i)
{
    for (int64_t k = 0; k < i; k++) if (same_choice(m, k, i)) return false;
    return m->run[i].done && *m->run[i].chosen;
}

/* Writes a row for each choice of a method, with the number of its runs; returns whether there is one. f NULL: no
 * rows. */
static bool put_method(FILE *f, const study *s, const method *m)
{
    bool any = false;
    for (int64_t i = 0; i < s->runs; i++) {
        int64_t count = 0;
        if (!first_of_choice(m, i)) continue;
        any = true;
        if (!f) continue;
        for (int64_t k = i; k < s->runs; k++) count += same_choice(m, k, i);
        fputs("<tr><th scope=\"row\">", f);
        put_escaped(f, m->label);
        fputs("</th><td data-of=\"Chosen\"><span>", f);
        put_escaped(f, m->run[i].chosen);
        fprintf(f, "</span></td><td data-of=\"Runs\"><span>%lld</span></td></tr>\n", (long long)count);
    }
    return any;
}

void put_choices(FILE *f, const study *s)
{
    bool any = false;
    for (int64_t m = 0; m < s->methods; m++) any = put_method(NULL, s, &s->method[m]) || any;
    if (!any) return;
    fputs("<h3>Chosen settings</h3>\n<p class=\"small\">These methods were trained with settings that were chosen in "
          "each run by folds of its training images; the test images took no part. The time of a run contains the "
          "choice.</p>\n<div class=\"scroll\"><table class=\"results\">\n<thead><tr><th scope=\"col\">Method</th>"
          "<th scope=\"col\">Chosen</th><th scope=\"col\">Runs</th></tr></thead>\n<tbody>\n", f);
    for (int64_t m = 0; m < s->methods; m++) put_method(f, s, &s->method[m]);
    fputs("</tbody></table></div>\n", f);
}
