/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- class probabilities of pictures, by a model file that finetune wrote. Nine digits tell any two floats
 * apart, so the output of two runs can be compared bit by bit. */
#include "common.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "FILE", NULL, "the pretrained Vision Transformer the model was trained on; needed") \
    X(model, "FILE", NULL, "what finetune wrote; needed") \
    X(csv, NULL, NULL, "a table with a heading line") \
    X(threads, "N", "0", "0: all cores")
#define AS_ID(name, argument, value, help) name,
#define AS_ROW(name, argument, value, help) { #name, argument, value, help },
enum { FLAGS(AS_ID) flags };
static flag given[] = { FLAGS(AS_ROW) };

/* The next name of a list with one name a line, cut off in place; NULL at the end. */
static const char *next_name(char **list)
{
    char *name = *list, *end = name ? strchr(name, '\n') : NULL;
    if (end) *end++ = 0;
    *list = end;
    return name;
}

static const char **read_names(const char *note, int64_t classes, char **storage)
{
    const char **names = need(calloc((size_t)classes, sizeof *names));
    char *rest = *storage = note ? need(strdup(note)) : NULL;
    for (int64_t c = 0; c < classes; c++) {
        names[c] = next_name(&rest);
        if (!names[c]) fail("%s: no class_names for %lld classes", given[model].value, (long long)classes);
    }
    return names;
}

/* A field of a CSV line: in quotes where it needs them. */
static void put_field(const char *text, char end)
{
    if (!strpbrk(text, ",\"\n")) {
        printf("%s%c", text, end);
        return;
    }
    putchar('"');
    for (; *text; text++) printf(*text == '"' ? "\"\"" : "%c", *text);
    printf("\"%c", end);
}

static void print_line(const char *path, const char *const *names, const float *p, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    if (given[csv].value) {
        put_field(path, ',');
        put_field(names[best], ',');
        for (int64_t c = 0; c < classes; c++) printf("%.9g%c", p[c], c + 1 < classes ? ',' : '\n');
    } else {
        printf("%s  %s ", path, names[best]);
        for (int64_t c = 0; c < classes; c++) printf(" %s=%.9g", names[c], p[c]);
        putchar('\n');
    }
}

/* The transform the model was trained with; its note is read from the file, because the backbone is to be loaded for
 * the same image size. */
static peft_transform *read_transform(peft_context *ctx)
{
    peft_file *f;
    peft_transform *t;
    must(peft_file_open(ctx, given[model].value, &f));
    const char *text = peft_file_meta(f, "preprocess");
    if (!text) fail("%s: no note \"preprocess\"; was it written by finetune?", given[model].value);
    must(peft_transform_parse(text, &t));
    peft_file_free(f);
    return t;
}

int main(int argc, char **argv)
{
    program_name = "predict";
    int first = read_flags(given, flags, "--backbone FILE --model FILE [options] IMAGE...", argc, argv);
    if (!given[backbone].value || !given[model].value || first == argc)
        fail("--backbone, --model and at least one image are needed; see --help");
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *m;
    peft_session *s;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    must(peft_context_set_threads(ctx, (int)flag_count(&given[threads])));
    peft_transform *t = read_transform(ctx);
    peft_options *o = options_from(ctx, NULL);
    must(peft_options_set_int(o, "image_size", peft_transform_size(t)));
    must(peft_backbone_load(ctx, given[backbone].value, o, &vit));
    peft_options_free(o);
    must(peft_model_load(vit, given[model].value, &m));
    must(peft_session_create(m, NULL, &s));

    int64_t classes = peft_model_classes(m);
    char *storage;
    const char **names = read_names(peft_model_note(m, "class_names"), classes, &storage);
    const char *link = peft_model_note(m, "link");
    float *p = need(malloc((size_t)classes * sizeof *p));
    if (given[csv].value) {
        printf("image,predicted,");
        for (int64_t c = 0; c < classes; c++) put_field(names[c], c + 1 < classes ? ',' : '\n');
    }
    for (int i = first; i < argc; i++) {
        peft_image *im;
        must(peft_image_load(argv[i], NULL, &im));
        predict_image(ctx, s, t, im, link ? link : "softmax", classes, p);
        print_line(argv[i], names, p, classes);
        peft_image_free(im);
    }
    free(p);
    free(names);
    free(storage);
    peft_transform_free(t);
    peft_session_free(s);
    peft_model_free(m);
    peft_backbone_free(vit);
    peft_context_free(ctx);
    return 0;
}
