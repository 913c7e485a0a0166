/* SPDX-License-Identifier: Apache-2.0
 * report_choices.c -- writes a table of the settings that compare --tune chose, for studies that have it. */
#include "report_parts.h"
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

/* Adds a row for each choice of a method, with the number of its runs. */
static void add_choices(table *t, const study *s, const method *m)
{
    for (int64_t i = 0; i < s->runs; i++) {
        int64_t count = 0;
        if (!first_of_choice(m, i)) continue;
        for (int64_t k = i; k < s->runs; k++) count += same_choice(m, k, i);
        add_row(t, m->label);
        add_text(t, m->run[i].chosen);
        add_number(t, (double)count);
    }
}

void put_choices(page *p, const study *s)
{
    table *t = new_table("Settings chosen by folds of the training images", "Method");
    add_number_column(t, "Chosen", 0);
    add_number_column(t, "Runs", 0);
    for (int64_t m = 0; m < s->methods; m++) add_choices(t, s, &s->method[m]);
    if (!t->rows) {
        free_table(t);
        return;
    }
    fputs("<p class=\"small\">These methods were trained with settings that were chosen in each run by folds of its "
          "training images; the test images took no part. The time of a run contains the choice.</p>\n", p->f);
    put_table(p, t);
}
