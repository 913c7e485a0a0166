/* SPDX-License-Identifier: Apache-2.0
 * overlays.c -- shows the best, the median and the worst case of each method: the picture, the predicted classes as
 * transparent areas and the true ones as contours over it. */
#include "common/figures/picture.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "common/segment/figures/spacing.h"
#include "common/segment/palette.h"
#include "report/predictions/pairs.h"
#include "report/report_parts.h"
#include "draw_masks.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { drawing_side = 240 };

/* Truth [height, width] of an image: its classes, -1 where it is not judged; NULL: the data cannot be found. */
typedef struct truth { int64_t width, height; int64_t *label; peft_image *picture; } truth;

/* Ends the program if the true mask has another number of pixels of a class than the records; a slice has a part of its
 * volume's. */
static void check_truth(const study *s, const run *r, const shown_mask *m, const truth *t, const char *name)
{
    const bool slice = r->cases.images[m->at] > 1;
    for (int64_t c = 0; c < s->classes; c++) {
        const int64_t recorded = r->cases.truth[m->at * s->classes + c];
        int64_t pixels = 0;
        for (int64_t i = 0; i < t->width * t->height; i++) pixels += t->label[i] == c;
        if (slice ? pixels > recorded : pixels != recorded)
            fail("%s: its true mask has %lld pixels of class '%s', and the records in %s have %lld; the masks have "
                 "changed: restore them, or move the data away to make a page without images", name, (long long)pixels,
                 s->class_name[c], s->folder, (long long)recorded);
    }
}

/* Ends the program if the picture is not the one that was tested, by its digest and whether its spacing is known. */
static void check_picture(const study *s, const run *r, const shown_mask *m, const peft_image *picture,
                          const char *name)
{
    static const char advice[] = "restore the picture, or move the data away to make a page without images";
    char digest[PICTURE_DIGEST_SIZE];
    const bool known = s->spaced || is_known(spacing_of(picture, (pixel_spacing){ 0 }));
    picture_digest(picture, digest);
    if (*m->digest && strcmp(m->digest, digest))
        fail("%s: the picture differs from the one in the records in %s; %s", name, s->folder, advice);
    if (known != r->cases.millimetres[m->at])
        fail("%s: the spacing of its pixels is %s, and the records in %s have its distances in %s; the picture "
             "differs from the one in the records; %s", name, known ? "known" : "not known", s->folder,
             known ? "px" : "mm", advice);
}

static truth load_truth(const study *s, const run *r, peft_dataset *images, const shown_mask *m)
{
    truth t = { .label = NULL };
    peft_mask *mask;
    if (!images) return t;
    must(peft_dataset_load(images, m->image, &t.picture));
    must(peft_dataset_load_mask(images, m->image, t.picture, &mask));
    t.width = peft_image_width(t.picture);
    t.height = peft_image_height(t.picture);
    if (t.width != m->width || t.height != m->height)
        fail("%s: has %lldx%lld pixels (height x width), and its predicted mask in %s has %lldx%lld; restore the data, "
             "or move them away to make a page without images", peft_dataset_name(images, m->image),
             (long long)t.height, (long long)t.width, s->folder, (long long)m->height, (long long)m->width);
    t.label = check_alloc(malloc((size_t)(t.width * t.height) * sizeof *t.label));
    must(peft_mask_labels(mask, t.label));
    peft_mask_free(mask);
    check_truth(s, r, m, &t, peft_dataset_name(images, m->image));
    check_picture(s, r, m, t.picture, peft_dataset_name(images, m->image));
    return t;
}

/* "Dice 83.1 %, HD95 3.2 px", of the means over classes; class >= 0: of this class. */
static void describe(char *text, size_t size, const run *r, int64_t i, int64_t class)
{
    const case_table *f = &r->cases;
    const int64_t at = i * f->classes + class;
    const double dice = class < 0 ? case_mean(f, CASE_DICE, i) : f->value[CASE_DICE][at];
    const double hd95 = class < 0 ? case_mean(f, CASE_HD95, i) : f->value[CASE_HD95][at];
    int n = isnan(dice) ? snprintf(text, size, "no Dice") : snprintf(text, size, "Dice %.1f %%", 100 * dice);
    const char *unit = f->millimetres[i] ? "mm" : "px";
    if (isfinite(hd95)) snprintf(text + n, size - (size_t)n, ", HD95 %.1f %s", hd95, unit);
    else snprintf(text + n, size - (size_t)n, ", no HD95");
}

/* The end of a path that begins after the last slash. */
static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The picture with its overlay, and below it what is shown. */
static void put_overlay(FILE *f, const study *s, const run *r, const shown_mask *m, peft_dataset *images)
{
    truth t = load_truth(s, r, images, m);
    mask_overlay o = draw_masks(m->label, t.label, m->width, m->height);
    char text[96];
    const double longer = fmax((double)m->width, (double)m->height);
    const double width = drawing_side * (double)m->width / longer, height = drawing_side * (double)m->height / longer;
    describe(text, sizeof text, r, m->at, -1);
    fprintf(f, "<div><svg class=\"overlay\" viewBox=\"0 0 %.6g %.6g\" role=\"img\"><title>%s case: ", width, height,
            m->rank);
    put_escaped(f, text);
    fputs("</title><desc>Areas are predicted, contours are true:", f);
    for (int64_t c = first_counted_class(s->classes); c < s->classes; c++) {
        fputc(' ', f);
        put_escaped(f, s->class_name[c]);
        describe(text, sizeof text, r, m->at, c);
        fprintf(f, " %s;", text);
    }
    fputs("</desc>", f);
    if (t.picture) {
        fprintf(f, "<image width=\"%.6g\" height=\"%.6g\" preserveAspectRatio=\"none\" class=\"cells\" href=\"", width,
                height);
        put_image_uri(f, t.picture, LARGEST_OVERLAY);
        fputs("\"/>", f);
    }
    fprintf(f, "<image width=\"%.6g\" height=\"%.6g\" preserveAspectRatio=\"none\" class=\"cells\" href=\"", width,
            height);
    put_rgb_uri(f, o.rgb, o.alpha, o.width, o.height);
    describe(text, sizeof text, r, m->at, -1);
    fprintf(f, "\"/></svg><p>%c%s: %s<br>", m->rank[0] - 'a' + 'A', m->rank + 1, text);
    put_shortened(f, file_of(images ? peft_dataset_name(images, m->image) : r->name[m->at]), 40);
    fputs("</p></div>\n", f);
    peft_image_free(t.picture);
    free(t.label);
    free_overlay(&o);
}

/* The figures of the shown cases: a row for each case and class. */
static table *figures_of(const study *s, const run *r, const char *title)
{
    table *t = new_table(title, "Case");
    add_number_column(t, "File", 0);
    add_number_column(t, "Class", 0);
    add_number_column(t, "Dice, %", 1);
    add_number_column(t, "IoU, %", 1);
    add_number_column(t, "HD95", 1);
    add_number_column(t, "Surface distance", 1);
    add_number_column(t, "Unit", 0);
    add_number_column(t, "True pixels", WHOLE);
    add_number_column(t, "Predicted pixels", WHOLE);
    for (int64_t k = 0; k < r->shown_masks; k++)
        for (int64_t c = 0; c < s->classes; c++) {
            const case_table *f = &r->cases;
            const int64_t at = r->shown[k].at * s->classes + c;
            const double hd95 = f->value[CASE_HD95][at], distance = f->value[CASE_SURFACE_DISTANCE][at];
            add_row(t, r->shown[k].rank);
            add_text(t, r->name[r->shown[k].at]);
            add_text(t, s->class_name[c]);
            add_number(t, 100 * f->value[CASE_DICE][at]);
            add_number(t, 100 * f->value[CASE_IOU][at]);
            add_number(t, isfinite(hd95) ? hd95 : NAN);
            add_number(t, isfinite(distance) ? distance : NAN);
            add_text(t, f->millimetres[r->shown[k].at] ? "mm" : "px");
            add_number(t, (double)f->truth[at]);
            add_number(t, (double)f->predicted[at]);
        }
    return t;
}

/* The colours of the classes. */
static void put_classes(FILE *f, const study *s)
{
    uint8_t palette[PALETTE_COLOURS * 3];
    class_palette(palette);
    fputs("<ul class=\"legend marks\">\n", f);
    for (int64_t c = first_counted_class(s->classes); c < s->classes && c < PALETTE_COLOURS; c++) {
        fprintf(f, "<li><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\"><title>colour</title><rect width=\"12\" "
                "height=\"12\" fill=\"#%02x%02x%02x\"/></svg>", palette[3 * c], palette[3 * c + 1], palette[3 * c + 2]);
        put_escaped(f, s->class_name[c]);
        fputs("</li>\n", f);
    }
    fputs("</ul>\n", f);
}

static void put_method(page *p, const study *s, const method *m, peft_dataset *images)
{
    const run *r = first_run(s, m);
    if (r && r->shown_masks) {
        char title[192];
        snprintf(title, sizeof title, "Best, median and worst case of %.140s", m->label);
        open_figure(p, NULL);
        put_caption(p, m->label, NULL);
        fputs("<div class=\"overlays\">\n", p->f);
        for (int64_t k = 0; k < r->shown_masks; k++) put_overlay(p->f, s, r, &r->shown[k], images);
        fputs("</div>\n", p->f);
        close_figure(p, figures_of(s, r, title), NULL);
    } else if (r) {
        fputs("<p class=\"small\">", p->f);
        put_escaped(p->f, m->label);
        fputs(": compare records masks of the first run on the first draw, and this run is not done, or has no case "
              "with a class.</p>\n", p->f);
    }
}

void put_overlays(page *p, const study *s)
{
    const run *r = first_run(s, best_method(s));
    peft_dataset *images = open_images(s, r);
    if (!images)
        warn("%s or its masks cannot be read: the page shows no images of the study in %s", study_property(s, "data"),
             s->folder);
    fprintf(p->f, "<p class=\"small\">Of the first run of each method on the first draw: the held-out cases with the "
            "largest, the median and the smallest mean Dice over the classes but the background. Areas are predicted, "
            "contours are those of the true masks%s. HD95 is the mean over the classes that both masks have. Of a "
            "volume it is the slice that masks fill most. Pictures with more than %d pixels a side are reduced.</p>\n",
            images ? "" : ", which cannot be read", LARGEST_OVERLAY);
    put_classes(p->f, s);
    for (int64_t m = 0; m < s->methods; m++) put_method(p, s, &s->method[m], images);
    peft_dataset_free(images);
}
