/* SPDX-License-Identifier: Apache-2.0
 * options.c -- the options of peft_dataset_with_masks: classes, colours, and which of them go together. */
#include "io/dataset/masks/masks.h"
#include "io/format/formats.h"
#include "io/words.h"
#include <math.h>
#include <stdio.h>

#define STORED_IN(field) offsetof(io_mask_options, field)
enum { CLASSES_SIZE = sizeof ((io_mask_options *)0)->classes, WORD_SIZE = sizeof ((io_mask_options *)0)->suffix,
       READ_SIZE = sizeof ((io_mask_options *)0)->read };
/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. */
static const peft_opt_key keys[] = {
    { { "classes", 's', "", 0, CLASSES_SIZE, "names of the classes in their order, a:b:c, the background first; or "
        "their number" }, STORED_IN(classes), NULL },
    { { "kind", 'c', "index", 0, 0, "index: samples are class numbers; binary: samples above threshold are the "
        "foreground; colors: by the option colors" }, STORED_IN(kind), "index|binary|colors" },
    { { "threshold", 'f', "", -1e30, 1e30, "kind=binary and per_class: samples above it are the foreground; without "
        "it half of the largest sample of 8 or 16 bits" }, STORED_IN(threshold), NULL },
    { { "colors", 's', "", 0, CLASSES_SIZE, "colours and their classes, #000000:background:#ff0000:tumour; the name "
        "ignore: pixels that are not judged" }, STORED_IN(colors), NULL },
    { { "ignore", 'i', "", -1e9, 1e9, "sample that marks pixels that are not judged, such as 255" },
      STORED_IN(ignore), NULL },
    { { "suffix", 's', "", 0, WORD_SIZE, "text behind the name of an image in that of its mask, such as _mask; files "
        "_mask_1, _mask_2 .. are united with it" }, STORED_IN(suffix), NULL },
    { { "per_class", 'c', "none", 0, 0, "a file for each class: in folders of the classes' names, or with the name "
        "behind that of the image" }, STORED_IN(per_class), "none|folder|suffix" },
    { { "multilabel", 'b', "false", 0, 0, "with per_class: a target of 0 or 1 for each class, and classes may "
        "overlap" }, STORED_IN(multilabel), NULL },
    { { "missing", 'c', "error", 0, 0, "a sample without mask is an error, is left out (skip), or is background "
        "(empty)" }, STORED_IN(missing), "error|skip|empty" },
    { { "outside", 's', "ignore", 0, WORD_SIZE, "what masks have where a transform pads the image: ignore, a class, "
        "or for targets none" }, STORED_IN(outside), NULL },
    { { "read", 's', "", 0, READ_SIZE, "options by which masks are read; without it those of the images" },
      STORED_IN(read), NULL },
    { { 0 }, 0, NULL }
};

const peft_option *peft_dataset_mask_option(size_t i) { return peft_sys_opt_row(keys, i); }

char *io_masks_options_text(const io_masks *m)
{
    const size_t size = peft_sys_opt_print(keys, &m->options, NULL, 0) + 1;
    char *text = peft_sys_alloc(m->ctx, size);
    if (text) peft_sys_opt_print(keys, &m->options, text, size);
    return text;
}

int64_t io_masks_class(const io_masks *m, const char *name)
{
    for (int64_t c = 0; c < m->classes.count; c++)
        if (!strcmp(m->classes.item[c], name)) return c;
    return IO_NO_CLASS;
}

/* Adds a class unless it is there; sets *c to its number. */
static peft_status add_class(io_masks *m, const char *name, int64_t *c)
{
    *c = io_masks_class(m, name);
    if (*c != IO_NO_CLASS) return PEFT_OK;
    if (!*name || !io_is_plain_text(name) || !strcmp(name, "ignore") || strchr(name, '/'))
        return io_fail(PEFT_E_OPTION, "masks: '%.60s' is no name of a class; expected UTF-8 text without control "
                       "characters and slashes, and not 'ignore'", name);
    if (m->classes.count == IO_MASK_CLASSES)
        return io_fail(PEFT_E_OPTION, "masks: more than %d classes", (int)IO_MASK_CLASSES);
    *c = m->classes.count;
    return io_strings_add(&m->classes, io_copy(m->ctx, name));
}

/* Copies the next part of a list such as "a:b:c" to part [CLASSES_SIZE]; returns what follows, NULL at the end. */
static const char *next_part(const char *list, const char *separators, char *part)
{
    const size_t n = strcspn(list, separators);
    memcpy(part, list, n);
    part[n] = 0;
    return list[n] ? list + n + 1 : NULL;
}

/* Adds the classes "0", "1", .. of a number of them. */
static peft_status number_classes(io_masks *m, int64_t count)
{
    char name[24];
    int64_t c;
    if (count < 2 || count > IO_MASK_CLASSES)
        return io_fail(PEFT_E_OPTION, "masks: classes=%lld; expected 2 to %d, or their names, a:b:c", (long long)count,
                       (int)IO_MASK_CLASSES);
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < count && !s; i++) {
        snprintf(name, sizeof name, "%lld", (long long)i);
        s = add_class(m, name, &c);
    }
    return s;
}

static peft_status name_classes(io_masks *m, const char *list)
{
    char part[CLASSES_SIZE];
    int64_t count, c;
    peft_status s = PEFT_OK;
    if (peft_sys_opt_integer(list, strlen(list), &count)) return number_classes(m, count);
    while (list && !s) {
        list = next_part(list, ":", part);
        const int64_t before = m->classes.count;
        s = add_class(m, part, &c);
        if (!s && m->classes.count == before)
            s = io_fail(PEFT_E_OPTION, "masks: classes has '%.60s' twice", part);
    }
    return s;
}

/* Reads "#rrggbb". */
static bool read_colour(const char *text, uint8_t rgb[3])
{
    if (text[0] != '#' || strspn(text + 1, "0123456789abcdefABCDEF") != 6 || text[7]) return false;
    const unsigned long v = strtoul(text + 1, NULL, 16);
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(v >> (16 - 8 * c));
    return true;
}

/* Adds a colour of a class, or of pixels that are not judged. */
static peft_status add_colour(io_masks *m, const char *text, const char *name, int64_t *capacity)
{
    io_mask_colour colour;
    int64_t c = PEFT_MASK_IGNORED;
    if (!read_colour(text, colour.rgb))
        return io_fail(PEFT_E_OPTION, "masks: colors has '%.60s'; expected #rrggbb:class:#rrggbb:class, such as "
                       "#000000:background:#ff0000:tumour", text);
    for (int64_t i = 0; i < m->colours; i++)
        if (!memcmp(m->colour[i].rgb, colour.rgb, 3))
            return io_fail(PEFT_E_OPTION, "masks: colors has %s twice; expected one class for each colour", text);
    peft_status s = strcmp(name, "ignore") ? add_class(m, name, &c) : PEFT_OK;
    if (s) return s;
    colour.label = (int16_t)c;
    if (!io_grow(m->ctx, &m->colour, m->colours, capacity, sizeof *m->colour)) return io_nomem("masks");
    m->colour[m->colours++] = colour;
    return PEFT_OK;
}

static peft_status read_colours(io_masks *m, const char *list)
{
    char text[CLASSES_SIZE], name[CLASSES_SIZE];
    int64_t capacity = 0;
    peft_status s = PEFT_OK;
    while (list && !s) {
        list = next_part(list, ":,", text);
        *name = 0;
        if (list) list = next_part(list, ":,", name);
        s = add_colour(m, text, name, &capacity);
    }
    return s;
}

/* Refuses options that exclude each other, or need another one. */
static peft_status check_together(const io_mask_options *o, uint64_t given)
{
    const bool kind_given = given >> 1 & 1;                   /* row 1 of keys */
    const bool colours = *o->colors || o->kind == IO_MASK_COLORS;
    if (*o->colors && kind_given && o->kind != IO_MASK_COLORS)
        return io_fail(PEFT_E_OPTION, "masks: colors goes with kind=colors only; leave kind out");
    if (!*o->colors && o->kind == IO_MASK_COLORS)
        return io_fail(PEFT_E_OPTION, "masks: kind=colors needs the option colors, such as "
                       "colors=#000000:background:#ff0000:tumour");
    if (*o->colors && *o->classes)
        return io_fail(PEFT_E_OPTION, "masks: colors names the classes in their order; leave classes out");
    if (o->per_class && (colours || (kind_given && o->kind == IO_MASK_INDEX)))
        return io_fail(PEFT_E_OPTION, "masks: the files of per_class hold one class each (kind=binary); leave kind and "
                       "colors out");
    if (o->multilabel && !o->per_class)
        return io_fail(PEFT_E_OPTION, "masks: multilabel needs a file for each class; give per_class=folder or suffix");
    if (o->ignore != IO_NO_IGNORE && colours)
        return io_fail(PEFT_E_OPTION, "masks: ignore is a sample of kind index or binary; with colors give the colour "
                       "the name ignore, #ffffff:ignore");
    if (!isnan(o->threshold) && o->kind != IO_MASK_BINARY && !o->per_class)
        return io_fail(PEFT_E_OPTION, "masks: threshold goes with kind=binary or per_class; leave it out");
    if (*o->classes || *o->colors || (o->kind == IO_MASK_BINARY && !o->per_class)) return PEFT_OK;
    return io_fail(PEFT_E_OPTION, "masks: the classes are not known; give classes=background:tumour (or their number), "
                   "kind=binary for masks of 0 and 255, or colors");
}

/* The value outside of images. */
static peft_status read_outside(io_masks *m)
{
    const char *word = m->options.outside;
    const int64_t c = io_masks_class(m, word);
    m->outside = PEFT_MASK_IGNORED;
    if (!strcmp(word, "ignore")) return PEFT_OK;
    if (m->options.multilabel && !strcmp(word, "none")) m->outside = 0;
    else if (!m->options.multilabel && c != IO_NO_CLASS) m->outside = (int16_t)c;
    else
        return io_fail(PEFT_E_OPTION, "masks: outside=%.60s; expected ignore or %s", word,
                       m->options.multilabel ? "none, as masks are targets" : "the name of a class");
    return PEFT_OK;
}

peft_status io_masks_read_options(const char *text, io_masks *m)
{
    io_mask_options *o = &m->options;
    uint64_t given = 0;
    bool any;
    *o = (io_mask_options){ .ignore = IO_NO_IGNORE, .threshold = NAN };
    peft_status s = peft_sys_opt_defaults(keys, o);
    if (!s) s = peft_sys_opt_read(keys, text, "masks", o, &given);
    if (!s) s = check_together(o, given);
    if (s) return s;
    if (*o->colors) o->kind = IO_MASK_COLORS;
    if (o->per_class) o->kind = IO_MASK_BINARY;
    if (o->kind == IO_MASK_COLORS) s = read_colours(m, o->colors);
    else s = name_classes(m, *o->classes ? o->classes : "background:foreground");
    if (!s && m->classes.count < (o->multilabel ? 1 : 2))
        s = io_fail(PEFT_E_OPTION, "masks: one class; expected the background and at least one other");
    if (!s && o->kind == IO_MASK_BINARY && !o->per_class && m->classes.count != 2)
        s = io_fail(PEFT_E_OPTION, "masks: kind=binary has two classes, background and foreground; classes has %lld",
                    (long long)m->classes.count);
    if (!s) s = read_outside(m);
    return s ? s : io_image_check_options(*o->read ? o->read : NULL, &any);
}
