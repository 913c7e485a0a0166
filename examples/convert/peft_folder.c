/* SPDX-License-Identifier: Apache-2.0
 * peft_folder.c -- writes a trained adapter as a folder of PEFT (peft_folder.h). */
#include "convert/peft_folder.h"
#include "common/files/output.h"
#include "common/model/loaded_model.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Fails unless the folder can be written: it does not exist, or has no adapter, or --force was given. */
static void check_folder(const peft_folder *p)
{
    struct stat st;
    char *file;
    const char *const inputs[] = { p->backbone, p->model };
    if (stat(p->out, &st)) {
        check_output("out", p->out, p->force, inputs, 2);
        return;
    }
    if (!S_ISDIR(st.st_mode)) fail("--out %s: is a file; expected a folder for the adapter", p->out);
    for (int i = 0; i < 2; i++) {
        struct stat in;
        if (!stat(inputs[i], &in) && in.st_dev == st.st_dev && in.st_ino == st.st_ino)
            fail("--out %s: another option of this command names the same folder (%s); give another path", p->out,
                 inputs[i]);
    }
    for (int i = 0; i < 2; i++) {
        if (asprintf(&file, "%s/%s", p->out, i ? "adapter_model.safetensors" : "adapter_config.json") < 0)
            fail("out of memory");
        if (!i) check_output("out", file, p->force, inputs, 2);
        check_not_input("out", file, &(input_files){ p->backbone, p->backbone_options, p->model });
        free(file);
    }
}

/* Options of peft_model_save_hf, by --naming and --folder-options. */
static peft_options *options_of(peft_context *ctx, const peft_folder *p)
{
    settings s = read_settings(p->options, "--folder-options");
    if (p->naming && find_setting(&s, "naming")) fail("--folder-options: names naming, and --naming is given too");
    if (p->naming) set_setting(&s, "naming", p->naming);
    peft_options *o = options_from_settings(ctx, &s);
    free_settings(&s);
    return o;
}

/* The files of PEFT hold neither class names nor preprocessing: prints them for who receives the folder. */
static void print_descriptions(const loaded_model *m)
{
    if (m->class_names && m->classes) {
        printf("classes, in the order of the logits: ");
        for (const char *c = m->class_names; *c; c++)
            if (*c != '\n') putchar(*c);
            else if (c[1]) printf(", ");
        putchar('\n');
    }
    if (m->transform) printf("preprocessing: %s\n", peft_transform_text(m->transform));
}

void write_peft_folder(const peft_folder *p)
{
    check_folder(p);
    loaded_model m = open_model(p->backbone, p->backbone_options, p->model, ALL_CORES);
    peft_options *o = options_of(m.ctx, p);
    const size_t adapters = peft_model_adapter_count(m.model);
    if (!p->classifier && adapters != 1)
        fail("--model %s: has %zu adapters; a folder of PEFT holds exactly one", p->model, adapters);
    must(p->classifier ? peft_model_save_hf(m.model, p->out, o)
                       : peft_adapter_save_hf(peft_model_adapter(m.model, 0), p->out, o));
    const peft_adapter *a = peft_model_adapter(m.model, 0);
    printf("%s: %s, %zu tensors%s\n", p->out, peft_adapter_method(a), peft_adapter_param_count(a),
           p->classifier && m.classes ? " and the classifier" : "");
    if (p->classifier) print_descriptions(&m);
    peft_options_free(o);
    close_model(&m);
}
