/* SPDX-License-Identifier: Apache-2.0
 * load_names.c -- detects the naming of the file, translates the names of its tensors to timm's, and finds tensors by
 * their timm names. */
#include <stdio.h>
#include <string.h>
#include "core/options/glob.h"
#include "core/weights/load/load.h"

/* Compares the option "naming" (asked) with the naming found. "hf" accepts every naming of Hugging Face: hf, hf5 and
 * hf-clip; "timm" accepts timm-unfused. */
static peft_status check_naming(pf_families families, const char *asked, const char *found)
{
    const pf_naming *naming[PF_NAMINGS_MAX];
    const size_t n = pf_namings(families, naming);
    char names[256];
    bool known = !strcmp(asked, "auto");
    for (size_t i = 0; i < n; i++) known |= !strcmp(asked, naming[i]->name);
    pf_list_namings(families, names, sizeof names);
    if (!known) return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected auto, %s", asked, names);
    if (!strcmp(asked, "auto") || !strcmp(asked, found) || (!strcmp(asked, "hf") && !strncmp(found, "hf", 2))
        || (!strcmp(asked, "timm") && !strncmp(found, "timm", 4)))
        return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "naming: given '%s', but the file's names are %s", asked, found);
}

#define PREFIX_LIST_MAX 512
/* Writes the prefixes of n ViTs, "'model.' and 'ema.'". */
static const char *list_prefixes(const pf_detected *found, size_t n, char list[PREFIX_LIST_MAX])
{
    size_t used = 0;
    *list = 0;
    for (size_t i = 0; i < n && used < PREFIX_LIST_MAX; i++)
        used += (size_t)snprintf(list + used, PREFIX_LIST_MAX - used, "%s'%s'",
                                 i == 0 ? "" : i + 1 < n ? ", " : " and ", found[i].prefix);
    return list;
}

/* The error for a file with several ViTs, n, which lists their prefixes. The example in it is the first prefix that is
 * not empty. */
static peft_status several_error(const pf_detected *found, size_t n)
{
    char list[PREFIX_LIST_MAX];
    const char *example = *found[0].prefix ? found[0].prefix : found[1].prefix;
    return pf_fail(PEFT_E_UNSUPPORTED, "the file holds several ViTs, with the prefixes %s: the option prefix=%s "
                   "chooses one (--backbone-options prefix=%s in the programs)", list_prefixes(found, n, list), example,
                   example);
}

/* The error for an option "prefix" that no ViT of the file has. It lists those that there are. */
static peft_status prefix_error(const pf_loader *l, const char *prefix)
{
    pf_detected found[PF_DETECTED_MAX];
    char list[PREFIX_LIST_MAX];
    const char *any = NULL;
    const size_t n = pf_naming_detect(l->families, l->file, any, found);
    if (!n) return pf_fail(PEFT_E_OPTION, "prefix: given '%s', but the file holds no ViT that is known here", prefix);
    return pf_fail(PEFT_E_OPTION, "prefix: given '%s', but no ViT of the file has it: those of the file have %s",
                   prefix, list_prefixes(found, n, list));
}

/* Sets naming, prefix and family of the file's ViT. */
static peft_status detect(pf_loader *l)
{
    const char *asked = pf_options_string(l->o, pf_backbone_load_options, "naming");
    const char *prefix = pf_options_string(l->o, pf_backbone_load_options, "prefix");
    const char *cure, *refused = pf_naming_refused(l->file, &cure);
    pf_detected found[PF_DETECTED_MAX];
    if (refused) return pf_fail(PEFT_E_UNSUPPORTED, "the file holds %s, which is not supported%s%s", refused,
                                *cure ? ": " : "", cure);
    const char *asked_prefix = strcmp(prefix, "auto") ? prefix : NULL;
    const size_t n = pf_naming_detect(l->families, l->file, asked_prefix, found);
    if (!n && asked_prefix) return prefix_error(l, prefix);
    const char *kind = pf_st_meta(l->file, "libpeft.kind");
    if (!n && kind)
        return pf_fail(PEFT_E_FORMAT, "no ViT found: this is a libpeft file of the kind '%.40s'; load the backbone "
                       "that it was trained on, then this file for it", kind);
    if (!n)
        return pf_fail(PEFT_E_FORMAT, "no ViT found: expected a block's attention weights, named as in timm "
                       "(blocks.0.attn.qkv.weight), Hugging Face, CLIP, torchvision or mmpretrain");
    if (n > 1) return several_error(found, n);
    l->naming = found[0].naming;
    memcpy(l->prefix, found[0].prefix, sizeof l->prefix);
    l->family = pf_family_of(l->families, l->naming, l->file);
    if (!l->family)
        return pf_fail(PEFT_E_UNSUPPORTED, "the file has %s names, but its tensors are those of no family of networks "
                       "that this library knows", l->naming->name);
    return check_naming(l->families, asked, l->naming->name);
}

/* Gives the second half of fc1 the place of the whole in files without a first half (pf_naming.lone_half). */
static void join_lone_halves(pf_loader *l)
{
    enum { FIRST = 1, SECOND = 2 };
    static const char fc1[] = ".mlp.fc1.";
    for (size_t i = 0; i < l->count; i++)
        if (l->found[i].timm.part == FIRST && strstr(l->found[i].timm.name, fc1)) return;
    for (size_t i = 0; i < l->count; i++)
        if (l->found[i].timm.part == SECOND && strstr(l->found[i].timm.name, fc1))
            l->found[i].timm.part = PF_WHOLE_TENSOR;
}

/* Replaces f, rows of q, k and v of attention pooling in one tensor, by its first third under timm's name of q, and
 * appends the rest as kv. */
static void split_pool_qkv(pf_loader *l, pf_found *f)
{
    const pf_st_tensor *t = f->tensor;
    const bool weight = strstr(f->timm.name, ".weight");
    enum { THIRDS = 3 };
    if (l->parts + 2 > sizeof l->part / sizeof *l->part || t->ndim < 1 || t->dim[0] % THIRDS) return;
    for (int i = 0; i < 2; i++) {                          /* a third, and two of them */
        pf_st_tensor *p = &l->part[l->parts++];
        *p = *t;
        p->dim[0] = t->dim[0] / THIRDS * (1 + i);
        p->bytes = t->bytes / THIRDS * (size_t)(1 + i);
        if (i) p->data = (const char *)t->data + t->bytes / THIRDS;
        pf_found *to = i ? &l->found[l->count++] : f;
        to->timm = (pf_timm_name){ .kind = PF_NAME_OURS, .part = PF_WHOLE_TENSOR };
        snprintf(to->timm.name, sizeof to->timm.name, "attn_pool.%s.%s", i ? "kv" : "q", weight ? "weight" : "bias");
        to->tensor = p;
    }
}

/* A file of PyTorch may hold other dictionaries beside that of the ViT, such as an optimiser's: what no naming knows in
 * them is ignored. */
static void ignore_other_dictionaries(pf_loader *l)
{
    const pf_st_tensor *ours = NULL;                    /* a tensor of the ViT */
    for (size_t i = 0; i < l->count && !ours; i++)
        if (l->found[i].timm.kind == PF_NAME_OURS && !pf_is_classifier(l->found[i].timm.name))
            ours = l->found[i].tensor;
    for (size_t i = 0; i < l->count && ours; i++) {
        const pf_st_tensor *t = l->found[i].tensor;
        if (l->found[i].timm.kind == PF_NAME_UNKNOWN
            && (t->dictionary != ours->dictionary || strncmp(t->name, ours->name, t->dictionary)))
            l->found[i].timm.kind = PF_NAME_IGNORED;
    }
}

/* Logs how many tensors of the file are ignored. */
static void log_ignored(const pf_loader *l)
{
    size_t ignored = 0;
    const char *example = "";
    for (size_t i = 0; i < l->count; i++) {
        if (l->found[i].timm.kind != PF_NAME_IGNORED) continue;
        ignored++;
        example = l->found[i].tensor->name;
    }
    if (ignored)
        pf_log(l->ctx, PF_LOG_INFO, "%zu tensors of the file are not used, among them %.80s", ignored, example);
}

peft_status pf_load_names(pf_loader *l)
{
    PF_TRY(detect(l));
    size_t n = pf_st_count(l->file);
    const size_t room = n + sizeof l->part / sizeof *l->part;
    l->found = pf_alloc_zero(l->ctx, room * sizeof *l->found);
    if (!l->found) return pf_nomem("the file's names", room * sizeof *l->found);
    l->count = n;
    for (size_t i = 0; i < n; i++) {
        l->found[i].tensor = pf_st_at(l->file, i);
        l->found[i].timm = pf_naming_to_timm(l->families, l->naming, l->prefix, l->found[i].tensor->name);
        l->found[i].used = l->int8.int8 && pf_int8_is_scale(l->file, l->found[i].tensor);      /* with its matrix */
        const bool ours = l->found[i].timm.kind == PF_NAME_OURS;
        if (!ours || !pf_name_matches(PF_POOL_QKV, l->found[i].timm.name)) continue;
        PF_TRY(pf_st_fetch(l->file, l->found[i].tensor));       /* so that thirds of the rows lie one after the other */
        split_pool_qkv(l, &l->found[i]);
    }
    if (l->naming->lone_half) join_lone_halves(l);
    ignore_other_dictionaries(l);
    log_ignored(l);
    return PEFT_OK;
}

enum { PARTS_MAX = 3, K_PART = 2 };                     /* parts q, k, v of a tensor; pf_timm_name.part of k */

/* The name behind "blocks.N."; NULL: the tensor is outside the blocks. */
static const char *in_block(const char *name)
{
    static const char front[] = "blocks.";
    const char *dot = strncmp(name, front, sizeof front - 1) ? NULL : strchr(name + sizeof front - 1, '.');
    return dot ? dot + 1 : NULL;
}

/* Has any block this part of the tensor `name` of a block? */
static bool some_block_has(const pf_loader *l, const char *name, int part)
{
    for (size_t i = 0; i < l->count; i++) {
        const pf_timm_name *t = &l->found[i].timm;
        const char *inner = t->kind == PF_NAME_OURS && t->part == part ? in_block(t->name) : NULL;
        if (inner && !strcmp(inner, in_block(name))) return true;
    }
    return false;
}

/* May this part (1, 2, 3, or PF_WHOLE_TENSOR) of the tensor be missing, by pf_naming.absent_biases? */
static bool may_lack(const pf_loader *l, const char *name, int part)
{
    static const char *const any[] = { "attn.qkv.bias", "attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias" };
    const char *inner = in_block(name);
    if (!inner) return false;
    if (l->naming->absent_biases == PF_ABSENT_K) return part == K_PART && !strcmp(inner, any[0]);
    for (size_t i = 0; l->naming->absent_biases == PF_ABSENT_ANY && i < sizeof any / sizeof *any; i++)
        if (!strcmp(inner, any[i])) return !some_block_has(l, name, part);
    return false;
}

/* Writes to parts the tensor of this timm name, or all of its parts; returns how many, 0 if one is missing. A part that
 * may be missing is NULL, but not all of them. */
static int find_parts(const pf_loader *l, const char *name, pf_found *parts[PARTS_MAX])
{
    pf_found *by_part[1 + PARTS_MAX] = { NULL };        /* by pf_timm_name.part: PF_WHOLE_TENSOR, 1, 2, 3 */
    for (size_t i = 0; i < l->count; i++) {
        pf_found *f = &l->found[i];
        if (f->timm.kind == PF_NAME_OURS && !by_part[f->timm.part] && !strcmp(f->timm.name, name))
            by_part[f->timm.part] = f;
    }
    const bool whole = by_part[PF_WHOLE_TENSOR] != NULL;
    const int first = whole ? PF_WHOLE_TENSOR : 1, count = whole ? 1 : pf_name_parts(name);
    int found = 0;
    for (int i = 0; i < count; i++) {
        found += (parts[i] = by_part[first + i]) != NULL;
        if (!parts[i] && (whole || !may_lack(l, name, first + i))) return 0;
    }
    return found ? count : 0;
}

bool pf_load_is_absent_bias(const pf_loader *l, const char *name)
{
    bool absent = l->naming->absent_biases == PF_ABSENT_ANY;
    for (int part = PF_WHOLE_TENSOR; part <= PARTS_MAX; part++) absent = absent && may_lack(l, name, part);
    return absent;
}

int pf_load_find(const pf_loader *l, const char *name, const pf_st_tensor *part[3])
{
    pf_found *parts[PARTS_MAX];
    const int n = find_parts(l, name, parts);
    for (int i = 0; i < n; i++) part[i] = parts[i] ? parts[i]->tensor : NULL;
    return n;
}

int pf_load_take(pf_loader *l, const char *name, const pf_st_tensor *part[3])
{
    pf_found *parts[PARTS_MAX];
    const int n = find_parts(l, name, parts);
    for (int i = 0; i < n; i++) {
        part[i] = parts[i] ? parts[i]->tensor : NULL;
        if (parts[i]) parts[i]->used = true;
    }
    return n;
}

void pf_load_rename(pf_loader *l, const char *from, const char *to)
{
    for (size_t i = 0; i < l->count; i++) {
        pf_timm_name *n = &l->found[i].timm;
        if (n->kind == PF_NAME_OURS && !strcmp(n->name, from)) snprintf(n->name, sizeof n->name, "%s", to);
    }
}

bool pf_load_has_tensor(const pf_loader *l, const char *glob)
{
    for (size_t i = 0; i < l->count; i++) if (pf_glob(glob, l->found[i].tensor->name)) return true;
    return false;
}

void pf_load_ignore(pf_loader *l, const char *glob)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->found[i].timm.kind == PF_NAME_OURS && pf_glob(glob, l->found[i].timm.name))
            l->found[i].timm.kind = PF_NAME_IGNORED;
}
