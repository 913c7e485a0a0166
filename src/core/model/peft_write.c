/* SPDX-License-Identifier: Apache-2.0
 * peft_write.c -- an adapter, or a model with its classifier, becomes a PEFT directory. Two files cannot be replaced in
 * one step: both are written beside the old ones, then a configuration that says something else is removed, the tensors
 * are renamed, and the configuration comes last. Whoever finds one finds the tensors that belong to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/system_call.h"
#include "core/model/peft_dir.h"
#include "core/model/state.h"

static const pf_opt options[] = {
    { "naming", 's', "hf", 0, 0, "module names: hf, hf5 (transformers 5 and later) or timm" },
    { "prefix", 's', "auto", 0, 0, "in front of the backbone's modules: vit. or dinov2., for timm nothing" },
    { 0 } };

static peft_status choose_names(const peft_backbone *b, const peft_options *o, pf_peft_names *out)
{
    PF_TRY(pf_options_check(o, options, NULL, "saving in PEFT's form"));
    const char *naming = pf_options_string(o, options, "naming"), *prefix = pf_options_string(o, options, "prefix");
    int k = 0;
    while (k < PF_PEFT_NAMINGS && strcmp(pf_peft_naming_name[k], naming)) k++;
    if (k == PF_PEFT_NAMINGS) return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected hf, hf5 or timm", naming);
    pf_peft_names n = pf_peft_names_of(b, (pf_peft_naming)k);
    if (!strcmp(prefix, "auto")) prefix = n.naming == PF_PEFT_TIMM ? "" : n.dino ? "dinov2." : "vit.";
    size_t length = strlen(prefix);
    bool plain = strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == length;
    if (!plain || length >= PF_NAME_MAX / 2 || (length && (*prefix == '.' || prefix[length - 1] != '.')))
        return pf_fail(PEFT_E_OPTION,
                       "prefix: given '%s', expected nothing, or names with a dot behind each, such as vit.", prefix);
    memcpy(n.prefix, prefix, length + 1);
    *out = n;
    return PEFT_OK;
}

/* --- the files --------------------------------------------------------------------------------------------------- */
typedef struct { peft_context *ctx; const char *dir; char *config, *tensors, *fresh; } place;

static void place_free(place *p)
{
    pf_free(p->ctx, p->config);
    pf_free(p->ctx, p->tensors);
    pf_free(p->ctx, p->fresh);
}

static peft_status place_make(peft_context *ctx, const char *dir, place *out)
{
    int r;
    SYSTEM_CALL(r, "mkdir", mkdir(dir, 0777));
    if (r && errno != EEXIST) return pf_fail(PEFT_E_IO, "cannot be made: %s", strerror(errno));
    place p = { ctx, dir, pf_peft_path(ctx, dir, PF_PEFT_CONFIG), pf_peft_path(ctx, dir, PF_PEFT_TENSORS),
                pf_peft_path(ctx, dir, PF_PEFT_TENSORS ".new") };
    *out = p;
    if (p.config && p.tensors && p.fresh) return PEFT_OK;
    place_free(&p);
    return PEFT_E_NOMEM;
}

static peft_status write_tensors(const pf_peft_entries *e, const place *p)
{
    pf_st_out *o;
    PF_TRY(pf_st_out_create(p->ctx, &o));
    peft_status s = pf_st_out_meta(o, "format", "pt");
    for (size_t i = 0; i < e->count && !s; i++) {
        const pf_peft_entry *x = &e->item[i];
        const peft_tensor *v = &x->param->value;
        s = pf_finite(v->data, peft_tensor_count(v))
                ? pf_st_out_tensor(o, x->key, PF_REAL, x->ndim, x->dim, v->data)
                : pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", x->param->name);
    }
    if (!s) s = pf_st_out_write(o, p->fresh);
    pf_st_out_free(o);
    return s;
}

static peft_status sync_folder(const place *p)
{
    int fd, r = -1;
    SYSTEM_CALL(fd, "open", open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd >= 0) SYSTEM_CALL(r, "fsync", fsync(fd));
    if (r && fd >= 0 && errno == EINVAL) r = 0;              /* some file systems cannot */
    peft_status s =
        r ? pf_fail(PEFT_E_IO, "the folder could not be brought to the disk: %s", strerror(errno)) : PEFT_OK;
    if (fd >= 0) close(fd);
    return s;
}

/* A configuration of another adapter must not stand beside the new tensors. */
static peft_status remove_other(const place *p, const char *text)
{
    pf_map *map;
    int r;
    SYSTEM_CALL(r, "stat", access(p->config, F_OK));
    if (r && errno == ENOENT) return PEFT_OK;
    PF_TRY(pf_map_open(p->ctx, p->config, &map));
    bool same = pf_map_size(map) == strlen(text) && !memcmp(pf_map_data(map), text, strlen(text));
    pf_map_close(map);
    if (same) return PEFT_OK;
    SYSTEM_CALL(r, "unlink", unlink(p->config));
    return r ? pf_fail(PEFT_E_IO, "%s: cannot be removed: %s", p->config, strerror(errno)) : sync_folder(p);
}

static peft_status exchange(const place *p, const char *text)
{
    int r;
    PF_TRY(remove_other(p, text));
    SYSTEM_CALL(r, "rename", rename(p->fresh, p->tensors));
    return r ? pf_fail(PEFT_E_IO, "%s: cannot be replaced: %s", p->tensors, strerror(errno)) : sync_folder(p);
}

static peft_status write_files(const pf_peft_entries *e, const char *text, const place *p)
{
    pf_writer *w = NULL;
    peft_status s = write_tensors(e, p);
    if (!s) s = pf_writer_open(p->ctx, p->config, &w);
    if (!s) s = pf_writer_write(w, text, strlen(text));
    if (!s) s = exchange(p, text);
    if (!s) return pf_writer_commit(w);
    pf_writer_abandon(w);
    unlink(p->fresh);
    return s;
}

/* --- what goes into them ----------------------------------------------------------------------------------------- */
static peft_status config_text(const peft_adapter *a, pf_peft_type type, bool head, const pf_peft_names *n, char **out)
{
    pf_modules m;
    json_t *root;
    PF_TRY(pf_modules_make(a->backbone, n, &m));
    peft_status s = pf_peft_config_make(a, type, head, &m, &root);
    pf_modules_free(&m);
    if (s) return s;
    *out = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(root);
    return *out ? PEFT_OK : pf_nomem("configuration", 0);
}

static peft_status save(const peft_adapter *a, const pf_params *head, const char *dir, const peft_options *o)
{
    pf_peft_names n;
    pf_peft_entries e;
    pf_peft_type type = 0;
    char *text = NULL;
    while (type < PF_PEFT_TYPES && strcmp(pf_peft_kinds[type].method, a->method->name)) type++;
    if (type == PF_PEFT_TYPES)
        return pf_fail(PEFT_E_UNSUPPORTED, "method '%s' has no form in PEFT: expected lora, ia3 or ln_tune",
                       a->method->name);
    PF_TRY(choose_names(a->backbone, o, &n));
    PF_TRY(pf_peft_entries_make(a, head, &n, &e));
    place p = { .ctx = NULL };
    peft_status s = config_text(a, type, head != NULL, &n, &text);
    if (!s) s = place_make(a->backbone->ctx, dir, &p);
    if (!s) {
        s = write_files(&e, text, &p);
        place_free(&p);
    }
    free(text);
    pf_peft_entries_free(&e);
    return s;
}

peft_status peft_adapter_save_hf(const peft_adapter *a, const char *dir, const peft_options *o)
{
    if (!a || !dir) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "dir" : "adapter");
    peft_status s = save(a, NULL, dir, o);
    return s ? pf_within(s, "%s", dir) : PEFT_OK;
}

peft_status peft_model_save_hf(const peft_model *m, const char *dir, const peft_options *o)
{
    if (!m || !dir) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "dir" : "model");
    if (m->adapters != 1)
        return pf_fail(PEFT_E_UNSUPPORTED, "the model has %zu adapters: a PEFT directory holds exactly one",
                       m->adapters);
    if (m->head > PF_HEAD_LINEAR)
        return pf_fail(PEFT_E_UNSUPPORTED, "head '%s' has no form in PEFT: expected linear, or the backbone's own",
                       pf_head_name[m->head]);
    if (m->mean_pool != m->backbone->shape.mean_pool)
        return pf_fail(PEFT_E_UNSUPPORTED,
                       "the model pools by %s and its backbone does not: a PEFT directory cannot say so",
                       m->mean_pool ? "mean" : "cls");
    peft_status s = save(m->adapter[0], m->head == PF_HEAD_LINEAR ? &m->params : NULL, dir, o);
    return s ? pf_within(s, "%s", dir) : PEFT_OK;
}
