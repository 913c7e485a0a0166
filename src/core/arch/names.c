/* SPDX-License-Identifier: Apache-2.0
 * names.c -- translates names of tensors between a library's naming and timm's, by the rows (pf_name_row) of namings
 * and families: to timm's when a checkpoint is loaded, from timm's when one is saved. */
#include <stdio.h>
#include <string.h>
#include "core/arch/names.h"
#include "core/options/glob.h"

/* What # (layer) and @ (word, "weight" or "bias", of length bytes) of a pattern match in a name. */
typedef struct { int64_t layer; const char *word; size_t length; } captures;

/* Reading a number ends when it has reached this: of 12345 the 5 stays unread, so that no pattern matches. */
enum { READ_UP_TO = 1000 };
/* Matches pattern with the beginning of name and writes the number at # and the word at @ to *caps; if the pattern has
 * several #, such as "blocks.#.#." (chunk, layer), the last one counts. Returns the rest of name; NULL: no match. */
static const char *match(const char *pattern, const char *name, captures *caps)
{
    for (; *pattern; pattern++) {
        if (*pattern == '#') {
            if (*name < '0' || *name > '9' || (*name == '0' && name[1] >= '0' && name[1] <= '9')) return NULL;
            for (caps->layer = 0; *name >= '0' && *name <= '9' && caps->layer < READ_UP_TO; name++)
                caps->layer = 10 * caps->layer + *name - '0';
        } else if (*pattern == '@') {
            caps->word = name;
            caps->length = !strncmp(name, "weight", 6) ? 6 : !strncmp(name, "bias", 4) ? 4 : 0;
            if (!caps->length) return NULL;
            name += caps->length;
        } else if (*pattern != *name++) return NULL;
    }
    return name;
}

/* Writes front and pattern joined, with # and @ replaced by the captures. */
static void compose(char out[PF_NAME_MAX], const char *front, const char *pattern, const captures *caps)
{
    char both[2 * PF_NAME_MAX];
    size_t n = 0;
    snprintf(both, sizeof both, "%s%s", front, pattern);
    for (const char *p = both; *p && n < PF_NAME_MAX; p++) {
        if (*p == '#') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%lld", (long long)caps->layer);
        else if (*p == '@') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%.*s", (int)caps->length, caps->word);
        else out[n++] = *p;
    }
    out[n < PF_NAME_MAX ? n : PF_NAME_MAX - 1] = 0;
}

#define TIMM_FRONT "blocks.#."

/* Where a tensor belongs: tables have separate rows for tensors in blocks and outside them. */
typedef enum { OUTSIDE_BLOCKS, IN_BLOCK } place;

/* The k-th list of rows for a naming: list 0 is the naming's own, lists 1, 2, .. are those of the families that use it;
 * NULL: no more. */
static const pf_name_row *name_rows(pf_families families, const pf_naming *n, place where, size_t k)
{
    size_t list = 0;
    if (k == 0) return where == IN_BLOCK ? n->block : n->top;
    for (; *families; families++) {
        const pf_name_row *rows = where == IN_BLOCK ? (*families)->block : (*families)->top;
        if (rows && pf_family_uses(*families, n) && ++list == k) return rows;
    }
    return NULL;
}

/* Finds the row that matches the whole name and writes timm's name to *out; false: there is none. */
static bool find_row(pf_families families, const pf_naming *n, place where, const char *name, captures caps,
                     pf_timm_name *out)
{
    const pf_name_row *rows;
    for (size_t k = 0; (rows = name_rows(families, n, where, k)); k++)
        for (const pf_name_row *r = rows; r->theirs; r++) {
            const char *rest = match(r->theirs, name, &caps);
            if (!rest || *rest) continue;
            if (!r->timm) {
                out->kind = PF_NAME_IGNORED;
                return true;
            }
            compose(out->name, where == IN_BLOCK ? TIMM_FRONT : "", r->timm, &caps);
            out->part = r->part;
            out->kind = PF_NAME_OURS;
            return true;
        }
    return false;
}

/* Translates a name without prefix: of a tensor in a block, whose name begins with one of the two fronts ("blocks.#."),
 * or of one outside the blocks. */
static bool translate_tensor(pf_families families, const pf_naming *n, const char *name, pf_timm_name *out)
{
    captures caps = { 0, "", 0 };
    for (int i = 0; i < 2 && n->front[i].pattern; i++) {
        const char *rest = match(n->front[i].pattern, name, &caps);
        if (rest && find_row(families, n, IN_BLOCK, rest, caps, out)) return true;
    }
    return find_row(families, n, OUTSIDE_BLOCKS, name, caps, out);
}

/* Is name that of a classifier in any family? It may stand alone, or after the prefix or its first words: with the
 * prefix "model.vit." "head.weight", "model.vit.head.weight" and "model.head.weight" are such names. Then *out becomes
 * "head.weight" or "head.bias". */
static bool translate_classifier(pf_families families, const char *prefix, const char *name, pf_timm_name *out)
{
    const char *no_front = "";
    captures caps = { 0, "", 0 };
    for (size_t cut = 0;; cut++) {                     /* length of the first words of the prefix */
        for (pf_families f = families; *f && (!cut || prefix[cut - 1] == '.'); f++)
            for (const char *const *c = (*f)->classifiers; c && *c; c++) {
                const char *rest = match(*c, name + cut, &caps);
                if (!rest || *rest) continue;
                compose(out->name, no_front, "head.@", &caps);
                out->kind = PF_NAME_OURS;
                return true;
            }
        if (!prefix[cut] || prefix[cut] != name[cut]) return false;
    }
}

/* The first of the rows of this timm name and part that is for networks like s; NULL: there is none. */
static const pf_name_row *row_of_timm(const pf_name_row *rows, const pf_vit_shape *s, const char *name, int part,
                                      captures *caps)
{
    for (const pf_name_row *r = rows; r && r->theirs; r++) {
        const bool fits = r->timm && r->part == part && pf_shape_fits(s, r->needs);
        const char *rest = fits ? match(r->timm, name, caps) : NULL;
        if (rest && !*rest) return r;
    }
    return NULL;
}

/* Looks through the rows of the naming and of its families, then those outside the ViT's prefix. */
const pf_name_row *pf_naming_from_timm(pf_families families, const pf_naming *n, const pf_vit_shape *s,
                                       const char *timm, int part, char out[PF_NAME_MAX])
{
    captures caps = { 0, "", 0 };
    const char *in_block = match(TIMM_FRONT, timm, &caps), *name = in_block ? in_block : timm;
    const pf_name_row *rows, *r = NULL;
    const int front = pf_shape_fits(s, n->front[0].needs) ? 0 : 1;         /* of the names in blocks */
    for (size_t k = 0; !r && (rows = name_rows(families, n, in_block ? IN_BLOCK : OUTSIDE_BLOCKS, k)); k++)
        r = row_of_timm(rows, s, name, part, &caps);
    for (pf_families f = families; !r && !in_block && *f; f++)
        if (pf_family_uses(*f, n)) r = row_of_timm((*f)->outside, s, name, part, &caps);
    if (r) compose(out, in_block ? n->front[front].pattern : "", r->theirs, &caps);
    return r;
}

/* As translate_classifier, for the tensors that the families of the naming have outside the ViT's prefix
 * (pf_family.outside): the name may stand alone, or after the prefix or its first words. */
static bool translate_outside(pf_families families, const pf_naming *n, const char *prefix, const char *name,
                              pf_timm_name *out)
{
    const char *no_front = "";
    captures caps = { 0, "", 0 };
    for (size_t cut = 0; !cut || (prefix[cut - 1] && prefix[cut - 1] == name[cut - 1]); cut++) {
        if (cut && prefix[cut - 1] != '.') continue;
        for (pf_families f = families; *f; f++)
            for (const pf_name_row *r = pf_family_uses(*f, n) ? (*f)->outside : NULL; r && r->theirs; r++) {
                const char *rest = match(r->theirs, name + cut, &caps);
                if (!rest || *rest) continue;
                compose(out->name, no_front, r->timm, &caps);
                out->part = r->part;
                out->kind = PF_NAME_OURS;
                return true;
            }
    }
    return false;
}

/* Does a glob of any family's list `ignored` match the name? */
static bool in_ignored(pf_families families, const char *name)
{
    for (; *families; families++)
        for (const char *const *glob = (*families)->ignored; glob && *glob; glob++)
            if (pf_glob(*glob, name)) return true;
    return false;
}

bool pf_naming_in_block(const pf_naming *n, const char *name)
{
    captures caps;
    for (int i = 0; i < 2 && n->front[i].pattern; i++) if (match(n->front[i].pattern, name, &caps)) return true;
    return false;
}

/* Is this a tensor that features do not depend on? has_prefix: name is the part behind the ViT's prefix, and a glob
 * must match all of it; tensors of blocks are not ignored. Without has_prefix the name is that of the file, and a glob
 * may also match the part behind any of its dots. */
static bool is_ignored(pf_families families, const pf_naming *n, bool has_prefix, const char *name)
{
    if (has_prefix && pf_naming_in_block(n, name)) return false;
    if (in_ignored(families, name)) return true;
    for (; !has_prefix && *name; name++) if (*name == '.' && in_ignored(families, name + 1)) return true;
    return false;
}

/* Tries the rows of the naming, then the classifiers of all families, the rows outside the prefix, and the lists of
 * ignored tensors. */
pf_timm_name pf_naming_to_timm(pf_families families, const pf_naming *n, const char *prefix, const char *name)
{
    pf_timm_name out = { .kind = PF_NAME_UNKNOWN };
    const size_t prefix_length = strlen(prefix), inner_length = n->inner ? strlen(n->inner) : 0;
    const bool has_prefix = !strncmp(name, prefix, prefix_length);
    const captures nothing = { 0, "", 0 };
    const char *rest = has_prefix ? name + prefix_length : name;
    if (has_prefix && translate_tensor(families, n, rest, &out)) return out;
    if (has_prefix && inner_length && !strncmp(rest, n->inner, inner_length)
        && find_row(families, n, OUTSIDE_BLOCKS, rest + inner_length, nothing, &out)) return out;
    if (translate_classifier(families, prefix, name, &out)) return out;
    if (translate_outside(families, n, prefix, name, &out)) return out;
    if (is_ignored(families, n, has_prefix, rest)) out.kind = PF_NAME_IGNORED;
    return out;
}

/* Writes front and the name that rows give the tensor `timm`, with "weight" for @, and # as it is: "blocks.#." and
 * "attn.qkv.weight" for "attn.qkv.@". Where q, k and v are separate tensors, the row of q is the first and is taken. */
static void weight_pattern(const pf_name_row *rows, const char *front, const char *timm, char out[PF_NAME_MAX])
{
    while (rows->theirs && (!rows->timm || strcmp(rows->timm, timm))) rows++;
    const char *theirs = rows->theirs ? rows->theirs : "", *word = strchr(theirs, '@');
    const int before = (int)(word ? (size_t)(word - theirs) : strlen(theirs));
    snprintf(out, PF_NAME_MAX, "%s%.*s%s", front, before, theirs, word ? "weight" : "");
}

bool pf_naming_attention(const pf_naming *n, int front, char out[PF_NAME_MAX])
{
    if (front < 0 || front > 1 || !n->front[front].pattern) return false;
    weight_pattern(n->block, n->front[front].pattern, "attn.qkv.@", out);
    return true;
}

void pf_naming_patch(const pf_naming *n, char out[PF_NAME_MAX])
{
    const char *no_front = "";
    weight_pattern(n->top, no_front, "patch_embed.proj.@", out);
}

/* q, k and v of a block; else gate and value of a gated MLP, or k and v of attention pooling. */
int pf_name_parts(const char *timm) { return strstr(timm, ".attn.qkv.") ? 3 : 2; }

bool pf_name_matches(const char *pattern, const char *name)
{
    captures caps;
    const char *rest = match(pattern, name, &caps);
    return rest && !*rest;
}
