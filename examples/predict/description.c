/* SPDX-License-Identifier: Apache-2.0
 * description.c -- one line that tells by what a run predicts, so that --resume goes on with the same (predict.h). */
#include "predict.h"
#include "common/model/model_hash.h"
#include "common/program/errors.h"
#include <stdlib.h>

/* Writes the methods of the model's adapters with the values of all their options. */
static void put_adapters(FILE *f, peft_model *m)
{
    for (size_t i = 0; i < peft_model_adapter_count(m); i++) {
        const peft_adapter *a = peft_model_adapter(m, i);
        const char *method = peft_adapter_method(a);
        fprintf(f, "%s %s", i ? "," : "", method);
        const peft_option *o;
        for (size_t k = 0; (o = peft_method_option(method, k)); k++) {
            const char *value = peft_adapter_option_value(a, peft_option_name(o));
            fprintf(f, " %s=%s", peft_option_name(o), value ? value : "");
        }
    }
}

char *describe_run(const loaded_model *s, table_format format, const input_reading *how, const char *compute,
                   const char *more)
{
    char hex[65], *text;
    size_t size;
    hash_model(s->model, hex);
    FILE *f = check_alloc(open_memstream(&text, &size));
    fprintf(f, "predict 1: backbone %s, adapters", peft_backbone_fingerprint(s->vit));
    put_adapters(f, s->model);
    fprintf(f, ", tensors %s, preprocess %s, image options %s%s, compute %s, format %d, classes", hex,
            peft_transform_text(s->transform), how->image_options ? how->image_options : "none",
            how->all_slices ? ", all slices" : "", compute, (int)format);
    for (int64_t c = 0; c < s->classes; c++) fprintf(f, " %s", s->names[c]);
    char *decisions = decision_text(&s->how, s->names, '.'), *sets = set_note(&s->sets);
    fprintf(f, ", decisions %s, sets %s", *decisions ? decisions : "none", *sets ? sets : "none");
    fputs(more, f);
    free(decisions);
    free(sets);
    if (fclose(f)) fail("out of memory");
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';                /* the description is a line */
    return text;
}
