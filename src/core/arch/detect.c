/* SPDX-License-Identifier: Apache-2.0
 * detect.c -- finds by the names of a file's tensors the naming, the prefix and the family of the ViT in it, and
 * recognises networks that this library does not compute. */
#include <string.h>
#include "core/arch/names.h"
#include "core/options/glob.h"

/* Names of tensors by which networks are recognised that this library does not compute. Whoever adds the family of such
 * a network removes its rows. cure: what the user can do; NULL: nothing. */
static const struct { const char *glob, *what, *cure; } refused[] = {
    { "*relative_position_bias_table", "relative position bias (BEiT, Swin)", NULL },
    { "*.lambda_1", "LayerScale of BEiT (BEiT, Data2Vec)", NULL },
    { "*attention.q_bias", "biases of q and v without one of k (VideoMAE)", NULL },
    { "*stages.0.layers.0.dwconv.weight", "a network in stages (ConvNeXt)", NULL },
    { "*.attn.sub_norm.weight", "differential attention", NULL },
    { "*.base_layer.weight", "adapters of Hugging Face's PEFT inside the network (base_layer)",
      "merge them in Python (model.merge_and_unload()) and save the result, or save the adapters alone "
      "(model.save_pretrained) and give their folder as the model" },
    { "*patch_embedding.patch_embeddings.*", "MONAI's ViT (patch_embedding, mlp.linear1)", NULL },
    { "*.attn.rel_pos.*", "relative positions (timm's vit_relpos)", NULL },
    { "*.attn.rel_pos_?", "relative positions (SAM, MViT)", NULL },
    { "*patch_embed.norm.*", "a norm inside the patch embedding", NULL },
    { "*encoder.layers.0.self_attn.qkv.weight", "the image tower of BLIP", NULL },
    { "*.message_attn.*", "attention over frames (X-CLIP)", NULL },
    { "*embeddings.rms_norm.weight", "RMSNorm (AIMv2)", NULL },
    { "*detection_tokens", "detection tokens (YOLOS)", NULL },
    { "*attn_pool_contrastive.*", "attention pooling in two stages (attentional_pool of open_clip)", NULL },
    { "*heads.pre_logits.*", "a hidden layer of the classifier (representation_size of torchvision)", NULL },
    { "*head.layers.pre_logits.*", "a hidden layer of the classifier (hidden_dim of mmpretrain)", NULL },
    { "*patch_embed.backbone.*", "a convolutional stem (hybrid ViT)", NULL },
    { "*patch_generator.*", "the patch generator of RADIO", NULL },
    { "*embeds.proj.weight", "patches of any grid (NaFlexViT)", NULL },
    { "*blocks.0.attns.*", "parallel attention", NULL },
    { "*blocks.0.in_proj.weight", "attention and MLP side by side", NULL },
    { "*stages.0.blocks.0.*", "a network in stages (ConvNeXt, hierarchical)", NULL },
    { "*downsample_layers.0.*", "a network in stages (ConvNeXt)", NULL },
    { "*layer1.0.conv1.weight", "a convolutional network (ResNet)", NULL },
    { "*encoder.stages.0.layers.0.*convolution.weight", "a convolutional network (ResNet)", NULL } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *pf_naming_refused(const pf_st *file, const char **cure)
{
    *cure = "";
    for (size_t r = 0; r < COUNT(refused); r++)
        for (size_t i = 0; i < pf_st_count(file); i++)
            if (pf_glob(refused[r].glob, pf_st_at(file, i)->name)) {
                if (refused[r].cure) *cure = refused[r].cure;
                return refused[r].what;
            }
    return NULL;
}

/* Has the file a tensor whose name is prefix, inner and rest joined? */
static bool has_tensor(const pf_st *file, const char *prefix, const char *inner, const char *rest)
{
    for (size_t i = 0; i < pf_st_count(file); i++) {
        const char *name = pf_st_at(file, i)->name;
        const size_t n = strlen(prefix), m = strlen(inner);
        if (!strncmp(name, prefix, n) && !strncmp(name + n, inner, m) && !strcmp(name + n + m, rest)) return true;
    }
    return false;
}

/* Appends to found[n] the ViT of this naming whose prefix is the first prefix_length bytes of name, unless found has it
 * already. Returns the new number of ViTs. */
static size_t add_vit(const pf_st *file, pf_detected *found, size_t n, const pf_naming *naming, const char *name,
                      size_t prefix_length)
{
    pf_detected d = { .naming = naming };
    char patch[PF_NAME_MAX];
    if (prefix_length >= PF_NAME_MAX || n == PF_DETECTED_MAX) return n;
    memcpy(d.prefix, name, prefix_length);
    for (size_t i = 0; i < n; i++) if (found[i].naming == naming && !strcmp(found[i].prefix, d.prefix)) return n;
    pf_naming_patch(naming, patch);
    const char *no_inner = "";
    d.whole = has_tensor(file, d.prefix, no_inner, patch)
           || (naming->inner && has_tensor(file, d.prefix, naming->inner, patch));
    found[n] = d;
    return n + 1;
}

/* Patterns of the attention weights by which namings are recognised: attention[2 * i + f] for front f of naming[i]; "":
 * the naming has no such front. */
typedef struct {
    const pf_naming *naming[PF_NAMINGS_MAX];
    char attention[2 * PF_NAMINGS_MAX][PF_NAME_MAX];
    size_t count;                        /* patterns, two a naming */
} patterns;

/* Fills in m for the namings of all families. */
static void make_patterns(pf_families families, patterns *m)
{
    m->count = 2 * pf_namings(families, m->naming);
    for (size_t k = 0; k < m->count; k++)
        if (!pf_naming_attention(m->naming[k / 2], k % 2, m->attention[k])) *m->attention[k] = 0;
}

/* Writes every ViT of the file to found: an attention weight's name is a prefix that ends in a dot (or nothing), and
 * then a naming's pattern. Returns their number. */
static size_t collect(pf_families families, const pf_st *file, pf_detected *found)
{
    patterns m;
    size_t n = 0;
    make_patterns(families, &m);
    for (size_t i = 0; i < pf_st_count(file); i++) {
        const char *name = pf_st_at(file, i)->name;
        for (size_t length = 0; name[length]; length++) {
            if (length && name[length - 1] != '.') continue;
            for (size_t k = 0; k < m.count; k++)
                if (*m.attention[k] && pf_name_matches(m.attention[k], name + length))
                    n = add_vit(file, found, n, m.naming[k / 2], name, length);
        }
    }
    return n;
}

/* Does the prefix of one of the n ViTs contain the word? */
static bool any_prefix_has(const pf_detected *found, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) if (strstr(found[i].prefix, word)) return true;
    return false;
}

/* Is d the one of a file's two networks that is not loaded, such as the student beside its teacher? */
static bool is_skipped(pf_families families, const pf_detected *all, size_t n, const pf_detected *d)
{
    for (; *families; families++) {
        const pf_family *f = *families;
        if (f->skipped && strstr(d->prefix, f->skipped) && any_prefix_has(all, n, f->loaded)) return true;
    }
    return false;
}

/* Is prefix the one that the caller asked for, with or without the dot at its end? With begins: does it begin with that
 * one, as "teacher.backbone." with "teacher"? */
static bool prefix_is(const char *asked, const char *prefix, bool begins)
{
    size_t n = strlen(asked);
    if (n && asked[n - 1] == '.') n--;
    if (strncmp(asked, prefix, n)) return false;
    return begins ? !n || prefix[n] == '.' : !prefix[n] || (n && prefix[n] == '.' && !prefix[n + 1]);
}

/* Does one of the n ViTs have the prefix that the caller asked for? */
static bool any_prefix_is(const char *asked, const pf_detected *found, size_t n)
{
    for (size_t i = 0; i < n; i++) if (prefix_is(asked, found[i].prefix, false)) return true;
    return false;
}

/* all: every ViT of the file; then the whole ones are moved to its first `whole` entries. found: the whole ones with
 * the prefix asked for or, if no ViT has exactly this prefix, those whose prefixes begin with it. */
size_t pf_naming_detect(pf_families families, const pf_st *file, const char *asked,
                        pf_detected found[PF_DETECTED_MAX])
{
    pf_detected all[PF_DETECTED_MAX];
    const size_t n = collect(families, file, all);
    size_t whole = 0, chosen = 0;
    const bool begins = asked && *asked && !any_prefix_is(asked, all, n);
    for (size_t i = 0; i < n; i++) if (all[i].whole) all[whole++] = all[i];
    for (size_t i = 0; i < whole; i++)
        if (asked ? prefix_is(asked, all[i].prefix, begins) : !is_skipped(families, all, whole, &all[i]))
            found[chosen++] = all[i];
    if (whole || !n || (asked && !prefix_is(asked, all[0].prefix, begins))) return chosen;
    found[0] = all[0];                                      /* incomplete ViTs only: loading lists what is missing */
    return 1;
}

static bool any_tensor_matches(const pf_st *file, const char *glob)
{
    for (size_t i = 0; i < pf_st_count(file); i++) if (pf_glob(glob, pf_st_at(file, i)->name)) return true;
    return false;
}

/* The first family that uses the naming and has no globs (has_tensor), or one that matches a tensor. */
const pf_family *pf_family_of(pf_families families, const pf_naming *n, const pf_st *file)
{
    for (; *families; families++) {
        const pf_family *f = *families;
        if (!pf_family_uses(f, n)) continue;
        const char *const *glob = f->has_tensor;
        if (!glob[0] || any_tensor_matches(file, glob[0]) || (glob[1] && any_tensor_matches(file, glob[1]))) return f;
    }
    return NULL;
}
