/* SPDX-License-Identifier: Apache-2.0
 * masks.c -- the masks of e2vpt that --prune trains and fixes: which of them are searched, and how many tokens, pieces
 * and parameters fixed ones leave in effect (stages.h). */
#include "stages.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <stdlib.h>
#include <string.h>

static const char *const mask_name[MASKS] = { [TOKENS] = "mask_tokens", [PIECES] = "mask_pieces" };

char *masked_options(const flag *recipe, bool searched[MASKS])
{
    settings s = read_settings(recipe[recipe_options].value, "--options");
    for (int i = 0; i < MASKS; i++) {
        const char *value = find_setting(&s, mask_name[i]);
        searched[i] = !value || !strcmp(value, "trained");
        if (!searched[i] && strcmp(value, "none"))
            fail("--options %s=%s: a fixed mask, but --prune finds the mask; leave it out, or give trained, or none to "
                 "prune by the other mask alone", mask_name[i], value);
        if (!value) set_setting(&s, mask_name[i], "trained");
    }
    if (!searched[TOKENS] && !searched[PIECES])
        fail("--prune: needs a mask to prune by; give mask_tokens=trained or mask_pieces=trained in --options");
    char *text = settings_text(&s);
    free_settings(&s);
    return text;
}

/* Element k of the list of a mask; 1 if the mask is no list, so that it leaves out nothing. */
static bool element(const char *list, int64_t k)
{
    if (!list || *list != '[') return true;
    for (; *list; list++)
        if ((*list == '0' || *list == '1') && !k--) return *list == '1';
    return true;
}

static int64_t integer_option(const peft_adapter *a, const char *name)
{
    return strtoll(peft_adapter_option_value(a, name), NULL, 10);
}

kept_prompts count_kept(const peft_adapter *a, int64_t width)
{
    const int64_t tokens = integer_option(a, "tokens"), pieces = integer_option(a, "pieces");
    const char *of_tokens = peft_adapter_option_value(a, mask_name[TOKENS]);
    const char *of_pieces = peft_adapter_option_value(a, mask_name[PIECES]);
    kept_prompts kept = { 0 };
    for (int64_t t = 0; t < tokens; t++) {
        if (!element(of_tokens, t)) continue;
        kept.tokens++;
        for (int64_t p = 0; p < pieces; p++) {
            if (!element(of_pieces, t * pieces + p)) continue;
            kept.pieces++;
            kept.channels += (width - p + pieces - 1) / pieces;          /* p, p + pieces, p + 2 pieces, .. */
        }
    }
    return kept;
}

int64_t masked_parameters(peft_model *m, int64_t width)
{
    const peft_adapter *a = peft_model_adapter(m, 0);
    const int64_t channels = integer_option(a, "tokens") * width, left = count_kept(a, width).channels;
    int64_t masked = 0;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        if (!strstr(peft_param_name(p), "prompt_embeddings")) continue;
        masked += peft_tensor_count(peft_param_value(p)) / channels * (channels - left);
    }
    return masked;
}
