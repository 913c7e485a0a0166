/* SPDX-License-Identifier: Apache-2.0
 * load_stated.c -- what options, the file's header, the configuration files and the architecture that they name state
 * about a network, and the list of what is assumed because nothing states it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

const char *pf_load_text(const pf_loader *l, const char *name)
{
    const char *header = pf_st_meta(l->file, name), *config = header ? header : pf_config_get(&l->config, name);
    const pf_arch a = pf_load_arch(l);
    return config ? config : pf_arch_setting(&a, name);
}

bool pf_load_image(const pf_loader *l, pf_grid *image)
{
    const char *header = pf_st_meta(l->file, "image_size");
    const char *text = header ? header : pf_config_get(&l->config, "image_size");
    return text && pf_sides_read(text, image);
}

void pf_load_assume(pf_loader *l, const char *name, const char *value, const char *why)
{
    const size_t used = strlen(l->assumed);
    snprintf(l->assumed + used, sizeof l->assumed - used, "%s%s=%s: %s", used ? "\n" : "", name, value, why);
}

bool pf_load_number(const pf_loader *l, const char *name, double *v)
{
    const double option = pf_options_float(l->o, pf_backbone_load_options, name);
    const char *text = pf_load_text(l, name);
    if (option > 0) *v = option;
    return option > 0 || (text && pf_parse_float(text, v));
}

const char *pf_load_word(const pf_loader *l, const char *name)
{
    const char *s = pf_options_string(l->o, pf_backbone_load_options, name);
    return strcmp(s, "auto") ? s : pf_load_text(l, name);
}

peft_status pf_load_whole(const pf_loader *l, const char *name, int64_t fallback, int64_t *out)
{
    double v = 0;
    char text[32];
    *out = fallback;
    if (!pf_load_number(l, name, &v)) return PEFT_OK;
    pf_print_float(text, sizeof text, v);
    if (!(v >= 0 && v <= 0x1p31 && v == floor(v)))
        return pf_fail(PEFT_E_INVALID, "%s: given %s, expected a whole number from 0 to 2147483648", name,
                       text);
    *out = (int64_t)v;
    return PEFT_OK;
}
