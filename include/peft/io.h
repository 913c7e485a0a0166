/* SPDX-License-Identifier: Apache-2.0
 * io.h -- the companion library libpeft-io: pictures, the preprocessing that turns them into network input, data sets
 * and batches. Link it beside libpeft; it uses libpeft's public functions only.
 *
 * House rules as everywhere in <peft/...>: every failing call returns a status and leaves a message in
 * peft_last_error(); outputs are untouched then. What comes through `T **out` is the caller's and takes one _free;
 * what a function returns is borrowed from the handle. Handles are counted inside: the order of frees never matters.
 * All handles but the loader are immutable and may be used from any number of threads. What is asked of a NULL handle
 * is 0, NULL, or -1 where it is a label or an id.
 *
 * Settings are text: "name=value" pairs between commas or blanks, NULL or "" for the defaults; a list is written
 * a:b:c, a truth value true or false. Unknown names, doubled names and values out of bounds are PEFT_E_OPTION. */
#ifndef PEFT_IO_H
#define PEFT_IO_H
#include <peft/context.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* Where libpeft-io's warnings go (level 1, one line without a newline): by default to standard error, after
 * "libpeft: warning: "; fn NULL: nowhere. For the whole process; to be set before other threads use the library. */
PEFT_API void peft_io_set_log(peft_log_fn fn, void *user);

/* --- image: width x height pixels of 1 (grey) or 3 (RGB) samples, 8 or 16 bits each ------------------------------- */
typedef struct peft_image peft_image;

/* Reads PNG, JPEG or PNM (P5, P6), known by content and not by name. 16-bit samples stay 16-bit; palettes become RGB;
 * 1, 2 and 4-bit greys are scaled to 8; an alpha channel is left out of the pixels (grey + alpha: grey) and kept for
 * transforms with alpha=white. Gamma, ICC profiles and EXIF orientation are ignored. JPEG is decoded with the accurate
 * integer DCT. A file is refused where a pixel would be invented: a wrong checksum, data cut or damaged; what leaves
 * every pixel as it was written is not: a PNG without its end chunk or with damage behind the pixels, a JPEG with bytes
 * among its headers, with zeros before its end, or without its end marker.
 * options: max_side (65536) pixels, max_bytes (1073741824) of the file and of the decoded picture, the coefficients of
 * a JPEG in several scans included; both are checked before anything of that size is allocated.
 * PEFT_E_IO: cannot be read. PEFT_E_FORMAT: broken, or none of the formats (the message names WebP, TIFF, DICOM and
 * others, with what to do). PEFT_E_UNSUPPORTED: too big; CMYK, lossless or 12-bit JPEG; Apple's CgBI. */
PEFT_API PEFT_NODISCARD peft_status peft_image_load(const char *path, const char *options, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status
peft_image_load_memory(const void *data, size_t size, const char *options, peft_image **out);
/* Copies pixels: height rows of width * channels interleaved samples, row_bytes from one row to the next (0: rows
 * without gaps). depth: 8 (uint8_t), 16 (host-endian uint16_t) or PEFT_SIGNED_16 (host-endian int16_t: Hounsfield
 * units, for one; a transform of such an image needs range=lo:hi). */
#define PEFT_SIGNED_16 (-16)
PEFT_API PEFT_NODISCARD peft_status
peft_image_from_buffer(const void *pixels, int64_t width, int64_t height, int channels, int depth, int64_t row_bytes,
                       peft_image **out);
PEFT_API void        peft_image_free(peft_image *im);                         /* NULL is fine */
PEFT_API int64_t     peft_image_width(const peft_image *im);                  /* of NULL, here and below: 0 or NULL */
PEFT_API int64_t     peft_image_height(const peft_image *im);
PEFT_API int         peft_image_channels(const peft_image *im);               /* 1 or 3 */
PEFT_API int         peft_image_depth(const peft_image *im);                  /* 8, 16 or PEFT_SIGNED_16 */
PEFT_API const void *peft_image_pixels(const peft_image *im);                 /* [height, width, channels], no gaps */
/* PNG of the image's own depth (PEFT_E_UNSUPPORTED: signed). Atomic: path holds the old file or the whole new one. */
PEFT_API PEFT_NODISCARD peft_status peft_image_save_png(const peft_image *im, const char *path);

/* Antialiased two-pass resizing, filter "bicubic" (a = -0.5), "bilinear", "box", "hamming", "lanczos", or "nearest".
 * 8-bit results equal those of Pillow 13.0 to the bit (22-bit weights, 8 bits between the passes); 16-bit ones equal
 * its 32-bit integer mode, clipped to what 16 bits hold. "bicubic:pillow12" and so on: the horizontal pass always comes
 * first, as in Pillow before 12.2; 13.0 begins with the vertical one where that is shorter. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter, peft_image **out);
/* The same in Pillow's float mode, neither rounded nor clipped: out [height, width, channels] of the caller. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out);
/* The shorter side becomes size, the longer one the whole part of size * long / short. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out);
/* left and top may be negative and the box may reach beyond the image: what lies outside is 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_image_crop(const peft_image *im, int64_t left, int64_t top, int64_t width, int64_t height, peft_image **out);
/* The offset is half the difference, rounded half to even; a side too short is first padded with 0 on both ends
 * (the odd one at the far end). */
PEFT_API PEFT_NODISCARD peft_status
peft_image_centre_crop(const peft_image *im, int64_t width, int64_t height, peft_image **out);
PEFT_API PEFT_NODISCARD peft_status peft_image_flip(const peft_image *im, peft_image **out);  /* left to right */

/* --- transform: the whole way from an image to network input, described by a text --------------------------------- */
typedef struct peft_transform peft_transform;

/* Names and defaults:
 *   size=224              the output is [3, size, size]; grey is repeated three times
 *   resize=squash         both sides to floor(size / crop_pct), then the centre of size x size
 *     or shorter          the shorter side to floor(size / crop_pct), the longer one in proportion, then the centre
 *     or none, N, HxW     no resizing; the shorter side to N pixels; height H and width W; then the centre. What the
 *                         image is short of is black.
 *   crop_pct=1            in (0, 1]; 0.875 where resize=shorter comes without it; 1 for none, N and HxW
 *   crop_offset=round     or floor: where the surplus is odd (torchvision, timm: half to even; transformers: down)
 *   interpolation=bicubic or bilinear, nearest, box, hamming, lanczos
 *   resize_order=pillow13 or pillow12: which pass of a resize comes first, so that results equal Pillow 13.0 or those
 *                         before 12.2 (horizontal first)
 *   range=full            or lo:hi: samples lo..hi become 0..1, what is outside is cut. range=0:4095 for 12 bits in
 *                         16-bit images, range=-1000:400 for Hounsfield units. Without it a 16-bit image whose largest
 *                         sample is below 8192 is warned of, once for each transform.
 *   alpha=drop            or white: transparent pixels are laid on white (transformers since 5.21)
 *   grey=false            true: colour becomes luma (ITU-R 601) first
 *   mean=0.5:0.5:0.5  std=0.5:0.5:0.5   out = (sample / largest sample - mean) / std; one value stands for three.
 *                         PEFT_E_OPTION where they count samples as 0..255: divide by 255
 * and for training only:
 *   random_crop=false     true: a random box, resized to size, takes the place of resize
 *   scale=0.08:1  ratio=0.75:1.3333333333333333   its area as a part of the image's, its width / height (log-uniform)
 *   flip=0                probability of a left-right flip
 *   brightness=0  contrast=0  saturation=0   b: factors uniform in [max(0, 1 - b), 1 + b], in random order
 *   pad=0  pad_mode=zero or reflect   shifted by up to pad pixels each way, into black or the mirrored picture
 *   erase=0               probability that a box is overwritten, after everything else (torchvision's RandomErasing):
 *   erase_area=0.02:0.33  erase_ratio=0.3:3.3   its area as a part of the input's, its height / width (log-uniform)
 *   erase_fill=mean       or random, uniform: the mean colour (0), draws of the normal distribution in place of the
 *                         input's values, or samples drawn evenly from 0..255
 * A complete text of an earlier libpeft, which has none of crop_offset, resize_order, range and alpha, keeps its
 * meaning: squash without a crop, crop_pct above 1 as a size, the horizontal pass first. */
PEFT_API PEFT_NODISCARD peft_status peft_transform_parse(const char *text, peft_transform **out);
/* text's settings over those of base (NULL: the defaults): a backbone's own preprocessing with what the user changes.
 * A resize in text brings its own crop_pct; a size in text scales base's resize=N or HxW in proportion. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_parse_over(const char *base, const char *text, peft_transform **out);
/* Every setting in canonical order; parse(text(t)) makes an equal transform, so an adapter file can carry it. */
PEFT_API const char *peft_transform_text(const peft_transform *t);            /* NULL: NULL */
PEFT_API void        peft_transform_free(peft_transform *t);
PEFT_API int64_t     peft_transform_size(const peft_transform *t);            /* NULL: 0 */
/* out: [3, size, size] floats of the caller. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply(const peft_transform *t, const peft_image *im, float *out);
/* With the training augmentations, drawn from a generator keyed by (seed, epoch, sample) alone. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch, int64_t sample,
                           float *out);

/* --- data set: samples with a class each, or with a 0/1 target per class ------------------------------------------ */
typedef struct peft_dataset peft_dataset;

/* path/<class>/<file> (split NULL), or path/<split>/<class>/<file> with split "train", "val" or "test". The folder of a
 * split may also be called training, valid, validation or testing, in any case; where two mean one split, split must
 * be spelled as one of them. Classes are sorted by name (bytewise) and taken from all splits together, so every split
 * numbers them alike; files too are sorted. Counted are .png .jpg .jpeg .jpe .jfif .pgm .ppm .pnm (any case), hidden
 * files are not; what else lies there is told by peft_dataset_skipped.
 * PEFT_E_FORMAT: a class without pictures in any split, or whose folder in this one holds other things only; a class
 * name with control characters or not in UTF-8. PEFT_E_NOTFOUND: no folder means the split. PEFT_E_INVALID: split NULL
 * and there are folders of splits. */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_open_folder(const char *path, const char *split, peft_dataset **out);
/* The same from a zip of such a folder, which stays open: images are read from it one by one, in forked processes too.
 * Bytes in front of the archive are stepped over, backslashes count as slashes. A top folder that all pictures lie in
 * is skipped. Names are path/<split>/<class>/<file>.
 * PEFT_E_FORMAT: no zip, or one cut short; a name that leaves the archive (.., a leading /); a file twice; pictures in
 * the top folder and in its folders, so that it may be a class; a class name in an unknown encoding.
 * PEFT_E_UNSUPPORTED: images encrypted, or compressed in a way that this build does not read (named; stored and
 * deflated ones always are); over a limit (2^22 entries, 1 GiB an image, 1032 times inflated). */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_open_zip(const char *path, const char *split, peft_dataset **out);
/* MedMNIST: <split>_images u8 or u16 [n,h,w], [n,h,w,1] or [n,h,w,3], <split>_labels integers [n], [n,1] (classes) or
 * [n,C] (0/1 targets); split "train", "val" or "test". The split's images are held in memory. A class below the largest
 * label that no sample of any split has is told as a warning.
 * PEFT_E_UNSUPPORTED: over a limit (64 entries, 8 GiB an array, 1032 times inflated), or an array of other numbers or
 * another shape, of objects, or in Fortran order. */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_open_npz(const char *path, const char *split, peft_dataset **out);
/* A text file in UTF-8, one sample a line: `name class` or `name 0,1,0` (a target per class), with blanks or a comma
 * between name and numbers. A name that begins or ends in blanks, begins with # or a quote, or ends in a number stands
 * in double quotes (a quote inside is doubled). Backslashes count as slashes. Empty lines and lines that begin with #
 * are comments. Names are relative to folder (NULL: the list's own).
 * classes 0: the largest class + 1; a class below it that no sample has is told as a warning.
 * PEFT_E_FORMAT, with the line: not such a line, a Windows path, one name under two labels. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_list(const char *path, const char *folder, int64_t classes, peft_dataset **out);
PEFT_API void        peft_dataset_free(peft_dataset *d);

PEFT_API int64_t     peft_dataset_count(const peft_dataset *d);
PEFT_API int64_t     peft_dataset_classes(const peft_dataset *d);
PEFT_API const char *peft_dataset_class_name(const peft_dataset *d, int64_t c);      /* NULL: no such class */
PEFT_API int         peft_dataset_multilabel(const peft_dataset *d);                 /* 1: targets, 0: labels */
PEFT_API int64_t     peft_dataset_label(const peft_dataset *d, int64_t i);           /* -1: multi-label or no such i */
PEFT_API PEFT_NODISCARD peft_status    /* out [classes]: the targets, or the label as one 1 among 0 */
peft_dataset_targets(const peft_dataset *d, int64_t i, float *out);
PEFT_API const char *peft_dataset_name(const peft_dataset *d, int64_t i);            /* path, or "train/17"; NULL */
PEFT_API int64_t     peft_dataset_id(const peft_dataset *d, int64_t i);  /* the index in the set it was taken from */
PEFT_API PEFT_NODISCARD peft_status    /* the message of a failure names the file */
peft_dataset_load(const peft_dataset *d, int64_t i, peft_image **out);
/* What the opened folder or zip holds that is not among the samples, counted by ending: "12 .bmp, 3 .tif, 1 folder";
 * "" where nothing was left out. Hidden files are not counted. */
PEFT_API const char *peft_dataset_skipped(const peft_dataset *d);
/* SHA-256 over the number of samples, their names, ids and labels or targets in order, and the class names, as 64
 * hexadecimal digits: equal for two draws of the same samples. Names count without the folder that all samples of the
 * opened set lie in, so a moved folder keeps its digest; the pictures themselves are not read. */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_digest(const peft_dataset *d, char hex[65]);

/* All samples of d with the classes of like: out numbers them by name as like does, whatever their order in d. d may
 * lack classes of like (single label only).
 * PEFT_E_MISMATCH, with both sets of names: samples of d have a class that like lacks; multi-label sets differ in a
 * name; one is multi-label and the other not. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_match_classes(peft_dataset *d, const peft_dataset *like, peft_dataset **out);

/* Samples of a whose picture is also in b, under whatever name: the same file, a link to it, or the same bytes. *count
 * is how many there are; the first room of them are written: in_a[k] is a sample of a, in_b[k] one of b with the same
 * picture, and with another class or other targets if there is such a one. a == b: pictures that are there twice, so
 * that a file under two labels is found. room 0: in_a and in_b may be NULL. Most files are told apart by their sizes
 * and not read; those that cannot be looked at are passed over. PEFT_E_IO: one of them cannot be read. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_overlap(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a, int64_t *in_b,
                     int64_t *count);

/* The same samples, whose pictures are read with these options of peft_image_load ("max_side=40000"); parts of out
 * keep them. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_image_options(peft_dataset *d, const char *options, peft_dataset **out);

/* Parts of a data set are data sets. Ids (peft_dataset_id) stay those of the opened set, so parts never collide. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_subset(peft_dataset *d, const int64_t *indices, int64_t count, peft_dataset **out);
/* ways classes drawn by seed (0: all; their numbers become 0..ways-1 in the old order), shots samples of each without
 * replacement. rest (may be NULL): the other samples of those classes. "120 test images a class" is shots = 120.
 * PEFT_E_INVALID names a class with fewer; PEFT_E_UNSUPPORTED: multi-label, or nothing left for rest. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_few_shot(peft_dataset *d, int64_t ways, int64_t shots, uint64_t seed, peft_dataset **out,
                      peft_dataset **rest);
/* fraction of every class, to the nearest whole sample, drawn by seed; rest may be NULL. A class of two samples or more
 * has one at least in each part that is large enough for all classes. Multi-label: fraction of all samples, dealt out
 * so that both parts have each label's share of positives (iterative stratification, Sechidis et al. 2011).
 * PEFT_E_UNSUPPORTED: a part would be empty. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_split(peft_dataset *d, double fraction, uint64_t seed, peft_dataset **out, peft_dataset **rest);

/* --- loader: batches for the trainer ------------------------------------------------------------------------------ */
typedef struct peft_loader peft_loader;

/* options: batch=16, shuffle=false, drop_last=false, train=false (augment), seed=0, threads=0 (that prepare batches
 * ahead; 0: the caller alone), cache=268435456 (bytes of decoded images kept), mixup=0 (with train: each sample and its
 * targets, which must be f32, are blended with the next one's; the share is from Beta(mixup, mixup)). Batch b of epoch
 * e depends on the data set, the transform and these but not on threads or cache. A loader is used by one thread at
 * a time. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_create(peft_dataset *d, peft_transform *t, const char *options, peft_loader **out);
PEFT_API void    peft_loader_free(peft_loader *l);
PEFT_API int64_t peft_loader_batch_size(const peft_loader *l);
PEFT_API int64_t peft_loader_batches(const peft_loader *l);                          /* in an epoch */
/* Any batch: images f32 [>= batch, 3, size, size]; labels NULL, i64 [>= batch] (single label) or f32 [>= batch,
 * classes] (targets); sample_ids NULL or [>= batch]: peft_dataset_id of each sample, or -1 for all where the
 * input of a sample changes with the epoch (a training loader whose transform draws random values, or mixup): features
 * kept by such an id would be those of one augmentation. count: samples written, 0 past the end.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_read(peft_loader *l, int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                 int64_t *sample_ids, int64_t *count);
/* Which samples that batch is made of: samples [>= batch], indices in the data set of the loader. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_samples(peft_loader *l, int64_t epoch, int64_t batch, int64_t *samples, int64_t *count);
/* A peft_batch_fn with the loader as its user: peft_loader_read of that batch. The number of samples, 0 past the end of
 * the epoch, -1 on failure with peft_last_error() set. The loader keeps no place of its own. */
PEFT_API int64_t peft_loader_next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                                  int64_t *sample_ids, void *loader);

/* --- weights ------------------------------------------------------------------------------------------------------ */
/* Turns a ViT in Google's .npz (the augreg, in21k and big_vision checkpoints; f32) into a safetensors file with timm's
 * names, which peft_backbone_load reads. Atomic: safetensors holds the old file or the whole new one.
 * PEFT_E_IO: cannot be read or written. PEFT_E_FORMAT: broken, or no such ViT. PEFT_E_UNSUPPORTED: other element types,
 * over the limits (4096 arrays of 8 GiB, grown by at most 1032 times), more than 64 blocks. */
PEFT_API PEFT_NODISCARD peft_status peft_npz_to_safetensors(const char *npz, const char *safetensors);

PEFT_END_DECLS
#endif
