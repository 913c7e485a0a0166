/* SPDX-License-Identifier: Apache-2.0
 * io.h -- the companion library libpeft-io: pictures, the preprocessing that turns them into network input, data sets
 * and batches. Link it beside libpeft; it uses libpeft's public functions only.
 *
 * As everywhere in <peft/...>: a call that fails returns a status, leaves a message in peft_last_error(), and does not
 * touch its outputs. The caller frees what it gets through `T **out`, with one call of T's _free function; what a
 * function returns is borrowed from the handle. Handles count their references, so they may be freed in any order.
 * All handles but the loader are immutable and may be used from any number of threads. A getter gives 0 or NULL for a
 * NULL handle, or -1 for a label or an id.
 *
 * Every object is made under a context, which it keeps alive: the one that is given, or that of the object it is made
 * of (the resized image that of the image, the loader that of the data set). Its memory comes from the context's
 * allocator and is counted by peft_context_memory_used, also what libspng uses to read and write PNG. libjpeg, libzip
 * and zlib allocate with malloc what they need: libzip while an archive is open, the others while one file is read;
 * libjpeg also the coefficients of a JPEG in several scans, which max_bytes bounds. Warnings go to the context's log, with level 1.
 *
 * Settings are text as peft_options_parse (options.h) takes it, NULL or "" for the defaults; a list of numbers is
 * written a:b:c. Unknown names, names given twice and values out of bounds are PEFT_E_OPTION. */
#ifndef PEFT_IO_H
#define PEFT_IO_H
#include <peft/context.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* --- image: width x height pixels of 1 (grey) or 3 (RGB) samples: 8 or 16 bits, signed 16 bits, or float ---------- */
typedef struct peft_image peft_image;

/* Reads PNG (.png), JPEG (.jpg .jpeg .jpe .jfif), PNM (P5, P6: .pgm .ppm .pnm) or NumPy (.npy, see below), told apart
 * by content and not by name. 16-bit samples stay 16-bit; palettes become RGB; 1, 2 and 4-bit greys are scaled to 8; an
 * alpha channel is left out of the pixels (grey + alpha: grey) and kept for transforms with alpha=white. Gamma, ICC
 * profiles and EXIF orientation are ignored. JPEG is decoded with the accurate integer DCT. A file is refused where a
 * pixel cannot be decoded as it was written: a wrong checksum, data cut short or damaged. Damage that changes no pixel
 * is accepted: a PNG without its end chunk or with damage after the pixels, a JPEG with extra bytes among its headers,
 * with zeros before its end, or without its end marker.
 * NumPy: u8, u16, i16 or f32 of [h,w], [h,w,1], [h,w,3], or of several slices: [n,h,w], [n,h,w,1], [n,h,w,3]. An array
 * of three extents of which the last is 1 or 3 is one picture.
 * options: max_side (65536) pixels, max_bytes (1073741824) of the file and of the decoded picture, the coefficients of
 * a JPEG in several scans included; both are checked before anything of that size is allocated. slice: the index, from
 * 0, of a picture in a file that holds several; such a file is refused without it (PEFT_E_UNSUPPORTED, with the number
 * of slices), and an index past the last is PEFT_E_OPTION.
 * PEFT_E_IO: cannot be read. PEFT_E_FORMAT: broken, or none of the formats (the message names WebP, TIFF, DICOM and
 * others, and how to convert them). PEFT_E_UNSUPPORTED: too large; CMYK, lossless or 12-bit JPEG; Apple's CgBI;
 * another type or shape of NumPy array, or one in Fortran order. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_load(peft_context *ctx, const char *path, const char *options, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status   /* of a file's bytes in memory */
peft_image_load_memory(peft_context *ctx, const void *data, size_t size, const char *options, peft_image **out);
/* Sets *slices to the number of pictures in the file: 1 in all formats but NumPy. options, and errors but those of
 * slice: as for peft_image_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_slices(peft_context *ctx, const char *path, const char *options, int64_t *slices);
/* Copies pixels: height rows of width * channels interleaved samples, row_bytes from one row to the next (0: rows
 * without gaps). depth: 8 (uint8_t), 16 (host-endian uint16_t), PEFT_SIGNED_16 (host-endian int16_t, such as
 * Hounsfield units) or PEFT_FLOAT_32 (float). A transform of a signed or float image needs a range (range=lo:hi).
 * PEFT_E_INVALID: a side below 1, channels not 1 or 3, another depth, or row_bytes shorter than a row. */
#define PEFT_SIGNED_16 (-16)
#define PEFT_FLOAT_32  (-32)
PEFT_API PEFT_NODISCARD peft_status
peft_image_from_buffer(peft_context *ctx, const void *pixels, int64_t width, int64_t height, int channels, int depth,
                       int64_t row_bytes, peft_image **out);
/* A copy of im in which a sample v has the value slope * v + intercept (DICOM's Rescale Slope and Intercept, NIfTI's
 * scl_slope and scl_inter); both replace an earlier rescale of im. The range of a transform is given in these values;
 * peft_image_pixels gives the samples v. A transform of such an image needs a range. PEFT_E_INVALID: |slope| outside
 * 1e-30..1e30, or |intercept| above 1e30. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_rescale(const peft_image *im, double slope, double intercept, peft_image **out);
PEFT_API void        peft_image_free(peft_image *im);                         /* NULL is fine */
PEFT_API int64_t     peft_image_width(const peft_image *im);                  /* of a NULL image here and below: 0 */
PEFT_API int64_t     peft_image_height(const peft_image *im);
PEFT_API int         peft_image_channels(const peft_image *im);               /* 1 or 3 */
PEFT_API int         peft_image_depth(const peft_image *im);                  /* as in peft_image_from_buffer */
PEFT_API const void *peft_image_pixels(const peft_image *im);                 /* [height, width, channels], no gaps */
/* PNG of the image's own depth (PEFT_E_UNSUPPORTED: signed, float or rescaled). Atomic: path holds the old file or the
 * whole new one. */
PEFT_API PEFT_NODISCARD peft_status peft_image_save_png(const peft_image *im, const char *path);

/* Antialiased two-pass resizing, filter "bicubic" (a = -0.5), "bilinear", "box", "hamming", "lanczos", or "nearest".
 * 8-bit results equal those of Pillow 13.0 to the bit (22-bit weights, 8 bits between the passes); 16-bit ones equal
 * its 32-bit integer mode, clipped to what 16 bits hold; float ones its float mode. ":pillow12" after the name
 * ("bicubic:pillow12"): the horizontal pass always comes first, as in Pillow before 12.2; 13.0 begins with the vertical
 * one where that is less work.
 * PEFT_E_INVALID, here and in the next two: an unknown filter, or a side outside 1..16777216. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter, peft_image **out);
/* The same in Pillow's float mode, not rounded or clipped, to the caller's out [height, width, channels]. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out);
/* The shorter side becomes size, the longer one floor(size * longer / shorter). */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out);
/* left and top may be negative and the box may reach beyond the image: samples outside are 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_crop(const peft_image *im, int64_t left, int64_t top, int64_t width, int64_t height, peft_image **out);
/* The offset is half the difference, rounded half to even. A side that is too short is first padded with 0 at both
 * ends; an odd number of pixels puts the extra one at the right or bottom. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_centre_crop(const peft_image *im, int64_t width, int64_t height, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status peft_image_flip(const peft_image *im, peft_image **out);  /* left to right */

/* --- transform: everything from an image to network input, described by a text ------------------------------------ */
typedef struct peft_transform peft_transform;

/* Names and defaults:
 *   size=224              the output is [3, size, size]; grey is repeated three times
 *   resize=squash         both sides to floor(size / crop_pct), then the centre of size x size
 *     or shorter          the shorter side to floor(size / crop_pct), the longer one in proportion, then the centre
 *     or longest          the longer side to floor(size / crop_pct), the shorter one in proportion, rounded half to
 *                         even, then the centre; what lies outside is black (open_clip's resize_mode longest)
 *     or longest_mean     the same, but outside is the mean colour (timm's crop_mode border)
 *     or none, N, HxW     no resizing; the shorter side to N pixels; height H and width W; then the centre. Where that
 *                         reaches beyond the image it is black.
 *   crop_pct=1            in (0, 1]; the default is 0.875 where the text has resize=shorter; 1 for all others
 *   crop_offset=round     or floor: how the centre's offset is rounded, half to even (torchvision, timm) or down
 *                         (transformers)
 *   interpolation=bicubic or bilinear, nearest, box, hamming, lanczos
 *   resize_order=pillow13 or pillow12: the order of the passes of a resize, as in Pillow 13.0 or in those before 12.2
 *                         (horizontal first)
 *   range=full            or lo:hi: samples lo..hi become 0..1, those outside are clipped. range=0:4095 for 12-bit
 *                         samples in 16-bit images, range=-1000:400 for Hounsfield units. Without it, a 16-bit image
 *                         whose largest sample is below 8192 gives a warning, once for each transform.
 *     or pA:pB            range=p1:p99: lo and hi are the 1st and the 99th percentile of the image itself: of all its
 *                         samples, all channels together, before any crop, with linear interpolation in double
 *                         (numpy.percentile of a float64 array). Where both are the same value, samples up to it
 *                         become 0 and larger ones 1: an image of one value is black.
 *                         Samples are windowed first, to 16 bits. Signed, float and rescaled images are refused
 *                         without a range (PEFT_E_INVALID), NaN and infinite samples always (PEFT_E_NONFINITE).
 *   alpha=drop            or white: transparent pixels are put on white (transformers since 5.21)
 *   grey=false            true: colour becomes luma (ITU-R 601) first
 *   mean=0.5:0.5:0.5  std=0.5:0.5:0.5   out = (sample / largest sample - mean) / std; one value stands for three.
 *                         PEFT_E_OPTION where they are for samples in 0..255: divide them by 255
 * and for training only:
 *   random_crop=false     true: a random box, resized to size, takes the place of resize
 *   scale=0.08:1  ratio=0.75:1.3333333333333333   its area over the image's, its width / height (log-uniform)
 *   flip=0                probability of a left-right flip
 *   brightness=0  contrast=0  saturation=0   b: factors uniform in [max(0, 1 - b), 1 + b], in random order
 *   pad=0  pad_mode=zero or reflect   shifted by up to pad pixels; black or the mirrored picture fills the gap
 *   erase=0               probability that a box is overwritten, after everything else (torchvision's RandomErasing):
 *   erase_area=0.02:0.33  erase_ratio=0.3:3.3   its area over the input's, its height / width (log-uniform)
 *   erase_fill=mean       or random, uniform: the mean colour (input 0), inputs drawn from the standard normal
 *                         distribution, or samples drawn uniformly from 0..255
 * A text with all settings of an earlier version (all above but crop_offset, resize_order, range and alpha) keeps the
 * meaning that it had there, so that saved models predict as before: squash without a crop, crop_pct above 1, the
 * horizontal pass first, erase_ratio as width / height, erase_fill=random as uniform. */
PEFT_API PEFT_NODISCARD peft_status peft_transform_parse(peft_context *ctx, const char *text, peft_transform **out);
/* The settings of text in place of those of base (NULL: the defaults), such as a backbone's note "preprocess" with what
 * the user changes. A resize in text replaces base's crop_pct too; a size in text alone scales base's resize=N or HxW:
 * size=384 over size=224,resize=256 gives resize=439. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_parse_over(peft_context *ctx, const char *base, const char *text, peft_transform **out);
/* Every setting in a fixed order. Parsing it makes an equal transform, so that a model file can hold it. */
PEFT_API const char *peft_transform_text(const peft_transform *t);            /* NULL: NULL */
PEFT_API void        peft_transform_free(peft_transform *t);
PEFT_API int64_t     peft_transform_size(const peft_transform *t);            /* NULL: 0 */
/* Without augmentations. out: [3, size, size] floats of the caller. PEFT_E_INVALID: an image that needs a range, or a
 * range beyond the values that samples of its type can have. PEFT_E_NONFINITE: a NaN or infinite sample. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply(const peft_transform *t, const peft_image *im, float *out);
/* With the training augmentations, drawn from a generator keyed by (seed, epoch, sample) alone. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch, int64_t sample,
                           float *out);

/* --- data set: samples with a class each, or with a 0/1 target per class ------------------------------------------ */
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

PEFT_API int64_t     peft_dataset_count(const peft_dataset *d);
PEFT_API int64_t     peft_dataset_classes(const peft_dataset *d);
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
 * are taken of out keep the options. The images of an .npz are arrays in memory, which no option changes. */
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

/* --- loader: batches for the trainer ------------------------------------------------------------------------------ */
typedef struct peft_loader peft_loader;

/* options: batch=16, shuffle=false, drop_last=false, train=false (augment), seed (of order, augmentation and mixup; by
 * default the one that the data set's context has now), threads=0 (how many prepare batches ahead; 0: the caller
 * prepares them), cache=268435456 (bytes of decoded images that are kept), mixup=0 (> 0, with train: each sample and its
 * targets, which must be f32, are blended with those of the next sample; the share is drawn from Beta(mixup, mixup)). Batch b of epoch e depends on the data set, the transform and these options, but not on
 * threads or cache. A loader is used by one thread at a time. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_create(peft_dataset *d, peft_transform *t, const char *options, peft_loader **out);
PEFT_API void    peft_loader_free(peft_loader *l);
PEFT_API int64_t peft_loader_batch_size(const peft_loader *l);
PEFT_API int64_t peft_loader_batches(const peft_loader *l);                          /* in an epoch */
/* Any batch: images f32 [>= batch, 3, size, size]; labels NULL, i64 [>= batch] (single label) or f32 [>= batch,
 * classes] (targets); sample_ids NULL or [>= batch]: peft_dataset_id of each sample, or -1 for all where the input of a
 * sample changes with the epoch (train with a transform that draws random values, or with mixup): features that a
 * trainer keeps by id would then be those of one augmentation. count: samples written, 0 past the end.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_read(peft_loader *l, int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                 int64_t *sample_ids, int64_t *count);
/* The samples of that batch, as indices in the loader's data set, into samples [>= batch]. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_samples(peft_loader *l, int64_t epoch, int64_t batch, int64_t *samples, int64_t *count);
/* A peft_batch_fn with the loader as its user: peft_loader_read of that batch. The number of samples, 0 past the end of
 * the epoch, -1 on failure with peft_last_error() set. The loader has no position of its own. */
PEFT_API int64_t peft_loader_next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                                  int64_t *sample_ids, void *loader);

/* --- weights ------------------------------------------------------------------------------------------------------ */
/* Turns a ViT in Google's .npz (the augreg, in21k and big_vision checkpoints; f32) into a safetensors file with timm's
 * names, which peft_backbone_load reads. Atomic: safetensors holds the old file or the whole new one.
 * PEFT_E_IO: cannot be read or written. PEFT_E_FORMAT: broken, or no such ViT. PEFT_E_UNSUPPORTED: other element types,
 * more than 4096 arrays or 64 blocks, an array that unpacks to more than 8 GiB or to 1032 times its packed size. */
PEFT_API PEFT_NODISCARD peft_status
peft_npz_to_safetensors(peft_context *ctx, const char *npz, const char *safetensors);

PEFT_END_DECLS
#endif
