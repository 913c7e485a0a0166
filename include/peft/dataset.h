/* SPDX-License-Identifier: Apache-2.0
 * dataset.h -- data sets: samples with a class each, or with a 0/1 target per class. Part of libpeft-io; io.h says
 * what holds for all of it. */
#ifndef PEFT_DATASET_H
#define PEFT_DATASET_H
#include <peft/image.h>
PEFT_BEGIN_DECLS

typedef struct peft_dataset peft_dataset;

/* path/<class>/<file> (split NULL), or path/<split>/<class>/<file> with split "train", "val" or "test". The folder of a
 * split may also be called training, valid, validation or testing, in upper or lower case; where two folders mean one
 * split, split must be the name of one of them, and the other is left out. Classes are sorted by name (bytewise) and
 * taken from all splits together, so every split numbers them alike; files too are sorted. Samples are the files .png
 * .jpg .jpeg .jpe .jfif .pgm .ppm .pnm .npy (in upper or lower case) that are not hidden; peft_dataset_skipped counts
 * the others. A file of several slices is a sample of which the image option slice chooses one
 * (peft_dataset_with_image_options); without it loading the sample fails.
 * PEFT_E_FORMAT: a class without pictures in any split, or whose folder in this split holds other files only; a class
 * name with control characters or not in UTF-8. PEFT_E_NOTFOUND: no folder means the split. PEFT_E_INVALID: split is
 * NULL, but there are folders of splits. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_folder(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* The same from a zip of such a folder, which stays open: images are read from it one by one, in forked processes too.
 * Bytes before the archive are skipped, backslashes are taken as slashes. A top folder around all pictures is left
 * out of the names. Names are path/<split>/<class>/<file>.
 * PEFT_E_FORMAT: no zip, or one cut short; a name that leads out of the archive (.., a leading /); two entries of a
 * name; pictures in the top folder and in its folders, so that it may be a class; a class name in an unknown encoding.
 * PEFT_E_UNSUPPORTED: images encrypted, or compressed by a method that this build does not read (the message
 * names it; stored and deflated entries are always read); more than 2^22 entries; an image that unpacks to more than
 * 1 GiB or to 1032 times its packed size. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_zip(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* MedMNIST: <split>_images u8, u16, i16 or f32 [n,h,w], [n,h,w,1] or [n,h,w,3], <split>_labels integers [n], [n,1]
 * (classes) or [n,C] (0/1 targets); split "train", "val" or "test". i16 and f32 need a range in the transform. The
 * split's images are held in memory. Gives a warning where no sample of any split has some class below the largest
 * label.
 * PEFT_E_UNSUPPORTED: more than 64 entries; an array that unpacks to more than 8 GiB or to 1032 times its packed size;
 * an array of another type or shape, of objects, or in Fortran order. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_npz(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* A text file in UTF-8, one sample a line: `name class` or `name 0,1,0` (a target per class), with blanks or a comma
 * between name and numbers. A name that begins or ends in blanks, begins with # or a quote, or ends in a number must
 * stand in double quotes (a quote inside is doubled). Backslashes are taken as slashes. Empty lines and lines that
 * begin with # are comments. Names are relative to folder (NULL: that of the list; "": the current one).
 * classes: how many there are; 0: the largest class + 1, with a warning where no sample has some class below that.
 * PEFT_E_FORMAT, with the number of the line: another form, a Windows path, a name with two labels. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_list(peft_context *ctx, const char *path, const char *folder, int64_t classes, peft_dataset **out);
/* Calls one of the four functions above: for a folder, for .npz, for .zip (in upper or lower case), and for any other
 * file that for lists, which have no splits (PEFT_E_NOTFOUND unless split is NULL). PEFT_E_IO: nothing is at path. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
PEFT_API void        peft_dataset_free(peft_dataset *d);

PEFT_API int64_t     peft_dataset_count(const peft_dataset *d);                      /* samples; 0 for NULL */
PEFT_API int64_t     peft_dataset_classes(const peft_dataset *d);                    /* 0 for NULL */
PEFT_API const char *peft_dataset_class_name(const peft_dataset *d, int64_t c);      /* NULL: no such class */
PEFT_API int         peft_dataset_multilabel(const peft_dataset *d);                 /* 1: targets, 0: labels */
PEFT_API int64_t     peft_dataset_label(const peft_dataset *d, int64_t i);           /* -1: multi-label or no such i */
PEFT_API PEFT_NODISCARD peft_status    /* out [classes]: the targets, or the label as one 1 among 0 */
peft_dataset_targets(const peft_dataset *d, int64_t i, float *out);
PEFT_API const char *peft_dataset_name(const peft_dataset *d, int64_t i);            /* path, or "train/17"; NULL */
PEFT_API int64_t     peft_dataset_id(const peft_dataset *d, int64_t i);  /* its index in the opened set */
PEFT_API PEFT_NODISCARD peft_status    /* the message of a failure names the file */
peft_dataset_load(const peft_dataset *d, int64_t i, peft_image **out);
/* What the opened folder or zip holds that is not among the samples, counted by ending: "12 .bmp, 3 .tif, 1 folder";
 * "" where nothing was left out. Hidden files are not counted. */
PEFT_API const char *peft_dataset_skipped(const peft_dataset *d);
/* SHA-256 over the number of samples, their names, ids and labels or targets in order, and the class names, as 64
 * hexadecimal digits: equal for two draws of the same samples. The folder that all samples of the opened set lie in
 * is left out of the names, so that a moved data set keeps its digest. The pictures are not read. */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_digest(const peft_dataset *d, char hex[65]);

/* All samples of d, with their classes numbered as in like, by name: where like has {benign, malignant}, malignant is 1
 * in out, whatever its number in d. With single labels d may lack classes of like.
 * PEFT_E_MISMATCH, with both sets of names: samples of d have a class that like lacks; multi-label sets differ in a
 * name; one is multi-label and the other not. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_match_classes(peft_dataset *d, const peft_dataset *like, peft_dataset **out);

/* Samples of a whose picture is also in b, under whatever name: the same file, a link to it, or the same bytes. *count
 * is how many there are; the first room of them are written: in_a[k] is a sample of a, in_b[k] one of b with the same
 * picture; of several the first with another class or other targets, else the first. a == b: pictures that occur twice,
 * which finds a file under two labels. room 0: in_a and in_b may be NULL. Most files differ in size and are not read.
 * Files that do not exist (any more) are left out. PEFT_E_IO: a file cannot be read. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_overlap(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a, int64_t *in_b,
                     int64_t *count);

/* The same samples, with pictures that are read with these options of peft_image_load ("max_side=40000"). Parts that
 * are taken of out keep the options. PEFT_E_UNSUPPORTED: any option for an .npz, whose images are arrays in memory that
 * are not read by peft_image_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_image_options(peft_dataset *d, const char *options, peft_dataset **out);

/* Parts of a data set are data sets. Ids (peft_dataset_id) stay those of the opened set, so that an id means the same
 * sample in every part. A draw follows the argument seed alone and not the seed of the context, so that other initial
 * values or another order of training do not change which samples are held out; give peft_context_seed(ctx) where
 * both are to change together. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_subset(peft_dataset *d, const int64_t *indices, int64_t count, peft_dataset **out);
/* ways classes drawn by seed (0: all; their numbers become 0..ways-1 in the old order), shots samples of each without
 * replacement. rest (may be NULL): the other samples of those classes. "120 test images a class" is shots = 120.
 * PEFT_E_INVALID names a class with fewer; PEFT_E_UNSUPPORTED: multi-label, or nothing left for rest. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_few_shot(peft_dataset *d, int64_t ways, int64_t shots, uint64_t seed, peft_dataset **out,
                      peft_dataset **rest);
/* fraction of every class, to the nearest whole sample, drawn by seed; rest may be NULL. A class of two samples or more
 * has at least one in each part that has room for one of every such class. Multi-label: fraction of all samples, chosen
 * so that both parts have each label's share of positives (iterative stratification, Sechidis et al. 2011).
 * PEFT_E_UNSUPPORTED: a part would be empty. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_split(peft_dataset *d, double fraction, uint64_t seed, peft_dataset **out, peft_dataset **rest);

PEFT_END_DECLS
#endif
