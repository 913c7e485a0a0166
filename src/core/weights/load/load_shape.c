/* SPDX-License-Identifier: Apache-2.0
 * load_shape.c -- finds the shape of a file's ViT as far as its tensors determine it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

/* The tensor with this timm name, or its first part that is not zeros; NULL: the file does not have it. */
static const pf_st_tensor *first_part(const pf_loader *l, const char *name)
{
    const pf_st_tensor *part[3];
    const int parts = pf_load_find(l, name, part);
    for (int p = 0; p < parts; p++) if (part[p]) return part[p];
    return NULL;
}

/* An extent of the tensor; 0: no such tensor or axis. */
static int64_t extent(const pf_loader *l, const char *name, int axis)
{
    const pf_st_tensor *t = first_part(l, name);
    return t && axis < t->ndim ? t->dim[axis] : 0;
}

/* The number of rows if the tensor is taken as [rows, width]: tensors of tokens may have leading extents of 1. */
static int64_t token_rows(const pf_loader *l, const char *name)
{
    const pf_st_tensor *t = first_part(l, name);
    return t && l->shape.width > 0 ? pf_dims_count(t->ndim, t->dim) / l->shape.width : 0;
}

/* The first extent of the tensor, or the sum of those of its parts. */
static int64_t rows_of_parts(const pf_loader *l, const char *name)
{
    const pf_st_tensor *part[3];
    int64_t n = 0;
    const int parts = pf_load_find(l, name, part);
    for (int p = 0; p < parts; p++) n += part[p] && part[p]->ndim ? part[p]->dim[0] : 0;
    return n;
}

/* The number of blocks: the lowest number N for which no tensor of the ViT (PF_NAME_OURS) is named blocks.N.*. Stops
 * above PEFT_DEPTH_MAX, which pf_shape_check will refuse. */
static int64_t depth_of(const pf_loader *l)
{
    char prefix[PF_NAME_MAX];
    for (int64_t depth = 0;; depth++) {
        bool found = false;
        snprintf(prefix, sizeof prefix, "blocks.%lld.", (long long)depth);
        for (size_t i = 0; i < l->count && !found; i++)
            found = l->found[i].timm.kind == PF_NAME_OURS && !strncmp(l->found[i].timm.name, prefix, strlen(prefix));
        if (!found || depth > PEFT_DEPTH_MAX) return depth;
    }
}

/* Has any block the tensor of this name? Writes its name with "blocks.N." to whole. */
static bool some_block(const pf_loader *l, const char *name, char whole[PF_NAME_MAX])
{
    for (int64_t i = 0; i < l->shape.depth; i++) {
        snprintf(whole, PF_NAME_MAX, "blocks.%lld.%s", (long long)i, name);
        if (first_part(l, whole)) return true;
    }
    return false;
}

/* The attention pooling of the file's network; width 0: it has none. */
static pf_attn_pool attention_pooling(const pf_loader *l)
{
    const int64_t width = extent(l, "attn_pool.q.weight", 0);
    if (width < 1) return (pf_attn_pool){ 0 };
    const pf_st_tensor *latent = first_part(l, "attn_pool.latent");
    return (pf_attn_pool){
        .width = width, .queries = latent ? pf_dims_count(latent->ndim, latent->dim) / width : 1,
        .mlp = extent(l, "attn_pool.mlp.fc2.weight", 1), .norms = first_part(l, "attn_pool.ln_q.weight") != NULL,
        .bias = first_part(l, "attn_pool.kv.bias") != NULL };
}

/* Fills in the shape by names and extents of the tensors. If the file has neither fc1 nor fc2, mlp becomes a usual
 * value: pf_load_tensors will report both as missing. */
static void shape_from_tensors(pf_loader *l)
{
    pf_vit_shape *s = &l->shape;
    char name[PF_NAME_MAX];
    s->depth = depth_of(l);
    const int64_t fc1 = some_block(l, "mlp.fc1.weight", name) ? rows_of_parts(l, name) : 0;
    const int64_t fc2 = !some_block(l, "mlp.fc2.weight", name) ? 0 : l->int8.int8 ? l->int8.mlp : extent(l, name, 1);
    s->gate = fc2 > 0 && fc1 / 2 == fc2 && fc1 % 2 == 0 ? PF_GATE_FIRST : PF_GATE_NONE;
    s->mlp = fc2 ? fc2 : fc1 ? fc1 : 4 * s->width;
    s->registers = token_rows(l, "reg_token");
    const pf_st_tensor *registers = first_part(l, "reg_token");
    if (registers && !registers->bytes) pf_load_ignore(l, "reg_token");         /* a tensor of 0 rows */
    s->classes = extent(l, "head.weight", 0);
    s->layer_scale = some_block(l, "ls1.gamma", name);
    s->qkv_bias = some_block(l, "attn.qkv.bias", name);
    s->patch_bias = first_part(l, "patch_embed.proj.bias") != NULL;
    s->proj_bias = some_block(l, "attn.proj.bias", name) || some_block(l, "mlp.fc1.bias", name)
                || some_block(l, "mlp.fc2.bias", name);
    s->norm_pre = first_part(l, "norm_pre.weight") != NULL;
    s->qk_norm = some_block(l, "attn.q_norm.weight", name) || some_block(l, "attn.k_norm.weight", name);
    s->attn_norm = some_block(l, "attn.norm.weight", name);
    s->mlp_norm = some_block(l, "mlp.norm.weight", name);
    s->norm = first_part(l, "norm.weight") != NULL;
    s->fc_norm = first_part(l, "fc_norm.weight") != NULL;
    s->attn_pool = attention_pooling(l);
}

/* Do the configuration files state this value of the fact? */
static bool fact_is(const pf_loader *l, const char *fact, const char *value)
{
    const char *text = pf_config_get(&l->config, fact);
    return text && !strcmp(text, value);
}

/* Do the configuration files contradict a position embedding of prefix_rows rows, then grid x grid rows? */
static bool ruled_out(const pf_loader *l, int64_t prefix_rows, int64_t grid)
{
    const char *sides = pf_config_get(&l->config, "image_size");
    pf_grid image;
    if (fact_is(l, "no_embed_class", "true") && prefix_rows) return true;
    if (fact_is(l, "no_embed_class", "false") && !prefix_rows) return true;
    if (!sides || !l->shape.patch || !pf_sides_read(sides, &image)) return false;
    return image.h / l->shape.patch != grid || image.w / l->shape.patch != grid;
}

/* How many rows pos_embed may have before those of the patches: none, one for the class token, or one for each prefix
 * token, the class token and the registers. Writes these numbers to rows; returns how many there are. */
static int prefix_candidates(const pf_loader *l, int64_t rows[3])
{
    const pf_vit_shape *s = &l->shape;
    int n = 0;
    if (!s->class_token || (l->family->rows & PF_ROWS_NONE)) rows[n++] = 0;
    if (s->class_token) rows[n++] = 1;
    if (s->registers && (!s->class_token || (l->family->rows & PF_ROWS_ALL))) rows[n++] = pf_vit_prefix(s);
    return n;
}

static peft_status missing_error(const pf_loader *l, const char *timm, const char *what);

/* Splits the rows of pos_embed into one of the possible numbers of prefix rows and the grid of images that are stated
 * not to be square; false: the images are square, or nothing states them, or their grid has another number of rows. */
static bool split_stated(pf_loader *l, const int64_t *prefix, int candidates, int64_t total)
{
    const int64_t patch = l->shape.patch;
    pf_grid image;
    if (!patch || !pf_load_image(l, &image) || image.h == image.w) return false;
    const pf_grid grid = { image.h / patch, image.w / patch };
    for (int i = 0; i < candidates; i++)
        if (grid.h > 0 && grid.w > 0 && grid.h <= total && grid.w <= total
            && pf_grid_area(grid) == total - prefix[i]) {
            l->native_prefix = prefix[i];
            l->native_grid = grid;
            return true;
        }
    return false;
}

/* Splits the rows of pos_embed into prefix rows and a grid: that of stated images that are not square, else a square
 * one. If two splits are possible (25 rows with 8 registers: a grid of 5 x 5, or 9 prefix rows and a grid of 4 x 4),
 * the configuration files decide. */
static peft_status split_positions(pf_loader *l)
{
    int64_t grid[3], prefix[3], candidate[3], n = 0, possible = 0;
    const int candidates = prefix_candidates(l, candidate);
    const int64_t total = token_rows(l, "pos_embed");
    if (split_stated(l, candidate, candidates, total)) return PEFT_OK;
    for (int i = 0; i < candidates; i++) {
        const int64_t side = total > candidate[i] ? (int64_t)llround(sqrt((double)(total - candidate[i]))) : 0;
        if (side && side * side == total - candidate[i]) prefix[n] = candidate[i], grid[n++] = side;
    }
    if (!n && !l->shape.class_token) return missing_error(l, "cls_token", "pos_embed has a row for it");
    if (!n)
        return pf_fail(PEFT_E_FORMAT, "pos_embed has %lld rows: expected a square grid, with or without rows for class "
                       "token and registers before it; for images that are not square, expected their sides as "
                       "image_size in the header (\"384x512\") or the configuration file ([384, 512])",
                       (long long)total);
    for (int64_t i = 0; i < n && n > 1; i++)            /* keeps those that the configuration files allow */
        if (!ruled_out(l, prefix[i], grid[i])) prefix[possible] = prefix[i], grid[possible++] = grid[i];
    if (n > 1 && possible != 1)
        return pf_fail(PEFT_E_UNSUPPORTED, "pos_embed has %lld rows: a grid of %lld x %lld after %lld rows, or of "
                       "%lld x %lld after %lld; expected a config.json whose image size or no_embed_class decides",
                       (long long)total, (long long)grid[0], (long long)grid[0], (long long)prefix[0],
                       (long long)grid[1], (long long)grid[1], (long long)prefix[1]);
    l->native_prefix = prefix[0];
    l->native_grid = (pf_grid){ grid[0], grid[0] };
    return PEFT_OK;
}

/* Decides whether loading adds the prefix rows to the class token and registers, and drops them. Without registers it
 * does not. With registers it does if they have rows; if the class token alone has a row, it does unless the family
 * keeps this row, as timm does (PF_ROWS_ALL). Without a class token all prefix rows are those of registers. */
static void set_fold_prefix(pf_loader *l)
{
    const bool keeps_class_row = l->family->rows & PF_ROWS_ALL;
    const int64_t kept = l->shape.class_token && keeps_class_row ? 1 : 0;
    l->fold_prefix = l->shape.registers > 0 && l->native_prefix > kept;
    l->shape.pos_prefix = l->native_prefix > 0;
}

/* The error for a missing tensor, under the name that it has in files of this naming. what: what it is needed for. */
static peft_status missing_error(const pf_loader *l, const char *timm, const char *what)
{
    char theirs[PF_NAME_MAX];
    if (!pf_naming_from_timm(l->families, l->naming, &l->shape, timm, PF_WHOLE_TENSOR, theirs))
        snprintf(theirs, sizeof theirs, "%s", timm);
    return pf_fail(PEFT_E_FORMAT, "tensor '%s%s' is missing: %s", l->prefix, theirs, what);
}

/* Sets the side of a patch by the kernel of the patch embedding, if that has 4 extents. */
static peft_status read_patch_size(pf_loader *l)
{
    const pf_st_tensor *t = first_part(l, "patch_embed.proj.weight");
    if (!t) return missing_error(l, "patch_embed.proj.weight", "expected the patch embedding");
    if (t->ndim == 2 && l->naming->flat_patches)
        return pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' is a matrix: the network takes %s, which is not supported: "
                       "expected a kernel of 4 extents", t->name, l->naming->flat_patches);
    if (t->ndim == 5) return pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' has 5 extents: a network of videos", t->name);
    if (t->ndim != 4) return PEFT_OK;
    if (t->dim[1] != 3)
        return pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' is for images of %lld channels: expected 3%s", t->name,
                       (long long)t->dim[1], t->dim[1] == 1 ? " (in Python: w.repeat(1, 3, 1, 1) / 3, which gives the "
                       "same for grey pictures)" : "");
    if (t->dim[2] != t->dim[3])
        return pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' is for patches of %lld x %lld: expected squares", t->name,
                       (long long)t->dim[2], (long long)t->dim[3]);
    l->shape.patch = t->dim[3];
    return PEFT_OK;
}

peft_status pf_load_width_and_patch(pf_loader *l)
{
    pf_vit_shape *s = &l->shape;
    const pf_st_tensor *cls = first_part(l, "cls_token");
    PF_TRY(read_patch_size(l));
    s->class_token = cls && cls->ndim;
    s->pos_embed = first_part(l, "pos_embed") != NULL;
    if (!s->class_token && !l->family->without_class_token)
        return missing_error(l, "cls_token", "expected the class token");
    if (!s->pos_embed && !l->family->without_positions)
        return missing_error(l, "pos_embed", "networks without a learned position embedding (rotary: DINOv3, EVA-02; "
                             "relative: BEiT) are not supported");
    s->width = s->class_token ? cls->dim[cls->ndim - 1] : extent(l, "patch_embed.proj.weight", 0);
    return PEFT_OK;
}

peft_status pf_load_shape(pf_loader *l)
{
    char name[PF_NAME_MAX];
    shape_from_tensors(l);
    if (some_block(l, "norm1.weight", name) && !some_block(l, "norm1.bias", name))
        return pf_fail(PEFT_E_UNSUPPORTED, "the file's norms have no biases (RMSNorm), which is not supported: "
                       "expected LayerNorm");
    PF_TRY(pf_load_check_architecture(l));
    PF_TRY(pf_load_check_config(l));                    /* the configuration files agree with the tensors */
    if (l->shape.pos_embed) {
        PF_TRY(split_positions(l));
        PF_TRY(pf_load_check_image_size(l));
    }
    set_fold_prefix(l);
    return pf_load_facts(l);
}
