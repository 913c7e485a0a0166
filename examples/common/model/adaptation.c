/* SPDX-License-Identifier: Apache-2.0
 * adaptation.c -- makes adaptors from texts such as "tent,lr=0.01" (adaptation.h). */
#include "adaptation.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool is_kind(const char *text, const char *name)
{
    const size_t length = strcspn(text, ",");
    return strlen(name) == length && !strncmp(text, name, length);
}

void check_kind_of(const char *flag, const char *text, const char *other)
{
    char names[400];
    size_t n = 0;
    if (other && is_kind(text, other)) return;
    for (size_t i = 0; i < peft_adaptor_kind_count(); i++) {
        const char *name = peft_adaptor_kind_name(i);
        if (is_kind(text, name)) return;
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", name);
    }
    fail("--%s: given '%.*s', expected %s%s%s", flag, (int)strcspn(text, ","), text, other ? other : "",
         other ? ", " : "", names);
}

static const char *settings_behind(const char *text)
{
    const char *comma = strchr(text, ',');
    return comma ? comma + 1 : NULL;
}

peft_options *adaptation_options(const loaded_model *m, const char *text, int64_t batch)
{
    peft_options *o = empty_options(m->ctx);
    must(peft_options_set_int(o, "batch", batch));
    if (settings_behind(text)) must(peft_options_parse(o, settings_behind(text)));
    return o;
}

peft_adaptor *open_adaptor(const loaded_model *m, const char *text, int64_t batch)
{
    peft_options *o = adaptation_options(m, text, batch);
    peft_adaptor *a;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ","), text);
    must(peft_options_set_string(o, "kind", name));
    must(peft_adaptor_create(m->model, o, &a));
    peft_options_free(o);
    return a;
}

void warn_of_one_call(const char *flag_name, const char *text, int64_t batch, int64_t images)
{
    settings s = read_settings(settings_behind(text), flag_name);
    const char *own_batch = find_setting(&s, "batch"), *predictions = find_setting(&s, "predict");
    char name[32];
    snprintf(name, sizeof name, "%s batch", flag_name + strlen("--"));
    if (own_batch) batch = flag_integer(&(flag){ .name = name, .value = own_batch });
    const bool after = predictions && !strcmp(predictions, "after");
    if (is_kind(text, "tent") && !after && batch >= images)
        warn("%s %s: the %lld images of a run are one call, and tent predicts before the update of a call, so that "
             "its predictions are those of the model; give a smaller batch, such as tent,batch=8, or predict=after",
             flag_name, text, (long long)images);
    free_settings(&s);
}
