/* SPDX-License-Identifier: Apache-2.0
 * evaluate_cases.c -- figures by case of predicted masks (evaluate_cases.h), by <peft/segmentation.h>. Slices of a
 * volume are kept until the first picture that is none of it. */
#include "evaluate_cases.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

/* The pictures of the case that is not evaluated yet: slices first .. first + depth - 1 of a file. depth 0: there are
 * none. predicted and truth are maps of classes, or of several labels have 0 and 1 for each, in floats; truth -1: not
 * judged. */
typedef struct open_case {
    char *file, *name, *patient;                              /* file NULL: a picture that is no slice of a volume */
    int64_t first, depth, height, width;
    double spacing[3];                                        /* slices, rows, columns; 0: not known */
    uint8_t *predicted;                                       /* [depth, height, width], or [.., classes] */
    unsigned char *truth;                                     /* the same, of i64 or f32 */
} open_case;

struct case_evaluator {
    peft_context *ctx;
    peft_segmentation *figures;
    peft_options *rule;                                       /* NaN for a class that neither mask has */
    evaluation_rule how;
    case_table table;
    open_case open;
};

static char *copy(const char *text) { return text ? check_alloc(strdup(text)) : NULL; }

case_evaluator *begin_evaluation(peft_context *ctx, const char *const *class_name, int64_t classes,
                                 const evaluation_rule *rule)
{
    case_evaluator *e = check_alloc(calloc(1, sizeof *e));
    *e = (case_evaluator){ .ctx = ctx, .how = *rule, .table = make_case_figures(rule->pictures, classes) };
    e->table.several = rule->several;
    for (int64_t c = 0; c < classes; c++) e->table.class_name[c] = copy(class_name[c]);
    must(peft_segmentation_create(ctx, classes, rule->distances, &e->figures));
    must(peft_options_create(ctx, &e->rule));
    must(peft_options_parse(e->rule, "absent=both"));
    return e;
}

static void add_row(case_table *f, const peft_segment *segments, const peft_options *rule)
{
    const int64_t at = f->cases * f->classes;
    for (int k = 0; k < CASE_KINDS; k++)
        must(peft_segmentation_values(segments, f->classes, case_figure_name[k], rule, f->value[k] + at));
    for (int64_t c = 0; c < f->classes; c++) {
        f->truth[at + c] = segments[c].truth;
        f->predicted[at + c] = segments[c].predicted;
    }
}

/* Evaluates the open case, and adds its row. */
static void close_case(case_evaluator *e)
{
    open_case *o = &e->open;
    case_table *f = &e->table;
    if (!o->depth) return;
    const int flat = o->depth == 1;                           /* a picture: its map is [height, width] */
    const int64_t dims[] = { o->depth, o->height, o->width, f->classes };
    const bool known = o->spacing[1] > 0;
    peft_segment *segments = check_alloc(malloc((size_t)f->classes * sizeof *segments));
    peft_tensor *predicted, *truth;
    const int several = e->how.several, ndim = 3 - flat + several;
    const double *spacing = known ? o->spacing + flat : NULL;
    must(peft_tensor_wrap(e->ctx, PEFT_U8, ndim, dims + flat, o->predicted, &predicted));
    must(peft_tensor_wrap(e->ctx, several ? PEFT_F32 : PEFT_I64, ndim, dims + flat, o->truth, &truth));
    const peft_status s = several ? peft_segmentation_add_targets(e->figures, predicted, truth, spacing)
                                  : peft_segmentation_add(e->figures, predicted, truth, spacing);
    if (s) fail("%s: %s (%s)", o->name, peft_last_error(), peft_status_name(s));
    must(peft_segmentation_case(e->figures, segments, (size_t)f->classes));
    add_row(f, segments, e->rule);
    peft_tensor_free(predicted);
    peft_tensor_free(truth);
    free(segments);
    if (flat) f->name[f->cases] = o->name;
    else {
        f->name[f->cases] = name_of_volume(o->file, strlen(o->file), o->first, o->depth);
        free(o->name);
    }
    f->images[f->cases] = o->depth;
    f->patient[f->cases] = o->patient;
    f->millimetres[f->cases++] = known;
    free(o->file);
    free(o->predicted);
    free(o->truth);
    *o = (open_case){ 0 };
}

/* Whether the picture `next` is the slice behind the open case. */
static bool continues(const open_case *o, const open_case *next)
{
    return o->depth && o->file && next->file && !strcmp(o->file, next->file) && next->first == o->first + o->depth &&
           o->height == next->height && o->width == next->width &&
           !memcmp(o->spacing, next->spacing, sizeof o->spacing);
}

/* The picture as a case of its own. */
static open_case case_of(const case_evaluator *e, const evaluated_picture *p)
{
    open_case o = { .depth = 1, .height = peft_image_height(p->image), .width = peft_image_width(p->image) };
    const pixel_spacing s = spacing_of(p->image, e->how.spacing);
    o.spacing[0] = s.slice;
    o.spacing[1] = is_known(s) ? s.row : 0;
    o.spacing[2] = is_known(s) ? s.column : 0;
    size_t length;
    o.first = slice_of_name(p->name, &length);
    if (o.first >= 0 && o.spacing[0] > 0 && is_known(s)) o.file = file_of_image(p->name);
    return o;
}

void evaluate_picture(case_evaluator *e, const evaluated_picture *p)
{
    open_case next = case_of(e, p), *o = &e->open;
    note_slice(p->name, p->image);
    if (continues(o, &next)) free(next.file);
    else {
        close_case(e);
        next.depth = 0;
        next.name = copy(p->name);
        next.patient = copy(p->patient);
        *o = next;
    }
    const bool several = e->how.several;
    const size_t pixels = (size_t)(o->height * o->width * (several ? e->table.classes : 1));   /* of one picture */
    const size_t bytes = pixels * (several ? sizeof(float) : sizeof(int64_t)), depth = (size_t)o->depth++;
    const size_t room = depth & (depth - 1) ? 0 : depth ? 2 * depth : 1;       /* of slices; 0: there is room */
    if (room) {
        o->predicted = check_alloc(realloc(o->predicted, room * pixels));
        o->truth = check_alloc(realloc(o->truth, room * bytes));
    }
    memcpy(o->predicted + depth * pixels, p->labels, pixels);
    void *truth = o->truth + depth * bytes;
    must(several ? peft_mask_targets(p->truth, truth) : peft_mask_labels(p->truth, truth));
    if (!o->file) close_case(e);
}

case_table end_evaluation(case_evaluator *e)
{
    close_case(e);
    warn_of_flat_slices(e->how.spacing);
    const case_table f = e->table;
    peft_options_free(e->rule);
    peft_segmentation_free(e->figures);
    free(e);
    return f;
}
