/* SPDX-License-Identifier: Apache-2.0
 * card_data.c -- the part of a model card on its images: how many of which class and of how many patients, where they
 * lie, and digests by which they can be told later (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include <math.h>
#include <string.h>

static double files_of(const json *set)
{
    const json *files = json_member(set, "files");
    return files && files->kind == JSON_LIST ? (double)files->count : NAN;
}

/* Are images slices of files, of which the record lists each once? */
static bool has_slices(const model_card *c)
{
    bool any = false;
    for (int i = 0; i < 3; i++) any |= files_of(c->data[i]) < number_in(c->data[i], "images");
    return any;
}

/* Classes of images that are few. Where masks have the classes, images may be of none, as those of a folder without
 * folders of classes. */
static int64_t listed_classes(const model_card *c)
{
    const bool none = c->classes == 1 && !strcmp(c->class_name[0], "unlabelled");
    return none || c->classes > most_listed ? 0 : c->classes;
}

/* A table with a row for each set: images, files of slices, patients, and images of each class. */
static void put_sets(page *p, const model_card *c)
{
    const int64_t listed = listed_classes(c);
    const bool slices = has_slices(c);
    table *t = new_table("Images and patients", "Images of");
    add_number_column(t, slices ? "Images (slices)" : "Images", WHOLE);
    if (slices) add_number_column(t, "Files", WHOLE);
    add_number_column(t, "Patients", WHOLE);
    for (int64_t k = 0; k < listed; k++) add_number_column(t, c->class_name[k], WHOLE);
    for (int i = 0; i < 3; i++) {
        const json *d = c->data[i];
        if (!d) continue;
        add_row(t, card_set_name[i]);
        add_number(t, number_in(d, "images"));
        if (slices) add_number(t, files_of(d));
        add_number(t, number_in(d, "patients"));
        for (int64_t k = 0; k < listed; k++) add_number(t, number_in(json_member(d, "classes"), c->class_name[k]));
    }
    put_table(p, t);
}

/* Of many classes a table with a row for each. */
static void put_classes(page *p, const model_card *c)
{
    table *t = new_table("Images of each class", "Class");
    for (int i = 0; i < 3; i++) add_number_column(t, card_set_name[i], WHOLE);
    for (int64_t k = 0; k < c->classes; k++) {
        add_row(t, c->class_name[k]);
        for (int i = 0; i < 3; i++) add_number(t, number_in(json_member(c->data[i], "classes"), c->class_name[k]));
    }
    begin_values(p->f, c, "Images of each class");
    put_table(p, t);
    end_values(p->f, c);
}

void put_data_part(page *p, const model_card *c)
{
    put_sets(p, c);
    if (c->classes > most_listed) put_classes(p, c);
    fputs("<dl class=\"sets\">\n", p->f);
    for (int i = 0; i < 3; i++) {
        const json *d = c->data[i];
        const char *source = json_text_of(d, "source");
        put_term(p->f, card_set_name[i]);
        if (d) {
            put_coded(p->f, json_text_of(d, "path"));
            if (source) {
                fputs(": ", p->f);
                put_escaped(p->f, source);
            }
            fputs("<br><small>labels ", p->f);
            put_coded(p->f, json_text_of(d, "digest"));
            fputs("<br>contents ", p->f);
            const char *contents = json_text_of(d, "content_sha256"), *file = json_text_of(d, "path_sha256");
            put_coded(p->f, contents ? contents : file);
            fputs("</small>", p->f);
        } else fputs("none", p->f);
        fputs("</dd>\n", p->f);
    }
    fputs("</dl>\n", p->f);
}
