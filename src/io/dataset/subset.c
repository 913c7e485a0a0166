/* SPDX-License-Identifier: Apache-2.0
 * subset.c -- parts of data sets: by index (peft_dataset_subset), a number of each class (few_shot), a fraction
 * (split). A part holds the opened set and indices into it. A part of a part holds indices into the opened set as
 * well. */
#include "io/dataset/groups.h"
#include "io/dataset/masks/masks.h"
#include "io/format/formats.h"
#include "io/rng.h"
#include "io/dataset/stratify.h"

/* The number of class c in the part; -1: the part does not have it. */
static int64_t mapped(const int64_t *class_map, int64_t c) { return class_map ? class_map[c] : c; }

/* Fills index, and label or target, of the samples that the part takes from `from`. */
static peft_status copy_samples(peft_dataset *to, const peft_dataset *from, const int64_t *indices,
                                const int64_t *class_map)
{
    int64_t n = to->count;
    to->index = io_alloc(to->ctx, n, sizeof *to->index);
    if (from->label) to->label = io_alloc(to->ctx, n, sizeof *to->label);
    else to->target = io_alloc(to->ctx, n * to->classes, 1);
    if (!to->index || (!to->label && !to->target)) return io_nomem("data set");
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = indices ? indices[i] : i;
        to->index[i] = peft_dataset_id(from, k);
        if (to->label) to->label[i] = mapped(class_map, from->label[k]);
        else
            for (int64_t c = 0; c < from->classes; c++)
                if (mapped(class_map, c) >= 0)
                    to->target[i * to->classes + mapped(class_map, c)] = from->target[k * from->classes + c];
    }
    return PEFT_OK;
}

peft_status io_dataset_part(peft_dataset *d, const io_selection *chosen, peft_dataset **out)
{
    /* Class names that the caller gives are those of the part; of d's names, class_map keeps some. */
    const io_strings *names = chosen->class_names ? chosen->class_names : &d->class_names;
    const int64_t *kept = chosen->class_names ? NULL : chosen->class_map;
    peft_dataset *part;
    peft_status s = io_dataset_new(d->ctx, &part);
    if (s) return s;
    part->count = chosen->count;
    part->opened = io_dataset_retain(d->opened ? d->opened : d);
    part->groups = io_groups_retain(d->groups);
    part->cases = io_groups_retain(d->cases);
    part->masks = io_masks_retain(d->masks);
    if (d->image_options && !(part->image_options = io_copy(d->ctx, d->image_options))) s = io_nomem("data set");
    if (!s) s = io_strings_copy(&part->class_names, names, kept);
    part->classes = part->class_names.count;
    if (!s) s = copy_samples(part, d, chosen->indices, chosen->class_map);
    if (s) peft_dataset_free(part);
    else *out = part;
    return s;
}

peft_status peft_dataset_subset(peft_dataset *d, const int64_t *indices, int64_t count, peft_dataset **out)
{
    if (!d || !indices || !out)
        return io_fail(PEFT_E_INVALID, "subset: %s is NULL", !d ? "data set" : !indices ? "indices" : "out");
    if (count < 1) return io_fail(PEFT_E_INVALID, "subset: %lld samples, expected at least 1", (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= d->count)
            return io_fail(PEFT_E_INVALID, "subset: indices[%lld] is %lld, expected 0 to %lld", (long long)i,
                           (long long)indices[i], (long long)d->count - 1);
    return io_dataset_part(d, &(io_selection){ .count = count, .indices = indices }, out);
}

/* Makes a part of all samples with these options in place of those of d. */
peft_status peft_dataset_with_image_options(peft_dataset *d, const char *options, peft_dataset **out)
{
    peft_dataset *part;
    bool any;                                                 /* options gives at least one */
    if (!d || !out) return io_fail(PEFT_E_INVALID, "image options: %s is NULL", d ? "out" : "data set");
    peft_status s = io_image_check_options(options, &any);
    if (!s && any && (d->opened ? d->opened : d)->store->in_memory)
        return io_fail(PEFT_E_UNSUPPORTED, "image options '%.80s': the images of an .npz are arrays in memory, each "
                       "one picture, and no option of peft_image_load changes them; leave the options out", options);
    if (!s) s = io_dataset_part(d, &(io_selection){ .count = d->count }, &part);
    if (s) return s;
    peft_sys_free(d->ctx, part->image_options);
    part->image_options = options ? io_copy(d->ctx, options) : NULL;
    if (options && !part->image_options) {
        peft_dataset_free(part);
        return io_nomem("data set");
    }
    *out = part;
    return PEFT_OK;
}

/* Marks of samples: in the part, in the rest, or (few_shot with fewer classes) in neither. */
enum { IN_NEITHER, IN_PART, IN_REST };
/* A random choice of samples. */
typedef struct draw {
    int64_t *class_map;                                       /* [classes]: a class's number in the part; -1: none */
    int64_t *order;                                           /* scratch [the larger of count and classes] */
    int64_t *mark;                                            /* [count], zeros (IN_NEITHER) at first */
} draw;

/* Allocates the members; draw_end frees them, also after a failure. */
static peft_status draw_begin(const peft_dataset *d, draw *w)
{
    w->class_map = io_alloc(d->ctx, d->classes, sizeof *w->class_map);
    w->order = io_alloc(d->ctx, d->count > d->classes ? d->count : d->classes, sizeof *w->order);
    w->mark = io_alloc(d->ctx, d->count, sizeof *w->mark);
    return w->class_map && w->order && w->mark ? PEFT_OK : io_nomem("draw of samples");
}

static void draw_end(const peft_dataset *d, draw *w)
{
    peft_sys_free(d->ctx, w->class_map);
    peft_sys_free(d->ctx, w->order);
    peft_sys_free(d->ctx, w->mark);
}

/* Writes the indices of the samples of class c to order; returns how many there are. */
static int64_t samples_of(const peft_dataset *d, int64_t c, int64_t *order)
{
    int64_t n = 0;
    for (int64_t i = 0; i < d->count; i++)
        if (d->label[i] == c) order[n++] = i;
    return n;
}

/* w->order [available] are the samples of class c: marks n of them, drawn by seed, for the part and the others for the
 * rest. */
static void draw_class(draw *w, int64_t c, int64_t available, int64_t n, uint64_t seed)
{
    io_rng g = io_rng_make(IO_RNG_SAMPLES, seed, c, IO_RNG_UNUSED);
    io_rng_shuffle(&g, w->order, available);
    for (int64_t i = 0; i < available; i++) w->mark[w->order[i]] = i < n ? IN_PART : IN_REST;
}

/* Makes a part of the samples with this mark, in the order of d (drawing does not reorder them). */
static peft_status make_marked(peft_dataset *d, draw *w, int64_t mark, peft_dataset **out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < d->count; i++)
        if (w->mark[i] == mark) w->order[n++] = i;
    if (!n) return io_fail(PEFT_E_UNSUPPORTED, "draw of samples: %s would be empty, as the data set has %lld "
                       "samples%s; ask for %s", mark == IN_PART ? "the part" : "rest", (long long)d->count,
                       d->groups ? ", and those of one group (patient) come into one part" : "",
                       mark == IN_PART ? "more of them" : "fewer of them, or pass NULL for rest");
    return io_dataset_part(d, &(io_selection){ .count = n, .indices = w->order, .class_map = w->class_map }, out);
}

/* Makes the part and, unless rest is NULL, the rest. */
static peft_status make_both(peft_dataset *d, draw *w, peft_dataset **out, peft_dataset **rest)
{
    peft_dataset *first, *second;
    peft_status s = make_marked(d, w, IN_PART, &first);
    if (s) return s;
    if (rest && (s = make_marked(d, w, IN_REST, &second))) {
        peft_dataset_free(first);
        return s;
    }
    *out = first;
    if (rest) *rest = second;
    return PEFT_OK;
}

/* Sets w->class_map: 0..ways-1 for `ways` classes drawn by seed, in the order of d; -1 for the others. */
static void draw_classes(const peft_dataset *d, int64_t ways, uint64_t seed, draw *w)
{
    io_rng g = io_rng_make(IO_RNG_CLASSES, seed, IO_RNG_UNUSED, IO_RNG_UNUSED);
    for (int64_t c = 0; c < d->classes; c++) w->order[c] = c, w->class_map[c] = -1;
    if (ways < d->classes) io_rng_shuffle(&g, w->order, d->classes);
    for (int64_t i = 0; i < ways; i++) w->class_map[w->order[i]] = 0;         /* drawn; numbered in the next loop */
    for (int64_t c = 0, next = 0; c < d->classes; c++)
        if (w->class_map[c] == 0) w->class_map[c] = next++;
}

/* Draws `shots` samples of each class that w->class_map keeps. */
static peft_status draw_shots(const peft_dataset *d, int64_t shots, uint64_t seed, draw *w)
{
    for (int64_t c = 0; c < d->classes; c++) {
        if (w->class_map[c] < 0) continue;
        int64_t available = samples_of(d, c, w->order);
        if (available < shots)
            return io_fail(PEFT_E_INVALID, "few-shot: class '%s' has %lld samples, expected %lld or more",
                           d->class_names.item[c], (long long)available, (long long)shots);
        draw_class(w, c, available, shots, seed);
    }
    return PEFT_OK;
}

/* Takes samples whose group (patient) has a sample in the part out of the rest. */
static peft_status leave_out_groups(const peft_dataset *d, draw *w)
{
    const io_groups *g = d->groups;
    uint8_t *drawn = io_alloc(d->ctx, g->names.count, 1);
    int64_t left_out = 0;
    if (!drawn) return io_nomem("few-shot");
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t k = io_group_of(d, g, i);
        if (w->mark[i] == IN_PART && k != IO_NO_GROUP) drawn[k] = 1;
    }
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t k = io_group_of(d, g, i);
        if (w->mark[i] != IN_REST || k == IO_NO_GROUP || !drawn[k]) continue;
        w->mark[i] = IN_NEITHER;
        left_out++;
    }
    peft_sys_free(d->ctx, drawn);
    if (left_out)
        io_inform(d->ctx, "few-shot: %lld samples that were not drawn are of patients with drawn samples, and are left "
                  "out of the rest", (long long)left_out);
    return PEFT_OK;
}

peft_status peft_dataset_few_shot(peft_dataset *d, int64_t ways, int64_t shots, uint64_t seed, peft_dataset **out,
                                  peft_dataset **rest)
{
    draw w = { 0 };
    if (!d || !out) return io_fail(PEFT_E_INVALID, "few-shot: %s is NULL", d ? "out" : "data set");
    if (d->target)
        return io_fail(PEFT_E_UNSUPPORTED, "few-shot: samples of this data set have several labels each; use a split "
                       "or an index list");
    if (ways < 0 || ways > d->classes || shots < 1)
        return io_fail(PEFT_E_INVALID, "few-shot: ways is %lld, expected 0 to %lld; shots is %lld, expected at least 1",
                       (long long)ways, (long long)d->classes, (long long)shots);
    peft_status s = draw_begin(d, &w);
    if (!s) {
        draw_classes(d, ways ? ways : d->classes, seed, &w);
        s = draw_shots(d, shots, seed, &w);
    }
    if (!s && rest && d->groups) s = leave_out_groups(d, &w);
    if (!s) s = make_both(d, &w, out, rest);
    draw_end(d, &w);
    return s;
}

/* The number of classes with two samples or more, which both parts can have. order [count]: scratch. */
static int64_t count_divisible(const peft_dataset *d, int64_t *order)
{
    int64_t n = 0;
    for (int64_t c = 0; c < d->classes; c++) n += samples_of(d, c, order) > 1;
    return n;
}

/* Draws `fraction` of every class, to the nearest whole sample. A class of two samples or more gets at least one in
 * each part, provided that the part is large enough for one of every such class. */
static void split_classes(const peft_dataset *d, double fraction, uint64_t seed, draw *w)
{
    const int64_t divisible = count_divisible(d, w->order);
    const int64_t part_size = (int64_t)(fraction * (double)d->count + 0.5);
    for (int64_t c = 0; c < d->classes; c++) {
        const int64_t available = samples_of(d, c, w->order);
        int64_t n = (int64_t)(fraction * (double)available + 0.5);
        if (available > 1 && n < 1 && part_size >= divisible) n = 1;
        if (available > 1 && n == available && d->count - part_size >= divisible) n = available - 1;
        draw_class(w, c, available, n, seed);
    }
}

peft_status peft_dataset_split(peft_dataset *d, double fraction, uint64_t seed, peft_dataset **out,
                               peft_dataset **rest)
{
    draw w = { 0 };
    char given[32];
    if (!d || !out) return io_fail(PEFT_E_INVALID, "split: %s is NULL", d ? "out" : "data set");
    if (!(fraction > 0 && fraction < 1))
        return io_fail(PEFT_E_INVALID, "split: fraction %s, expected between 0 and 1",
                       peft_sys_opt_number(given, fraction));
    peft_status s = draw_begin(d, &w);
    if (!s) {
        for (int64_t c = 0; c < d->classes; c++) w.class_map[c] = c;
        const int64_t first = (int64_t)(fraction * (double)d->count + 0.5);
        if (d->groups) s = io_split_groups(d, (const double[]){ fraction, 1 - fraction }, 2, seed, w.mark);
        else if (d->target) s = io_stratify(d, (int64_t[]){ first, d->count - first }, 2, seed, w.order, w.mark);
        else split_classes(d, fraction, seed, &w);
        if (!s) s = make_both(d, &w, out, rest);
    }
    draw_end(d, &w);
    return s;
}
