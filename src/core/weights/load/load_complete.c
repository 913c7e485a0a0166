/* SPDX-License-Identifier: Apache-2.0
 * load_complete.c -- which tensors of the file the backbone does not take: those that the option "ignore" names, and a
 * classifier of several layers; and the error for tensors that are missing or unexpected. */
#include <stdio.h>
#include <string.h>
#include "core/options/glob.h"
#include "core/options/text.h"
#include "core/weights/load/load.h"

/* Is the file's tensor of this name inside the ViT's blocks? */
static bool inside_blocks(const pf_loader *l, const char *name)
{
    const size_t n = strlen(l->prefix);
    return !strncmp(name, l->prefix, n) && pf_naming_in_block(l->naming, name + n);
}

/* Is the tensor a part of the ViT other than its classifier? */
static bool is_needed(const pf_loader *l, const pf_found *f)
{
    const char *timm = f->timm.name;
    const bool classifier = pf_is_classifier(timm) || pf_glob(PF_SECOND_CLASSIFIER ".*", timm);
    return (f->timm.kind == PF_NAME_OURS && !classifier) || inside_blocks(l, f->tensor->name);
}

/* Leaves out the tensors whose names match this pattern of the option "ignore". */
static peft_status ignore_matching(pf_loader *l, const char *glob)
{
    bool any = false;
    for (size_t i = 0; i < l->count; i++) {
        pf_found *f = &l->found[i];
        if (!pf_glob(glob, f->tensor->name)) continue;
        if (is_needed(l, f))
            return pf_fail(PEFT_E_OPTION, "ignore: '%s' matches tensor '%.200s', which is a part of the ViT: expected "
                           "a pattern of tensors outside it, such as criterion.*", glob, f->tensor->name);
        f->timm.kind = PF_NAME_IGNORED;
        f->asked = any = true;
    }
    return any ? PEFT_OK : pf_fail(PEFT_E_OPTION, "ignore: no tensor of the file has a name that matches '%s'; "
                                   "expected names as inspect lists them, * for any characters", glob);
}

/* Warns of tensors such as head.0.weight and head.2.weight, which were left out: a classifier of several layers, or a
 * projection head, as MoCo's files have it beside base_encoder. */
static void warn_of_layers(const pf_loader *l)
{
    static const char word[] = "head.";
    if (pf_load_has_tensor(l, "*base_encoder.*") || pf_load_has_tensor(l, "*momentum_encoder.*")) return;
    for (size_t i = 0; i < l->count; i++) {
        const pf_found *f = &l->found[i];
        const char *name = f->tensor->name;
        if (f->timm.kind != PF_NAME_IGNORED || f->asked) continue;
        if (!pf_glob("head.?.*", name) && !pf_glob("*.head.?.*", name)) continue;
        const int length = (int)(strstr(name, word) - name + (ptrdiff_t)sizeof word - 1);
        pf_warn(l->ctx, "backbone: '%.200s' belongs to a classifier or projection head of several layers, which is "
                "left out: the backbone has no classifier (the option ignore=%.*s* leaves it out without this "
                "warning)", name, length < 160 ? length : 160, name);
        return;
    }
}

peft_status pf_load_leave_out(pf_loader *l)
{
    const char *list = pf_options_string(l->o, pf_backbone_load_options, "ignore"), *item;
    char glob[256];
    for (size_t n; (item = pf_list_next(&list, &n)); ) {
        if (n >= sizeof glob) return pf_fail(PEFT_E_OPTION, "ignore: a pattern has %zu bytes, expected at most %zu", n,
                                             sizeof glob - 1);
        memcpy(glob, item, n);
        glob[n] = 0;
        PF_TRY(ignore_matching(l, glob));
    }
    warn_of_layers(l);
    return PEFT_OK;
}

enum { SHOWN_MAX = 8 };
/* A list of names for an error message: the first SHOWN_MAX, and how many there are. */
typedef struct { char text[640]; int count; } names;

/* Appends a name to the list. */
static void add_name(names *n, const char *name)
{
    size_t used = strlen(n->text);
    if (n->count++ < SHOWN_MAX) snprintf(n->text + used, sizeof n->text - used, "%s%s", used ? ", " : "", name);
}

/* Does the file have a tensor of exactly this name? */
static bool file_has(const pf_loader *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) if (!strcmp(l->found[i].tensor->name, name)) return true;
    return false;
}

/* Adds the name that the file would give timm's tensor: with the prefix of the ViT, without which the classifier may
 * stand. If the naming has no name for the whole tensor, adds the names of those of its parts (1, 2, 3) that the file
 * lacks. */
static void add_missing(const pf_loader *l, const pf_vit_shape *s, names *n, const char *timm)
{
    const char *prefix = pf_is_classifier(timm) ? "" : l->prefix;
    char theirs[PF_NAME_MAX], full_name[2 * PF_NAME_MAX];
    const bool stored_whole = pf_naming_from_timm(l->families, l->naming, s, timm, PF_WHOLE_TENSOR, theirs);
    const int before = n->count;
    const int first = stored_whole ? PF_WHOLE_TENSOR : 1, last = stored_whole ? PF_WHOLE_TENSOR : pf_name_parts(timm);
    for (int part = first; part <= last; part++) {
        if (!pf_naming_from_timm(l->families, l->naming, s, timm, part, theirs)) continue;
        snprintf(full_name, sizeof full_name, "%s%s", prefix, theirs);
        if (stored_whole || !file_has(l, full_name)) add_name(n, full_name);
    }
    if (n->count == before) add_name(n, timm);
}

static bool is_unexpected(const pf_found *f) { return !f->used && f->timm.kind != PF_NAME_IGNORED; }

/* Bytes of the shortest beginning of the name, up to a dot, that no tensor of the ViT has; the whole name if there is
 * none. */
static size_t own_beginning(const pf_loader *l, const char *name)
{
    for (size_t n = 1; name[n - 1]; n++) {
        bool shared = name[n - 1] != '.';
        for (size_t i = 0; i < l->count && !shared; i++)
            shared = is_needed(l, &l->found[i]) && !strncmp(l->found[i].tensor->name, name, n);
        if (!shared) return n;
    }
    return strlen(name);
}

/* Writes how the first unexpected tensor, and those whose names begin as its name does, can be left out: "ignore=fc.*".
 * Writes "" if one of them is inside a block, because the network then computes something else. */
static const char *advice(const pf_loader *l, char *text, size_t capacity)
{
    const char *first = NULL;
    *text = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->found[i].tensor->name;
        if (!is_unexpected(&l->found[i])) continue;
        if (inside_blocks(l, name)) return text;
        if (!first) first = name;
    }
    const size_t n = first ? own_beginning(l, first) : 0;
    if (n && n < 200)
        snprintf(text, capacity, ": if the ViT does not need them, the option ignore=%.*s%s leaves them out "
                 "(--backbone-options in the programs; several patterns: ignore=[A,B])", (int)n, first,
                 first[n] ? "*" : "");
    return text;
}

peft_status pf_load_check_complete(pf_loader *l, const peft_backbone *b)
{
    names missing = { "", 0 }, extra = { "", 0 };
    char text[400];
    for (size_t i = 0; i < b->weights; i++)
        if (!b->weight[i].tensor.data) add_missing(l, &b->shape, &missing, b->weight[i].name);
    for (size_t i = 0; i < l->count; i++)
        if (is_unexpected(&l->found[i])) add_name(&extra, l->found[i].tensor->name);
    if (!missing.count && !extra.count) return PEFT_OK;
    if (missing.count)
        return pf_fail(PEFT_E_FORMAT, "%d tensors missing (%s) and %d unexpected (%s) for a %s ViT of width %lld and "
                       "depth %lld", missing.count, missing.text, extra.count, extra.text, l->naming->name,
                       (long long)b->shape.width, (long long)b->shape.depth);
    return pf_fail(PEFT_E_FORMAT, "no tensor missing, but %d unexpected (%s) for a %s ViT of width %lld and depth "
                   "%lld%s", extra.count, extra.text, l->naming->name, (long long)b->shape.width,
                   (long long)b->shape.depth, advice(l, text, sizeof text));
}
