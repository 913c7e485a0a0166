/* SPDX-License-Identifier: Apache-2.0
 * names.c -- translates names between a library's naming and timm's by the rows of the families, for reading and for
 * writing. */
#include <stdio.h>
#include <string.h>
#include "core/arch/names.h"
#include "core/options/glob.h"

/* What stands in a name where its pattern has # (layer) and @ (word, of length bytes). */
typedef struct { int64_t layer; const char *word; size_t length; } holes;

/* Matches pattern with the beginning of name and writes what stands at # (the last one) and @ to *h. Returns the rest
 * of name; NULL: no match. */
static const char *follow(const char *pattern, const char *name, holes *h)
{
    for (; *pattern; pattern++) {
        if (*pattern == '#') {
            if (*name < '0' || *name > '9' || (*name == '0' && name[1] >= '0' && name[1] <= '9')) return NULL;
            for (h->layer = 0; *name >= '0' && *name <= '9' && h->layer < 1000; name++)
                h->layer = 10 * h->layer + *name - '0';
        } else if (*pattern == '@') {
            h->word = name;
            h->length = !strncmp(name, "weight", 6) ? 6 : !strncmp(name, "bias", 4) ? 4 : 0;
            if (!h->length) return NULL;
            name += h->length;
        } else if (*pattern != *name++) return NULL;
    }
    return name;
}

/* Writes front and pattern joined, with # and @ replaced by what *h holds. */
static void compose(char out[PF_NAME_MAX], const char *front, const char *pattern, const holes *h)
{
    char both[2 * PF_NAME_MAX];
    size_t n = 0;
    snprintf(both, sizeof both, "%s%s", front, pattern);
    for (const char *p = both; *p && n < PF_NAME_MAX; p++) {
        if (*p == '#') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%lld", (long long)h->layer);
        else if (*p == '@') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%.*s", (int)h->length, h->word);
        else out[n++] = *p;
    }
    out[n < PF_NAME_MAX ? n : PF_NAME_MAX - 1] = 0;
}

#define TIMM_FRONT "blocks.#."

/* The k-th list of rows for a naming, for names in blocks or outside them: the naming's own list, then those of the
 * families that use it; NULL: no more. */
static const pf_name_row *list(pf_families families, const pf_naming *n, bool blocks, size_t k)
{
    if (!k--) return blocks ? n->block : n->top;
    for (; *families; families++) {
        const pf_name_row *rows = blocks ? (*families)->block : (*families)->top;
        if (rows && pf_family_uses(*families, n) && !k--) return rows;
    }
    return NULL;
}

/* Finds the row that matches all of name and writes timm's name to *out; false: there is none. */
static bool look_up(pf_families families, const pf_naming *n, bool blocks, const char *name, holes h, pf_timm_name *out)
{
    const pf_name_row *rows;
    for (size_t k = 0; (rows = list(families, n, blocks, k)); k++)
        for (const pf_name_row *r = rows; r->theirs; r++) {
            const char *rest = follow(r->theirs, name, &h);
            if (!rest || *rest) continue;
            compose(out->name, blocks ? TIMM_FRONT : "", r->timm, &h);
            out->part = r->part;
            out->kind = PF_NAME_OURS;
            return true;
        }
    return false;
}

static bool inside(pf_families families, const pf_naming *n, const char *name, pf_timm_name *out)
{
    holes h = { 0, "", 0 };
    for (int i = 0; i < 2 && n->front[i].pattern; i++) {
        const char *rest = follow(n->front[i].pattern, name, &h);
        if (rest && look_up(families, n, true, rest, h, out)) return true;
    }
    return look_up(families, n, false, name, h, out);
}

/* Is name that of a classifier in any family, alone or behind the prefix or a part of it? Then *out is "head.weight" or
 * "head.bias". */
static bool classifier(pf_families families, const char *prefix, const char *name, pf_timm_name *out)
{
    holes h = { 0, "", 0 };
    for (size_t cut = 0;; cut++) {
        for (pf_families f = families; *f && (!cut || prefix[cut - 1] == '.'); f++)
            for (const char *const *c = (*f)->classifiers; c && *c; c++) {
                const char *rest = follow(*c, name + cut, &h);
                if (!rest || *rest) continue;
                compose(out->name, "", "head.@", &h);
                out->kind = PF_NAME_OURS;
                return true;
            }
        if (!prefix[cut] || prefix[cut] != name[cut]) return false;
    }
}

bool pf_naming_theirs(pf_families families, const pf_naming *n, const pf_vit_shape *s, const char *timm, int part,
                      char out[PF_NAME_MAX])
{
    holes h = { 0, "", 0 };
    const char *inner = follow(TIMM_FRONT, timm, &h), *name = inner ? inner : timm;
    const pf_name_row *rows;
    int front = 0;
    while (front < 1 && !pf_shape_fits(s, n->front[front].only)) front++;
    for (size_t k = 0; (rows = list(families, n, inner != NULL, k)); k++)
        for (const pf_name_row *r = rows; r->theirs; r++) {
            const char *rest = r->part == part && pf_shape_fits(s, r->only) ? follow(r->timm, name, &h) : NULL;
            if (!rest || *rest) continue;
            compose(out, inner ? n->front[front].pattern : "", r->theirs, &h);
            return true;
        }
    return false;
}

static bool any_of(pf_families families, const char *name)
{
    for (; *families; families++)
        for (const char *const *glob = (*families)->ignored; glob && *glob; glob++)
            if (pf_glob(*glob, name)) return true;
    return false;
}

static bool in_block(const pf_naming *n, const char *name)
{
    holes h;
    for (int i = 0; i < 2 && n->front[i].pattern; i++) if (follow(n->front[i].pattern, name, &h)) return true;
    return false;
}

/* Is this a tensor that features do not depend on? within: name is what stands behind the ViT's prefix, and is compared
 * as a whole; else it is compared from each of its dots on too. No tensor of a block is left out. */
static bool left_out(pf_families families, const pf_naming *n, bool within, const char *name)
{
    if (within && in_block(n, name)) return false;
    if (any_of(families, name)) return true;
    for (; !within && *name; name++) if (*name == '.' && any_of(families, name + 1)) return true;
    return false;
}

pf_timm_name pf_naming_translate(pf_families families, const pf_naming *n, const char *prefix, const char *name)
{
    pf_timm_name out = { .kind = PF_NAME_UNKNOWN };
    const size_t front = strlen(prefix), inner = n->inner ? strlen(n->inner) : 0;
    const bool within = !strncmp(name, prefix, front);
    const char *rest = within ? name + front : name;
    if (within && inside(families, n, rest, &out)) return out;
    if (within && inner && !strncmp(rest, n->inner, inner)
        && look_up(families, n, false, rest + inner, (holes){ 0, "", 0 }, &out)) return out;
    if (classifier(families, prefix, name, &out)) return out;
    if (left_out(families, n, within, rest)) out.kind = PF_NAME_IGNORED;
    return out;
}

/* Writes front and the name that rows have for timm's weight (of several parts the first); # stays in it. */
static void weight_of(const pf_name_row *rows, const char *front, const char *timm, char out[PF_NAME_MAX])
{
    while (rows->theirs && strcmp(rows->timm, timm)) rows++;
    const char *theirs = rows->theirs ? rows->theirs : "", *at = strchr(theirs, '@');
    const int before = (int)(at ? (size_t)(at - theirs) : strlen(theirs));
    snprintf(out, PF_NAME_MAX, "%s%.*s%s", front, before, theirs, at ? "weight" : "");
}

bool pf_naming_attention(const pf_naming *n, int front, char out[PF_NAME_MAX])
{
    if (front < 0 || front > 1 || !n->front[front].pattern) return false;
    weight_of(n->block, n->front[front].pattern, "attn.qkv.@", out);
    return true;
}

void pf_naming_patch(const pf_naming *n, char out[PF_NAME_MAX]) { weight_of(n->top, "", "patch_embed.proj.@", out); }

int pf_name_parts(const char *timm) { return strstr(timm, ".attn.qkv.") ? 3 : 2; }

bool pf_name_is(const char *pattern, const char *name)
{
    holes h;
    const char *rest = follow(pattern, name, &h);
    return rest && !*rest;
}
