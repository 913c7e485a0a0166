/* SPDX-License-Identifier: Apache-2.0
 * loaded_model.c -- loads a trained model with its preprocessing and class names (loaded_model.h). */
#include "loaded_model.h"
#include "common/backbone/backbone_name.h"
#include "common/backbone/weights.h"
#include "common/data/preprocess.h"
#include "common/program/errors.h"
#include "common/program/threads.h"
#include "common/program/verbose.h"
#include "names.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Copies of the notes in a file's header; NULL: absent. */
typedef struct header {
    char *kind, *preprocess, *class_names, *link, *image_options, *decision, *conformal;
} header;

static char *copy_text(const char *text) { return text ? check_alloc(strdup(text)) : NULL; }

static header read_header(peft_context *ctx, const char *path)
{
    peft_file *f;
    must(peft_file_open(ctx, path, &f));
    const char *preprocess = peft_file_meta(f, "preprocess"); /* "" if only mean and std are known */
    header h = { copy_text(peft_file_kind(f)), copy_text(preprocess && *preprocess ? preprocess : NULL),
                 copy_text(peft_file_meta(f, "class_names")), copy_text(peft_file_meta(f, "link")),
                 copy_text(peft_file_meta(f, "image_options")), copy_text(peft_file_meta(f, "decision")),
                 copy_text(peft_file_meta(f, "conformal")) };
    peft_file_free(f);
    return h;
}

static void free_header(header *h)
{
    free(h->kind);
    free(h->preprocess);
    free(h->class_names);
    free(h->link);
    free(h->image_options);
    free(h->decision);
    free(h->conformal);
}

static bool is_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        fail("--model %s: %s; expected a file that finetune wrote, or a folder with adapter_config.json", path,
             strerror(errno));
    return S_ISDIR(st.st_mode);
}

/* Fails unless a file of this kind can be given as --model. */
static void check_kind(const char *path, const char *kind)
{
    if (!strcmp(kind, "model") || !strcmp(kind, "adapter")) return;
    if (!strcmp(kind, "trainer"))
        fail("--model %s: is a training state; expected the model that finetune writes to --out", path);
    if (!strcmp(kind, "backbone"))
        fail("--model %s: is a backbone; give it as --backbone, and as --model the file that finetune wrote", path);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!strncmp(name, "adapter_model.", strlen("adapter_model.")))
        fail("--model %s: is one of the two files of a folder of PEFT; give the folder, %.*s", path,
             slash ? (int)(slash - path) : 1, slash ? path : ".");
    fail("--model %s: is a file of kind '%s', expected a model or adapter; give the file that finetune wrote", path,
         kind);
}

char *trained_kind(peft_context *ctx, const char *path, char **preprocess)
{
    header h = { 0 };
    if (!is_folder(path)) {
        h = read_header(ctx, path);
        check_kind(path, h.kind);
    }
    char *kind = h.kind;
    *preprocess = h.preprocess;
    h.kind = h.preprocess = NULL;
    free_header(&h);
    return kind;
}

/* Ends the program if a file of the library could not be loaded onto b. */
static void must_load(peft_status s, const peft_backbone *b, const char *path)
{
    if (s != PEFT_E_MISMATCH) {
        must(s);
        return;
    }
    peft_file *f;
    char *error = copy_text(peft_last_error());
    must(peft_file_open(peft_backbone_context(b), path, &f));
    (void)peft_set_error(s, error);                           /* peft_file_open may have changed it */
    free(error);
    fail_for_other_backbone(path, peft_file_meta(f, "backbone"), b);
}

/* path NULL: the backbone with its classifier. */
peft_model *load_trained(peft_backbone *b, const char *path, const char *kind)
{
    peft_model *m;
    peft_adapter *a;
    if (!path) {
        if (peft_backbone_get(b, "classes") < 1)
            fail("--backbone: it has no classifier; give --model and the file that finetune wrote for this backbone");
        must(peft_model_create(b, NULL, &m));
        return m;
    }
    if (!kind) {
        must(peft_model_load_hf(b, path, &m));
        return m;
    }
    if (!strcmp(kind, "model")) {
        must_load(peft_model_load(b, path, &m), b, path);
        return m;
    }
    must_load(peft_adapter_load(b, path, &a), b, path);
    must(peft_model_create(b, NULL, &m));
    must(peft_model_attach(m, a));
    peft_adapter_free(a);
    return m;
}

image_sides sides_of_text(peft_context *ctx, const char *preprocess)
{
    peft_transform *t;
    if (!preprocess) return STORED_IMAGE_SIZE;
    must(peft_transform_parse(ctx, preprocess, &t));
    const image_sides sides = transform_sides(t);
    peft_transform_free(t);
    return sides;
}

/* Moves the text *from to *to, unless *to is set already. */
static void move_if_unset(char **to, char **from)
{
    if (*to || !*from) return;
    *to = *from;
    *from = NULL;
}

loaded_model open_model(const char *backbone, const char *backbone_options, const char *trained, int threads)
{
    loaded_model s = { .ctx = make_context() };
    header notes = { 0 }, backbone_notes = { 0 };             /* notes: of the trained file, completed below */
    (void)thread_count(threads);                              /* warns of too many */
    must(peft_context_set_threads(s.ctx, threads));
    check_backbone(backbone);
    if (trained && !is_folder(trained)) {
        notes = read_header(s.ctx, trained);
        check_kind(trained, notes.kind);
    }
    char *file = weights_file(backbone);
    if (file) backbone_notes = read_header(s.ctx, file);
    const char *kind = backbone_notes.kind;
    if (kind && (!strcmp(kind, "model") || !strcmp(kind, "adapter")))
        fail("--backbone %s: is a file of kind '%s'; give it as --model, and as --backbone the pretrained network",
             backbone, kind);
    move_if_unset(&notes.preprocess, &backbone_notes.preprocess);
    s.vit = load_backbone(s.ctx, backbone, sides_of_text(s.ctx, notes.preprocess), backbone_options);
    s.own_head = !trained && !backbone_notes.link;            /* merge notes it, as training does */
    if (!trained && !notes.class_names) notes.class_names = copy_text(peft_backbone_note(s.vit, "class_names"));
    if (!trained && !notes.link) notes.link = copy_text(peft_backbone_note(s.vit, "link"));
    s.model = load_trained(s.vit, trained, notes.kind);
    s.classes = peft_model_classes(s.model);
    s.multilabel = notes.link && !strcmp(notes.link, "sigmoid");
    if (notes.preprocess) must(peft_transform_parse(s.ctx, notes.preprocess, &s.transform));
    const header *decides = trained ? &notes : &backbone_notes;
    s.how = read_decision(decides->decision, s.classes, s.multilabel);
    s.sets = read_set_rule(decides->conformal, s.classes);
    move_if_unset(&s.class_names, &notes.class_names);
    move_if_unset(&s.link, &notes.link);
    move_if_unset(&s.image_options, &notes.image_options);
    free_header(&notes);
    free_header(&backbone_notes);
    free(file);
    return s;
}

/* open_model has set the transform of the training, if the files hold it. */
void choose_transform(loaded_model *s, const char *changes)
{
    peft_transform *changed;
    if (!s->transform) {
        s->transform = inference_transform(s->ctx, s->vit, changes);
        return;
    }
    if (!changes) return;
    must(peft_transform_parse_over(s->ctx, peft_transform_text(s->transform), changes, &changed));
    char trained[SIDES_TEXT];
    if (!same_sides(transform_sides(changed), transform_sides(s->transform)))
        fail("--preprocess %s: changes the image size; the model was trained for %s pixels, leave size out", changes,
             sides_text(trained, transform_sides(s->transform)));
    peft_transform_free(s->transform);
    s->transform = changed;
}

/* Checks --class-names: one name for each class, all different. Names may differ from those of the file (a
 * translation), but a name of the file must stay with its class. */
static void check_names(const loaded_model *s)
{
    char *storage = NULL;
    const char **stored = s->class_names ? split_names(s->class_names, s->classes, &storage) : NULL;
    for (int64_t i = 0; i < s->classes; i++) {
        if (!*s->names[i]) fail("--class-names: name %lld is empty; expected a name for each of %lld classes",
                                (long long)i + 1, (long long)s->classes);
        for (int64_t k = 0; k < s->classes; k++) {
            if (k < i && !strcmp(s->names[i], s->names[k]))
                fail("--class-names: '%s' is given twice; expected a different name for each class", s->names[i]);
            /* fails if the name is that of another class of the file, unless the file gives both classes this name */
            if (stored && k != i && !strcmp(s->names[i], stored[k]) && strcmp(stored[i], stored[k]))
                fail("--class-names: '%s' is name %lld here, and class %lld of the file; leave --class-names out, or "
                     "keep the file's order", s->names[i], (long long)i + 1, (long long)k + 1);
        }
    }
    free(stored);
    free(storage);
}

/* "cat, dog, ..": the first names. */
static const char *first_names(const loaded_model *s, char *text, size_t size)
{
    const bool more = s->classes > 2;
    snprintf(text, size, "%.80s%s%.80s%s", s->names[0], s->classes > 1 ? ", " : "", s->classes > 1 ? s->names[1] : "",
             more ? ", .." : "");
    return text;
}

static void warn_of_own_head(const loaded_model *s)
{
    char text[200];
    warn("no --model was given: the classes are those of the backbone's own head, %lld of its pretraining (%s); to "
         "predict the classes of your data, give --model FILE, the file that finetune wrote", (long long)s->classes,
         first_names(s, text, sizeof text));
}

/* Sets names as name_classes does, without the warning of own_head. */
static void set_names(loaded_model *s, const char *list)
{
    if (s->classes < 1)
        fail("--model: it has no classifier, and the backbone has none either, so there are no classes to predict; "
             "give a model with a classifier: one that finetune wrote, or a PEFT folder with the classifier in "
             "modules_to_save");
    char *given = copy_text(list);
    for (char *c = given; c && *c; c++)
        if (*c == ',') *c = '\n';
    const char *text = given ? given : s->class_names;
    s->names = split_names(text, s->classes, &s->storage);
    if (!s->names && text)
        fail("%s does not equal the model's %lld classes; give --class-names with %lld names, in the order of training",
             given ? "--class-names: the number of names" : "the number of class names in the file",
             (long long)s->classes, (long long)s->classes);
    if (given) check_names(s);
    free(given);
    if (s->names) return;
    char *defaults;
    size_t size;
    FILE *f = check_alloc(open_memstream(&defaults, &size));
    for (int64_t c = 0; c < s->classes; c++) fprintf(f, "class_%lld\n", (long long)c);
    if (fclose(f)) fail("out of memory");
    if (!s->own_head && s->classes == 1)
        warn("no file names the class: it is called class_0; give --class-names NAME for another name");
    else if (!s->own_head)
        warn("no file names the classes: they are called class_0 to class_%lld, in the order of training; give "
             "--class-names NAME,NAME,... for other names", (long long)s->classes - 1);
    s->names = check_alloc(split_names(defaults, s->classes, &s->storage));
    free(defaults);
}

void name_classes(loaded_model *s, const char *list)
{
    set_names(s, list);
    if (s->own_head && !list) warn_of_own_head(s);
}

void close_model(loaded_model *s)
{
    free(s->names);
    free(s->storage);
    free(s->class_names);
    free(s->image_options);
    free(s->link);
    free_decision(&s->how);
    free_set_rule(&s->sets);
    peft_transform_free(s->transform);
    peft_model_free(s->model);
    peft_backbone_free(s->vit);
    peft_context_free(s->ctx);
}
