/* SPDX-License-Identifier: Apache-2.0
 * card.c -- reads the training record of a model for its card (card.h). */
#include "card.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include "common/record/record.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const card_set_name[3] = { "training", "validation", "test" };
static const char format[] = "libpeft.record.1";

static const json *object_in(const json *j, const char *name)
{
    const json *m = json_member(j, name);
    return m && m->kind == JSON_OBJECT ? m : NULL;
}

const json *member_of(const model_card *c, const char *object, const char *name)
{
    return json_member(json_member(c->record, object), name);
}

static double number_of(const json *j)
{
    const double v = j && j->kind == JSON_NUMBER ? strtod(j->text, NULL) : NAN;
    return isfinite(v) ? v : NAN;
}

double number_in(const json *j, const char *name) { return number_of(json_member(j, name)); }

double number_at(const json *list, size_t i)
{
    return list && list->kind == JSON_LIST && i < list->count ? number_of(&list->item[i]) : NAN;
}

static _Noreturn void fail_damaged(const model_card *c, const char *expected)
{
    fail("--card %s: the training record %s is damaged: expected %s; train the model again, or copy the record again",
         c->model, c->record_path, expected);
}

/* Ends the program unless the record is one of finetune's, of this format. */
static void check_format(const model_card *c)
{
    const char *text = json_text_of(c->record, "format"), *library = json_text_of(c->record, "library");
    if (!c->record) fail_damaged(c, "JSON");
    if (!text) fail_damaged(c, "a member \"format\"");
    if (strcmp(text, format))
        fail("--card %s: the training record %s has the format '%s', written by libpeft %s; expected %s", c->model,
             c->record_path, text, library ? library : "(unknown)", format);
}

/* Ends the program unless the record's sum is that of the model file. */
static void check_sum(const model_card *c)
{
    char hex[65];
    const json *recorded = member_of(c, "model", "sha256");
    if (!recorded || recorded->kind != JSON_TEXT) fail_damaged(c, "\"sha256\" of the model");
    if (!hash_file(c->model, hex)) fail("--card %s: cannot be read", c->model);
    if (strcmp(hex, recorded->text))
        fail("--card %s: the training record %s is of another file: its SHA-256 is %s, that of the model %s; give the "
             "file that finetune wrote together with this record", c->model, c->record_path, recorded->text, hex);
}

/* Finds the classes, by the training images. */
static void read_classes(model_card *c)
{
    const json *classes = object_in(c->data[0], "classes");
    if (!classes || !classes->count) fail_damaged(c, "the classes of the training images");
    c->classes = (int64_t)classes->count;
    c->class_name = check_alloc(malloc(classes->count * sizeof *c->class_name));
    for (size_t i = 0; i < classes->count; i++) c->class_name[i] = classes->item[i].name;
}

model_card read_card(const char *model)
{
    model_card c = { .model = model, .record_path = record_path(model) };
    char hex[65];
    if (!hash_file(model, hex))
        fail("--card %s: is no file that can be read; expected a model that finetune wrote", model);
    char *text = read_text_file(c.record_path, NULL);
    if (!text)
        fail("--card %s: there is no training record %s; expected a model that finetune wrote, with the record that it "
             "writes beside the model", model, c.record_path);
    c.record = json_parse(text);
    free(text);
    check_format(&c);
    check_sum(&c);
    for (int i = 0; i < 3; i++) c.data[i] = object_in(json_member(c.record, "data"), card_set_name[i]);
    read_classes(&c);
    c.figures = object_in(c.record, "test_figures");
    c.multilabel = json_member(c.figures, "map") || member_of(&c, "validation_figures", "map") ||
                   member_of(&c, "out_of_fold_figures", "map");
    c.rows = json_member(c.figures, "classes");
    c.masks = json_member(c.figures, "masks");
    for (size_t i = 0; c.masks && c.rows && i < c.rows->count; i++)
        if (!json_text_of(&c.rows->item[i], "class")) fail_damaged(&c, "the classes of the masks");
    if (c.rows && (c.rows->kind != JSON_LIST || (!c.masks && c.rows->count != (size_t)c.classes)))
        fail_damaged(&c, "figures of each class of the training images");
    return c;
}

void free_card(model_card *c)
{
    free(c->class_name);
    free(c->record_path);
    json_free(c->record);
}
