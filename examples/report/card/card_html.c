/* SPDX-License-Identifier: Apache-2.0
 * card_html.c -- writes pairs of terms and descriptions, and folds values of many classes (card.h). */
#include "card.h"
#include "common/figures/svg.h"

void put_term(FILE *f, const char *term) { fprintf(f, "<dt>%s</dt><dd>", term); }

void put_fact(FILE *f, const char *term, const char *text)
{
    put_term(f, term);
    put_escaped(f, text ? text : "not recorded");
    fputs("</dd>\n", f);
}

void put_coded(FILE *f, const char *text)
{
    if (!text) {
        fputs("not recorded", f);
        return;
    }
    fputs("<code>", f);
    put_escaped(f, text);
    fputs("</code>", f);
}

void begin_values(FILE *f, const model_card *c, const char *title)
{
    if (c->classes > most_listed)
        fprintf(f, "<p class=\"small\">%s: %lld, not printed</p>\n<figure><details><summary>%s</summary>\n", title,
                (long long)c->classes, title);
}

void end_values(FILE *f, const model_card *c)
{
    if (c->classes > most_listed) fputs("</details></figure>\n", f);
}
