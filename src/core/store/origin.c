/* SPDX-License-Identifier: Apache-2.0
 * origin.c -- writes and checks the metadata of a file that says what the file holds and on which backbone it was
 * trained; see origin.h. */
#include <string.h>
#include "core/store/origin.h"

/* The digest of a backbone's tensors after resampling, as they are in memory (pf_backbone_effective). */
static const char effective_key[] = "libpeft.backbone.effective";
/* "int8": the matrices of the backbone were stored as int8; missing: they had the type of their file. */
static const char storage_key[] = "libpeft.backbone.weights";
/* The options of loading that stated settings of the network (peft_backbone.options); missing: there were none. */
static const char options_key[] = "libpeft.backbone.options";
/* Height and width of its images in pixels, "224" or "384x512". */
static const char size_key[] = "libpeft.backbone.image_size";
/* The rule by which the position embedding was resampled; "none": it was not. */
static const char *rule_of(const peft_backbone *b) { return *b->resample ? b->resample : "none"; }

static peft_status write_origin(pf_st_out *o, const char *kind, peft_backbone *b)
{
    PF_TRY(pf_st_out_meta(o, "libpeft.kind", kind));
    PF_TRY(pf_st_out_meta(o, "libpeft.format", "1"));
    PF_TRY(pf_st_out_meta(o, "libpeft.version", peft_version_string()));
    PF_TRY(pf_st_out_meta(o, "libpeft.backbone.fingerprint", peft_backbone_fingerprint(b)));
    PF_TRY(pf_st_out_meta(o, "libpeft.backbone.resample", rule_of(b)));
    if (*b->resample) PF_TRY(pf_st_out_meta(o, effective_key, pf_backbone_effective(b)));
    if (*b->options) PF_TRY(pf_st_out_meta(o, options_key, b->options));
    if (b->int8) PF_TRY(pf_st_out_meta(o, storage_key, "int8"));
    char sides[PF_SIDES_MAX];
    return pf_st_out_meta(o, size_key, pf_sides_text(sides, b->shape.image));
}

/* The error for another fingerprint. options: those with which the backbone of the training was loaded. */
static peft_status other_backbone(const char *fingerprint, const char *options, peft_backbone *b)
{
    const char *given = peft_backbone_fingerprint(b);
    if (strcmp(options, b->options))
        return pf_fail(PEFT_E_MISMATCH, "trained on backbone %s, given backbone %s; the network's settings are a part "
                       "of these fingerprints: it was loaded with the options '%s' for the training, and with '%s' "
                       "now; "
                       "load the weights that it was trained on %s%s (--backbone-options in the programs)", fingerprint,
                       given, options, b->options, *options ? "with the options " : "without these options", options);
    return pf_fail(PEFT_E_MISMATCH, "trained on backbone %s, given backbone %s; load the weights that it was trained "
                   "on, with the same configuration and options (fingerprint: peft_backbone_fingerprint, inspect FILE)",
                   fingerprint, given);
}

/* Checks that the file was trained on the same pretrained weights as b, at the same image size and resampling rule. */
static peft_status same_origin(const pf_st *st, const char *fingerprint, pf_grid image, const char *rule,
                               peft_backbone *b)
{
    char trained[PF_SIDES_MAX], given[PF_SIDES_MAX];
    const char *options = pf_st_meta(st, options_key);
    if (strcmp(fingerprint, peft_backbone_fingerprint(b)))
        return other_backbone(fingerprint, options ? options : "", b);
    if (!pf_grid_equal(image, b->shape.image))
        return pf_fail(PEFT_E_MISMATCH, "trained at image_size %s, the backbone was loaded at %s: load it with "
                       "image_size=%s", pf_sides_text(trained, image), pf_sides_text(given, b->shape.image), trained);
    if (strcmp(rule, rule_of(b)))
        return pf_fail(PEFT_E_MISMATCH, "trained with position embedding rule '%s', the backbone was loaded with '%s': "
                       "load it with resample=%s", rule, rule_of(b), rule);
    return PEFT_OK;
}

/* Whether the backbone that the file was trained on had the same tensors as b, bit for bit, although it was loaded from
 * another weights file: one of the two was resampled when it was loaded, the other was saved after resampling. */
static bool same_tensors(const pf_st *st, const char *fingerprint, pf_grid image, const char *rule, peft_backbone *b)
{
    const char *effective = pf_st_meta(st, effective_key);
    if (!effective && strcmp(rule, "none")) return false;           /* a file of an old version */
    return pf_grid_equal(image, b->shape.image)
        && !strcmp(effective ? effective : fingerprint, pf_backbone_effective(b));
}

peft_status pf_origin_write_file(peft_backbone *b, const char *kind, const char *path, pf_origin_fill fill,
                                 const void *object)
{
    pf_st_out *o;
    PF_TRY(pf_st_out_create(b->ctx, &o));
    peft_status s = write_origin(o, kind, b);
    if (!s) s = fill(o, object);
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}

peft_status pf_origin_write_bytes(peft_backbone *b, const char *kind, pf_origin_fill fill, const void *object,
                                  char **bytes, size_t *size)
{
    pf_st_out *o;
    PF_TRY(pf_st_out_create(b->ctx, &o));
    peft_status s = write_origin(o, kind, b);
    if (!s) s = fill(o, object);
    if (!s) s = pf_st_out_bytes(o, bytes, size);
    pf_st_out_free(o);
    return s;
}

/* "an" before "adapter" and "adaptor", else "a". */
static const char *article(const char *kind) { return *kind == 'a' ? "an" : "a"; }

peft_status pf_origin_check(const pf_st *st, const char *kind, peft_backbone *b)
{
    const char *text, *fingerprint, *rule;
    int64_t format;
    pf_grid image;
    PF_TRY(pf_meta_read_text(st, "libpeft.kind", &text));
    if (strcmp(text, kind))
        return pf_fail(PEFT_E_FORMAT, "the file holds %s %s, expected %s %s", article(text), text, article(kind), kind);
    PF_TRY(pf_meta_read_int(st, "libpeft.format", &format));
    if (format != 1) return pf_fail(PEFT_E_UNSUPPORTED, "file format %lld: this library reads 1", (long long)format);
    PF_TRY(pf_meta_read_text(st, "libpeft.backbone.fingerprint", &fingerprint));
    PF_TRY(pf_meta_read_text(st, size_key, &text));
    if (!pf_sides_read(text, &image))
        return pf_fail(PEFT_E_FORMAT, "metadata '%s': given '%.40s', expected N or HxW", size_key, text);
    PF_TRY(pf_meta_read_text(st, "libpeft.backbone.resample", &rule));
    peft_status s = same_origin(st, fingerprint, image, rule, b);
    return s && same_tensors(st, fingerprint, image, rule, b) ? PEFT_OK : s;
}

peft_status pf_origin_check_storage(const pf_st *st, const peft_backbone *b)
{
    const char *saved = pf_st_meta(st, storage_key), *given = b->int8 ? "int8" : "file";
    if (!saved) saved = "file";
    if (!strcmp(saved, given)) return PEFT_OK;
    return pf_fail(PEFT_E_MISMATCH, "the state was saved by a trainer whose backbone was loaded with weights=%.40s, "
                   "this one's has weights=%s: load the backbone with weights=%.40s to continue, or start a new "
                   "training from the state (warm start)", saved, given, saved);
}

/* The digest of the backbone's classifier. */
static const char classifier_key[] = "libpeft.backbone.classifier";

peft_status pf_origin_write_classifier(pf_st_out *o, const peft_model *m)
{
    char digest[65];
    if (m->head != &pf_head_backbone) return PEFT_OK;
    pf_classifier_digest(m->backbone, digest);
    return pf_st_out_meta(o, classifier_key, digest);
}

peft_status pf_origin_check_classifier(const pf_st *st, const peft_model *m)
{
    const char *saved = pf_st_meta(st, classifier_key);
    char digest[65];
    if (m->head != &pf_head_backbone) return PEFT_OK;
    pf_classifier_digest(m->backbone, digest);
    if (!saved)
        pf_warn(m->backbone->ctx, "the file was written by an earlier version and does not tell which classifier of "
                "the backbone its model used (classes=0): not checked that this backbone has the same classes in the "
                "same order");
    else if (strcmp(saved, digest))
        return pf_fail(PEFT_E_MISMATCH, "the model uses its backbone's own classifier (classes=0), SHA-256 %s; the "
                       "classifier of the given backbone is another one, SHA-256 %s: give the backbone file that the "
                       "model was made with", saved, digest);
    return PEFT_OK;
}
