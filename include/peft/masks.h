/* SPDX-License-Identifier: Apache-2.0
 * masks.h -- masks: labels that are maps, a class (or a target of 0 or 1 for each class) for every pixel of an image.
 * Part of libpeft-io; see io.h for what all of it shares: ownership, threads, memory, options. */
#ifndef PEFT_MASKS_H
#define PEFT_MASKS_H
#include <peft/dataset.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

/* The label of a pixel that is not judged: losses and figures leave it out. Data sets and loaders give it whatever
 * value the files have for it (option ignore). */
#define PEFT_MASK_IGNORED (-1)

/* Makes a data set of the samples of d, each with a mask. Class, targets, groups and cases of the images stay; classes
 * of masks are counted apart (peft_dataset_mask_classes). Masks of d are replaced. Subsets, splits and folds
 * of out keep the masks.
 *
 * path: the folder with the masks; NULL: the files in a table's column of masks (option mask of
 * peft_dataset_open_table), or for other data sets the mask of an image lies beside it, in its folder; or one file, the
 * mask of all samples, which must be slices of one file, or one image; or a DICOM segmentation, the mask of every image
 * it refers to (with per_class, multilabel or kind=colors PEFT_E_UNSUPPORTED; segments that overlap are refused). Of
 * DICOM segmentations the file that was read last stays in memory, with its pixels as they are stored, until another
 * one is read or the data set is freed: its bytes, at most 4 GiB, and its parsed elements. The mask of an image
 * `images/benign/a.jpg` is the file `images/benign/a.png` below the folder, with any ending in docs/formats.md, or else
 * `benign/a.png`, or else `a.png`; the first match counts. The mask of a slice `scan.nii.gz#slice=17` is slice 17 of
 * the file of the same name; it is read with the image options of d. Samples that are masks of others, as in a folder
 * with `a.png` and `a_mask.png`, are left out, with a line in the log.
 *
 * options, as text:
 *   classes          names of the classes in their order, a:b:c, or their number, 4; the first one is the background.
 *                    Needed unless kind is binary (background:foreground) or colors names them.
 *   kind=index       pixel values are class numbers, 0 to classes - 1; those of a PNG with a palette are its indices
 *     or binary      two classes: pixel values above threshold are the foreground. For masks of 0 and 255
 *     or colors      the class of a pixel is that of its colour in the option colors, which implies this kind
 *   threshold        with binary; default: half of the largest pixel value of unsigned 8 or 16 bits. A file without any
 *                    pixel value above it, but with others than 0, is refused: it may be an index mask
 *   colors           colours and their classes, #000000:background:#ff0000:tumour; a class may have several colours,
 *                    and the name ignore stands for pixels that are not judged. Classes are numbered as they are named
 *   ignore           the pixel value that marks pixels that are not judged, for example 255; default: none. They
 *                    become -1 (PEFT_MASK_IGNORED)
 *   suffix           behind the name of the image in that of the mask: _mask for `a_mask.png`. Then `a_mask_1.png`,
 *                    `a_mask_2.png` .. are files of the mask too: they are united, and a pixel that one of them calls
 *                    background is of the class that another has. Two classes for a pixel are an error where the mask
 *                    is loaded
 *   per_class=none   folder: a file for each class, in folders `tumour/a.png` named by the classes; suffix: with the
 *                    name of the class behind that of the image, `a_tumour.png`. Pixel values above threshold are of
 *                    the class. The background has no file; an image without a file for a class has none of it. Two
 *                    classes for a pixel are an error where the mask is loaded
 *   multilabel=false true, with per_class: masks are targets, 0 or 1 for each class, and classes may overlap; every
 *                    class has files, the first one too
 *   missing=error    what happens to samples without a mask. skip: they are left out, with a warning; empty: all of
 *                    their pixels are background (of no class), with a warning
 *   outside=ignore   what a mask has outside of the image, where a transform pads it (resize=longest, pad): -1; or the
 *                    name of a class (of targets: none, 0 for all classes)
 *   read             options of peft_image_load for the masks, in quotes; default: the image options of d without
 *                    volume and window
 * PEFT_E_IO: the folder cannot be read. PEFT_E_NOTFOUND: a sample has no mask; the message names where it was looked
 * for. PEFT_E_FORMAT: two files may be the mask, or one file is the mask of two images. PEFT_E_OPTION: an unknown
 * option, options that exclude each other, or classes missing. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_masks(peft_dataset *d, const char *path, const char *options, peft_dataset **out);
PEFT_API const peft_option *peft_dataset_mask_option(size_t i); /* row i of these options (options.h); NULL: none */

PEFT_API int         peft_dataset_has_masks(const peft_dataset *d);                  /* 1: its samples have masks */
PEFT_API int64_t     peft_dataset_mask_classes(const peft_dataset *d);               /* 0 without masks */
PEFT_API const char *peft_dataset_mask_class_name(const peft_dataset *d, int64_t c); /* NULL: no such class */
PEFT_API int         peft_dataset_mask_multilabel(const peft_dataset *d);            /* 1: targets, 0: labels */
/* File k of the mask of sample i; NULL: it has no further one. Most masks are one file. */
PEFT_API const char *peft_dataset_mask_file(const peft_dataset *d, int64_t i, int64_t k);

/* A mask in memory, of the size of its image. It does not change, and any number of threads may use it. */
typedef struct peft_mask peft_mask;
/* Loads the mask of sample i. image: that of the sample (peft_dataset_load), whose size the mask must have; NULL: sizes
 * are not compared. Masks are turned by an orientation (EXIF) of their own, as images are.
 * PEFT_E_INVALID: d has no masks. PEFT_E_MISMATCH: mask and image differ in size, or, for a slice, their files in the
 * number of slices; the message has both.
 * PEFT_E_FORMAT: a value or colour that is no class, with file, value, column and row. Others: as peft_image_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_load_mask(const peft_dataset *d, int64_t i, const peft_image *image, peft_mask **out);
/* Makes a mask of labels [height, width], 0 to classes - 1 or -1, which are copied. PEFT_E_INVALID: a side below 1,
 * more than 32767 classes, or another label; the message has its row and column. */
PEFT_API PEFT_NODISCARD peft_status
peft_mask_from_labels(peft_context *ctx, const int64_t *labels, int64_t width, int64_t height, int64_t classes,
                      peft_mask **out);

/* Makes a mask of targets [height, width, classes], 0, 1 or -1, which are copied. PEFT_E_INVALID: as above, or another
 * target; the message has its row, column and class. */
PEFT_API PEFT_NODISCARD peft_status
peft_mask_from_targets(peft_context *ctx, const float *targets, int64_t width, int64_t height, int64_t classes,
                       peft_mask **out);
PEFT_API void    peft_mask_free(peft_mask *m);                                       /* NULL: does nothing */
PEFT_API int64_t peft_mask_width(const peft_mask *m);                                /* 0 for NULL, as the next three */
PEFT_API int64_t peft_mask_height(const peft_mask *m);
PEFT_API int64_t peft_mask_classes(const peft_mask *m);
PEFT_API int     peft_mask_multilabel(const peft_mask *m);
/* out [height, width]: the classes, -1 where a pixel is not judged. PEFT_E_UNSUPPORTED: the mask has targets. */
PEFT_API PEFT_NODISCARD peft_status peft_mask_labels(const peft_mask *m, int64_t *out);
/* out [height, width, classes]: 0, 1 or -1; of labels 1 for the class of the pixel, and -1 for all classes where it is
 * not judged. */
PEFT_API PEFT_NODISCARD peft_status peft_mask_targets(const peft_mask *m, float *out);

/* Moves a mask as peft_transform_apply and peft_transform_apply_train move its image: *out has the side of the
 * network's input, and its pixel (y, x) is that of the pixel of the mask that the centre of the input's pixel (y, x)
 * lies in (nearest, as interpolation=nearest takes pixels of the image). Resize, crops, shift and flip move both by the
 * same draws; range, colours, normalisation and erase leave the mask as it is. Where the input lies outside of the
 * image, the mask is -1, or what the option outside of the data set says. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_mask(const peft_transform *t, const peft_mask *m, peft_mask **out);
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_train_mask(const peft_transform *t, const peft_mask *m, uint64_t seed, int64_t epoch,
                                int64_t sample, peft_mask **out);

PEFT_END_DECLS
#endif
