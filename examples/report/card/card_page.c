/* SPDX-License-Identifier: Apache-2.0
 * card_page.c -- writes a model card as one page (card.h). */
#include "card.h"
#include "common/figures/svg.h"
#include <string.h>

/* has NULL: the part is on every card. */
typedef struct part {
    const char *id, *title;
    void (*put)(page *p, const model_card *c);
    bool (*has)(const model_card *c);
} part;
static const part wide[] = { { "limits", "Limits", put_limits_part, NULL },
                             { "figures", "Figures on the test images", put_figures_part, NULL } };
static const part left[] = { { "confusion", "Confusion matrix", put_confusion_part, NULL },
                             { "folds", "Folds of the training images", put_folds_part, has_folds },
                             { "data", "Images", put_data_part, NULL } };
static const part right[] = { { "decision", "How it decides", put_decision_part, NULL },
                              { "model", "Model", put_model_part, NULL },
                              { "training", "Training", put_training_part, NULL },
                              { "preprocessing", "Preprocessing", put_preprocessing_part, NULL } };

static void put_parts(page *p, const model_card *c, const part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].has && !parts[i].has(c)) continue;
        fprintf(p->f, "<section id=\"%s\">\n<h2>%s</h2>\n", parts[i].id, parts[i].title);
        parts[i].put(p, c);
        fputs("</section>\n", p->f);
    }
}

static void put_purpose(FILE *f, const card_texts *texts)
{
    fprintf(f, "<section id=\"purpose\">\n<h2>Purpose</h2>\n<p%s>",
            texts->purpose ? " class=\"note\" role=\"note\"" : "");
    put_escaped(f, texts->purpose ? texts->purpose : "Not stated: what the model is for, and for whom, says --note.");
    fputs("</p>\n", f);
    if (texts->date) {
        fputs("<p class=\"small\">Date of this card: ", f);
        put_escaped(f, texts->date);
        fputs("</p>\n", f);
    }
    fputs("</section>\n", f);
}

void put_card(page *p, FILE *f, const model_card *c, const card_texts *texts, bool local_numbers)
{
    const char *slash = strrchr(c->model, '/');
    char title[256];
    snprintf(title, sizeof title, "Model card of %.200s", slash ? slash + 1 : c->model);
    p->f = f;
    put_head(f, texts->title ? texts->title : title, local_numbers);
    fputs("<main id=\"content\" class=\"card\">\n", f);
    put_purpose(f, texts);
    put_parts(p, c, wide, sizeof wide / sizeof *wide);
    fputs("<div class=\"left\">\n", f);
    put_parts(p, c, left, sizeof left / sizeof *left);
    fputs("</div>\n<div class=\"right\">\n", f);
    put_parts(p, c, right, sizeof right / sizeof *right);
    fputs("</div>\n", f);
    put_foot(f, texts->command, local_numbers);
}
