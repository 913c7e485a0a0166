/* SPDX-License-Identifier: Apache-2.0
 * load.c -- peft_dataset_load_mask: reads the files of a sample's mask, and joins them to one mask of the image's
 * size. */
#include "io/dataset/masks/readers.h"

/* What a sample's files are joined to. */
typedef struct join {
    const io_masks *masks;
    const char *image_name;
    const peft_image *image;                                  /* NULL: sizes are compared among the files alone */
    peft_mask *mask;                                          /* NULL: no file was read yet */
} join;

/* Refuses a file whose size is not that of the image, or of the mask's files before it. */
static peft_status check_size(const join *j, const peft_mask *part)
{
    const bool to_image = j->image;
    const int64_t width = to_image ? j->image->width : j->mask ? j->mask->width : part->width;
    const int64_t height = to_image ? j->image->height : j->mask ? j->mask->height : part->height;
    if (part->width == width && part->height == height) return PEFT_OK;
    const bool swapped = to_image && j->image->turned != part->turned && part->width == height && part->height == width;
    return io_fail(PEFT_E_MISMATCH, "the mask has %lldx%lld pixels (height x width), %s %lldx%lld; expected equal "
                   "sizes%s", (long long)part->height, (long long)part->width,
                   to_image ? "its image" : "another file of it", (long long)height, (long long)width,
                   swapped ? ". One of them is turned by its EXIF orientation; to take both as they are stored, read "
                             "the images with orientation=stored" : "");
}

/* The name of a label in messages. */
static const char *label_name(const io_masks *m, int64_t label) { return m->classes.item[label]; }

/* Joins one value of a file to that of the mask: a pixel that one of them ignores is ignored, and background, or no
 * class, gives way to a class. False: both are classes, and differ. */
static bool join_value(int16_t *to, int16_t value)
{
    if (*to == PEFT_MASK_IGNORED || value == 0 || *to == value) return true;
    if (*to != 0 && value != PEFT_MASK_IGNORED) return false;
    *to = value;
    return true;
}

/* Joins a file; of: the class whose pixels it has, or IO_ALL_CLASSES. */
static peft_status join_part(join *j, const peft_mask *part, int64_t of)
{
    peft_mask *m = j->mask;
    const bool one_plane = of != IO_ALL_CLASSES && m->multilabel;
    const int64_t from_planes = part->planes, values = part->width * part->height * from_planes;
    for (int64_t i = 0; i < values; i++) {
        int16_t *to = one_plane ? &m->value[i * m->planes + of] : &m->value[i];
        const int16_t v = part->value[i] == 1 && of != IO_ALL_CLASSES && !one_plane ? (int16_t)of : part->value[i];
        const int64_t pixel = i / from_planes;
        if (!join_value(to, v))
            return io_fail(PEFT_E_FORMAT, "class '%s' at column %lld, row %lld, where another file of the mask has "
                           "class '%s'; expected one class for each pixel%s", label_name(j->masks, v),
                           (long long)(pixel % part->width), (long long)(pixel / part->width),
                           label_name(j->masks, *to),
                           of != IO_ALL_CLASSES ? ", or multilabel=true, whose classes may overlap" : "");
    }
    return PEFT_OK;
}

static peft_status new_mask(join *j, int64_t width, int64_t height)
{
    const io_masks *m = j->masks;
    peft_status s = io_mask_new(m->ctx, width, height, m->classes.count, m->options.multilabel, &j->mask);
    if (!s) j->mask->outside = m->outside;
    return s;
}

/* Reads a file and joins it. */
static peft_status read_file(join *j, const io_mask_job *job, int64_t of)
{
    peft_mask *part;
    peft_status s = io_mask_reader_of(j->masks->ctx, job->path)->read(job, &part);
    if (!s) {
        s = check_size(j, part);
        if (!s) io_masks_compare(j->masks, job->path, part, j->image_name, j->image);
        if (!s && !j->mask) s = new_mask(j, part->width, part->height);
        if (!s) s = join_part(j, part, of);
        peft_mask_free(part);
    }
    return s && s != PEFT_E_NOMEM ? io_fail_in(s, job->path) : s;
}

/* The mask of a sample without files: all background, of the size of its image. */
static peft_status make_empty(join *j, const peft_dataset *d, int64_t i)
{
    peft_image *im = NULL;
    peft_status s = j->image ? PEFT_OK : peft_dataset_load(d, i, &im);
    if (s) return s;
    s = new_mask(j, j->image ? j->image->width : im->width, j->image ? j->image->height : im->height);
    peft_image_free(im);
    return s;
}

peft_status io_masks_load(const peft_dataset *d, int64_t i, const peft_image *image, peft_mask **out)
{
    const io_masks *m = d->masks;
    const int64_t k = io_masks_sample(d, i);
    join j = { .masks = m, .image_name = peft_dataset_name(d, i), .image = image };
    io_mask_job job = { .masks = m, .image_options = d->image_options };
    job.slice = io_slice_of(d, i, &job.slices);
    char *image_path = io_masks_image_path(d, i);
    peft_status s = image_path ? PEFT_OK : io_nomem("mask");
    job.image_path = image_path;
    for (int64_t f = m->first[k]; f < m->first[k + 1] && !s; f++) {
        job.file = m->file[f];
        job.path = m->files.item[job.file];
        s = read_file(&j, &job, m->of_class[f]);
    }
    if (!s && !j.mask) s = make_empty(&j, d, i);
    peft_sys_free(m->ctx, image_path);
    if (s) peft_mask_free(j.mask);
    else *out = j.mask;
    return s;
}

peft_status peft_dataset_load_mask(const peft_dataset *d, int64_t i, const peft_image *image, peft_mask **out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "mask: %s is NULL", d ? "out" : "data set");
    if (!d->masks)
        return io_fail(PEFT_E_INVALID, "mask: the data set has no masks; attach them by peft_dataset_with_masks");
    if (i < 0 || i >= d->count)
        return io_fail(PEFT_E_INVALID, "mask: sample %lld, expected 0 to %lld", (long long)i, (long long)d->count - 1);
    return io_masks_load(d, i, image, out);
}
