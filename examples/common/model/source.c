/* SPDX-License-Identifier: Apache-2.0
 * source.c -- see source.h. */
#include "source.h"
#include "common/data/preprocess.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "names.h"
#include "weights.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What the header of a file says, copied; NULL: nothing, or no such file. */
typedef struct header { char *kind, *preprocess, *class_names, *link; } header;

static char *copied(const char *text) { return text ? need(strdup(text)) : NULL; }

static header read_header(peft_context *ctx, const char *path)
{
    peft_file *f;
    must(peft_file_open(ctx, path, &f));
    const char *preprocess = peft_file_meta(f, "preprocess");    /* "" where only mean and std are known */
    header h = { copied(peft_file_kind(f)), copied(preprocess && *preprocess ? preprocess : NULL),
                 copied(peft_file_meta(f, "class_names")), copied(peft_file_meta(f, "link")) };
    peft_file_free(f);
    return h;
}

static void free_header(header *h)
{
    free(h->kind);
    free(h->preprocess);
    free(h->class_names);
    free(h->link);
}

static bool is_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        fail("--model %s: %s; expected a file that finetune wrote, or a folder with adapter_config.json", path,
             strerror(errno));
    return S_ISDIR(st.st_mode);
}

/* What a file given as --model must not be, and what to do. */
static void check_kind(const char *path, const char *kind)
{
    if (!strcmp(kind, "model") || !strcmp(kind, "adapter")) return;
    if (!strcmp(kind, "trainer"))
        fail("--model %s: a training state; expected the model that finetune writes to --out", path);
    if (!strcmp(kind, "backbone"))
        fail("--model %s: a backbone; it belongs to --backbone, and --model takes what finetune wrote", path);
    fail("--model %s: no model or adapter file (%s); expected what finetune wrote", path, kind);
}

/* An adapter alone acts below the backbone's own classifier. */
static peft_model *load_trained(peft_backbone *b, const char *path, const char *kind)
{
    peft_model *m;
    peft_adapter *a;
    if (!path) {
        if (peft_backbone_get(b, "classes") < 1)
            fail("the backbone has no classifier; give --model, what finetune wrote for it");
        must(peft_model_create(b, NULL, &m));
        return m;
    }
    if (!kind || !strcmp(kind, "model")) {
        must(kind ? peft_model_load(b, path, &m) : peft_model_load_hf(b, path, &m));
        return m;
    }
    must(peft_adapter_load(b, path, &a));
    must(peft_model_create(b, NULL, &m));
    must(peft_model_attach(m, a));
    peft_adapter_free(a);
    return m;
}

static int64_t size_of(peft_context *ctx, const char *preprocess)
{
    peft_transform *t;
    if (!preprocess) return 0;
    must(peft_transform_parse(ctx, preprocess, &t));
    int64_t size = peft_transform_size(t);
    peft_transform_free(t);
    return size;
}

/* The backbone's header counts where the trained file says nothing. */
static void take(char **to, char **from)
{
    if (*to || !*from) return;
    *to = *from;
    *from = NULL;
}

source open_source(const char *backbone, const char *facts, const char *trained, int threads)
{
    source s = { .ctx = make_context() };
    header own = { 0 }, below = { 0 };
    must(peft_context_set_threads(s.ctx, threads));
    check_backbone(backbone);
    if (trained && !is_folder(trained)) {
        own = read_header(s.ctx, trained);
        check_kind(trained, own.kind);
    }
    char *file = weights_file(backbone);
    if (file) below = read_header(s.ctx, file);
    if (below.kind && (!strcmp(below.kind, "model") || !strcmp(below.kind, "adapter")))
        fail("--backbone %s: a file of kind '%s'; it belongs to --model, and --backbone takes the pretrained network",
             backbone, below.kind);
    take(&own.preprocess, &below.preprocess);
    s.vit = load_backbone(s.ctx, backbone, size_of(s.ctx, own.preprocess), facts);
    if (!trained && !own.class_names) own.class_names = copied(peft_backbone_note(s.vit, "class_names"));
    if (!trained && !own.link) own.link = copied(peft_backbone_note(s.vit, "link"));
    s.model = load_trained(s.vit, trained, own.kind);
    s.classes = peft_model_classes(s.model);
    s.several = own.link && !strcmp(own.link, "sigmoid");
    if (own.preprocess) must(peft_transform_parse(s.ctx, own.preprocess, &s.transform));
    take(&s.class_names, &own.class_names);
    take(&s.link, &own.link);
    free_header(&own);
    free_header(&below);
    free(file);
    return s;
}

void choose_transform(source *s, const char *words)
{
    peft_transform *changed;
    if (!s->transform) {
        s->transform = plain_transform(s->ctx, s->vit, words);
        return;
    }
    if (!words) return;
    must(peft_transform_parse_over(s->ctx, peft_transform_text(s->transform), words, &changed));
    if (peft_transform_size(changed) != peft_transform_size(s->transform))
        fail("--preprocess %s: the model was trained for a size of %lld", words,
             (long long)peft_transform_size(s->transform));
    peft_transform_free(s->transform);
    s->transform = changed;
}

/* Names of the command line are one a class; they may translate a file's names, not
 * put one of them at another class. */
static void check_names(const source *s)
{
    char *storage = NULL;
    const char **own = s->class_names ? split_names(s->class_names, s->classes, &storage) : NULL;
    for (int64_t i = 0; i < s->classes; i++) {
        if (!*s->names[i]) fail("--class-names: an empty name; expected one of each of %lld classes",
                                (long long)s->classes);
        for (int64_t k = 0; k < s->classes; k++) {
            if (k < i && !strcmp(s->names[i], s->names[k])) fail("--class-names: '%s' is there twice", s->names[i]);
            if (own && k != i && !strcmp(s->names[i], own[k]) && strcmp(own[i], own[k]))
                fail("--class-names: '%s' is name %lld here, and class %lld of the file; leave --class-names out, or "
                     "keep the file's order", s->names[i], (long long)i + 1, (long long)k + 1);
        }
    }
    free(own);
    free(storage);
}

void name_classes(source *s, const char *list)
{
    char *given = copied(list);
    for (char *c = given; c && *c; c++)
        if (*c == ',') *c = '\n';
    const char *text = given ? given : s->class_names;
    s->names = split_names(text, s->classes, &s->storage);
    if (!s->names && text)
        fail("%s for %lld classes; give --class-names with %lld names, in the order of training",
             given ? "--class-names has another number of names" : "the file has another number of class names",
             (long long)s->classes, (long long)s->classes);
    if (given) check_names(s);
    free(given);
    if (s->names) return;
    char *made;
    size_t size;
    FILE *f = need(open_memstream(&made, &size));
    for (int64_t c = 0; c < s->classes; c++) fprintf(f, "class_%lld\n", (long long)c);
    if (fclose(f)) fail("out of memory");
    warn("no file names the classes: they are class_0 to class_%lld in the order of training; --class-names names "
         "them", (long long)s->classes - 1);
    s->names = need(split_names(made, s->classes, &s->storage));
    free(made);
}

void close_source(source *s)
{
    free(s->names);
    free(s->storage);
    free(s->class_names);
    free(s->link);
    peft_transform_free(s->transform);
    peft_model_free(s->model);
    peft_backbone_free(s->vit);
    peft_context_free(s->ctx);
}
