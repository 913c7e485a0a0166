/* SPDX-License-Identifier: Apache-2.0
 * dataset.h -- data sets: images with one class each (single label), or with a target of 0 or 1 for each class
 * (multi-label). Part of libpeft-io; see io.h for what all of it shares: ownership, threads, memory, options. */
#ifndef PEFT_DATASET_H
#define PEFT_DATASET_H
#include <peft/image.h>
PEFT_BEGIN_DECLS

typedef struct peft_dataset peft_dataset;

/* Opens a folder of class folders: path/<class>/<file> (split NULL), or path/<split>/<class>/<file> with split "train",
 * "val" or "test". The folder of a split may also be called training, valid, validation or testing, in upper or lower
 * case. If two folders mean the same split, such as "val" and "valid", split must be the exact name of one of the two
 * folders, and the other is skipped.
 * Classes are those of all splits together, sorted by name (bytewise), so that every split numbers them alike; samples
 * are sorted by class and file name. Samples are the files with the endings in docs/formats.md (in upper or lower
 * case), and DICOM files without an ending, that are not hidden; peft_dataset_skipped counts the others. Loading a file
 * of several slices fails unless the image option slice chooses one of them (peft_dataset_with_image_options).
 * PEFT_E_FORMAT: a class has no images in any split, or its folder in this split holds only other files; a class name
 * has control characters or is not UTF-8. PEFT_E_NOTFOUND: there is no folder of the split. PEFT_E_INVALID: split is
 * NULL, but there are folders of splits. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_folder(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* The same for a zip of such a folder. The file stays open: images are read from it one by one, in forked processes
 * too. Bytes before the archive are skipped, and backslashes in names are taken as slashes. If the archive has
 * one top folder around all images, that folder is left out of the samples' names, path/<split>/<class>/<file>.
 * PEFT_E_FORMAT: not a zip, or one that was cut short; a name that leads out of the archive (.., a leading /); two
 * entries with the same name; images both in the top folder itself and in folders below it, so that it could be a
 * class; a class name in an unknown encoding. PEFT_E_UNSUPPORTED: images that are encrypted, or compressed by a method
 * that this build does not read (the message names it; stored and deflated entries are always read); more than 2^22
 * entries; an image that unpacks to more than 1 GiB or to more than 1032 times its packed size. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_zip(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* Opens a MedMNIST file: an .npz with the arrays <split>_images, u8, u16, i16 or f32 [n,h,w], [n,h,w,1] or [n,h,w,3],
 * and <split>_labels, integers [n] or [n,1] (class numbers) or [n,C] (0/1 targets); split is "train", "val" or "test".
 * i16 and f32 images need a range in the transform. The images of the split are held in memory. Warns if a class below
 * the largest label has no sample in any split.
 * PEFT_E_UNSUPPORTED: more than 64 entries; an array that unpacks to more than 8 GiB or to more than 1032 times its
 * packed size; an array of another type or shape, of objects, or in Fortran order. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_npz(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* Opens a list, a text file in UTF-8 with one sample on each line: `name class` or `name 0,1,0` (a target for each
 * class), with blanks or a comma between name and numbers. A name that begins or ends in blanks, begins with # or a
 * quote, or ends in a number must stand in double quotes (a quote inside is doubled). Backslashes are taken as slashes.
 * Empty lines and lines that begin with # are comments. Names are relative to folder (NULL: that of the list; "": the
 * current one).
 * classes: the number of classes; 0: the largest class number + 1, with a warning if a class below that has no sample.
 * PEFT_E_FORMAT, with the number of the line: a line of another form, a Windows path, or a name with two labels. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_list(peft_context *ctx, const char *path, const char *folder, int64_t classes, peft_dataset **out);
/* Opens a table, a CSV or TSV file whose first line names its columns, with one picture in each further line. Columns
 * of the picture's path, its label, the patient, the study and the split are found by common names ("path", "Image
 * Index", "label", "Finding Labels", "Patient ID", "split", ..) or named by options; docs/tables.md lists both. Labels
 * are text or numbers in one column, several labels in a cell ("Effusion|Mass"), or several columns of 0 and 1: several
 * labels, or a single one where every row has exactly one 1. In columns -1 and empty cells are missing targets, -1,
 * unless the options blank and uncertain say otherwise. Classes are those of all rows, whatever split is opened: text
 * sorted bytewise, numbers in their order. split: "train", "val", "test" or their other names; NULL: all rows. Cells
 * may be quoted (RFC 4180); the separator is found in the first line. The encoding is UTF-8, UTF-16, or
 * Windows-1252 (with a warning). Paths are relative to the table's folder; a name that is not there is
 * searched in the folders below. A picture that is listed again with the same label counts once, with a warning.
 * options: "name=value,..." (peft_dataset_table_option); NULL: none. PEFT_E_FORMAT, with the number of the line or the
 * columns that there are: a column that is missing or may be one of several, a row without label, a picture with two
 * labels, patients or splits, a path of Windows. PEFT_E_NOTFOUND: the table has no splits, or no row of this one.
 * PEFT_E_UNSUPPORTED: more than 2^24 rows, or 2^30 targets of several labels in a cell (rows times classes).
 * PEFT_E_IO: pictures do not exist or are no regular files; with missing=skip they are left out, and
 * peft_dataset_skipped counts them. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_table(peft_context *ctx, const char *path, const char *split, const char *options,
                        peft_dataset **out);
PEFT_API const peft_option *peft_dataset_table_option(size_t i); /* row i of these options (options.h); NULL: none */
/* Opens what lies at path by one of the functions above: a folder, a file .zip or .npz (in upper or lower case), a
 * DICOMDIR, whose images have no labels (peft_dataset_open_pictures), a table if the first line is none of a list, or
 * ends in a text and a number ("Finding 2"), and has a common name of a column, and any other file as a list, which has
 * no splits (PEFT_E_NOTFOUND unless split is NULL). PEFT_E_IO: path does not exist. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open(peft_context *ctx, const char *path, const char *split, peft_dataset **out);
/* Opens pictures without labels, to predict them: all pictures of a folder or a zip, at any depth, sorted by path; a
 * list of paths, one on each line, with or without class numbers, which are ignored (see peft_dataset_open_list); a
 * table with column names, whose labels are ignored; or a single picture. In folders and zips, DICOM files without an
 * ending, such as IM000001, are recognised by their content; beside them, all other files without an ending are samples
 * too, so that a broken one is found when it is loaded. All samples have the class 0, "unlabelled".
 * In a folder the headers of DICOM files are read: those of each folder are sorted by series and slice, as
 * peft_dicom_header_sort has it, and keep their places among other pictures; a series is a case with the name of its
 * folder, or, if the folder holds several, "FOLDER//UID" with its Series Instance UID. A DICOM file whose header cannot
 * be read is of the series of its folder if that holds one series, else of no case.
 * path may also be a DICOMDIR, the directory of a medium, or a folder with one directly in it: the samples are then the
 * images that it refers to, in the order of its records, sought in its folder in any case of letters; its series are
 * cases as in a folder. An image that is not there is a sample that cannot be loaded, and so is one whose path leads
 * out of the folder, with a warning. An image that it lists again is one sample. peft_dataset_skipped counts
 * references to other files than images, images without a file, repetitions, and pictures in the folder that it does
 * not refer to. PEFT_E_IO: path cannot be read, or nothing of what a DICOMDIR refers to is there. PEFT_E_FORMAT:
 * there are no pictures; a DICOMDIR is broken or names no image; the rest as for the functions above. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_open_pictures(peft_context *ctx, const char *path, peft_dataset **out);
PEFT_API void        peft_dataset_free(peft_dataset *d);

PEFT_API int64_t     peft_dataset_count(const peft_dataset *d);                      /* samples; 0 for NULL */
PEFT_API int64_t     peft_dataset_classes(const peft_dataset *d);                    /* 0 for NULL */
PEFT_API const char *peft_dataset_class_name(const peft_dataset *d, int64_t c);      /* NULL: no such class */
PEFT_API int         peft_dataset_multilabel(const peft_dataset *d);                 /* 1: targets, 0: labels */
PEFT_API int64_t     peft_dataset_label(const peft_dataset *d, int64_t i);           /* -1: multi-label or no such i */
/* out [classes]: the targets, 0, 1 or -1; for a single label 1 for its class and 0 for all others. A target of -1,
 * called "not judged" in messages, is a missing (masked) one: the trainer and the metrics leave it out. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_targets(const peft_dataset *d, int64_t i, float *out);
PEFT_API const char *peft_dataset_name(const peft_dataset *d, int64_t i);            /* path; "train/17" for .npz */
PEFT_API int64_t     peft_dataset_id(const peft_dataset *d, int64_t i);  /* the sample's index in the opened data set */
/* Loads the image of sample i. The message of a failure names the file. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_load(const peft_dataset *d, int64_t i, peft_image **out);
/* What the opened folder or zip holds beside the samples, counted by ending: "12 .txt, 3 .xml, 1 folder"; of a table
 * with missing=skip the "3 missing files"; "" if nothing was skipped. Hidden files are not counted. */
PEFT_API const char *peft_dataset_skipped(const peft_dataset *d);
/* SHA-256, as 64 hexadecimal digits, over the class names and the samples in order: their number, names, ids, and
 * labels or targets; with masks also their options and the names of their files. Data sets with the same samples have
 * the same digest. The folder that all samples of the opened data set lie in is not hashed, so that a data set that is
 * moved keeps its digest. The images are not read. */
PEFT_API PEFT_NODISCARD peft_status peft_dataset_digest(const peft_dataset *d, char hex[65]);

/* Makes a data set of all samples of d, with the classes of like: each class gets the number that the class of the same
 * name has in like. If like has {benign, malignant}, malignant is class 1 in out, whatever its number in d. With single
 * labels d may lack classes that like has. PEFT_E_MISMATCH, with the names of both: samples of d have a class that like
 * lacks; the class names of multi-label sets differ; one is multi-label and the other not. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_match_classes(peft_dataset *d, const peft_dataset *like, peft_dataset **out);

/* Finds the samples of a whose image is also in b, under any name: the same file, a link to it, or a file with the same
 * bytes. *count: how many there are. The first `room` of them are written: in_a[k] is a sample of a, in_b[k] a sample
 * of b with the same image. If several samples of b have it, in_b[k] is the first whose class or targets differ from
 * those of in_a[k], or the first of all if none differs. With a == b it finds images that occur twice, such as a file
 * under two labels. room 0: in_a and in_b may be NULL. Files are compared by their bytes only if they have the same
 * size. Files that do not exist are left out. PEFT_E_IO: a file cannot be read. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_overlap(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a, int64_t *in_b,
                     int64_t *count);

/* The same with decoded pixels in place of bytes: finds images that were stored in another format, or with other
 * metadata. Images match if size, channels, depth and all samples are equal; a JPEG that was compressed again does not.
 * Every image is decoded. The errors are also those of peft_dataset_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_overlap_pixels(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a, int64_t *in_b,
                            int64_t *count);

/* --- patients and cases ------------------------------------------------------------------------------------------- */
/* Samples of a group, a patient, never come into both parts of a peft_dataset_split or peft_dataset_few_shot. Samples
 * of a case, a study or volume, are slices of one thing, whose predictions may be aggregated. A table has both by its
 * columns of patients and studies; with studies alone these are the groups too. A study listed under two patients is a
 * case of each, named "patient/study"; other cases have the name of the study. Parts keep them. */
PEFT_API int         peft_dataset_has_groups(const peft_dataset *d);                /* 1: some samples are in a group */
PEFT_API int         peft_dataset_has_cases(const peft_dataset *d);
PEFT_API const char *peft_dataset_group(const peft_dataset *d, int64_t i);           /* its name; NULL: in none */
PEFT_API const char *peft_dataset_case(const peft_dataset *d, int64_t i);            /* likewise */
/* Makes a data set of the same samples, whose groups are read from their names: pattern is compared with the name of
 * the file, and with the names of as many folders before it as it has slashes. In it * stands for any text and ? for
 * one character, both without a slash; the part in parentheses names the group; several patterns are separated by |,
 * and the first that matches counts. "(person*)_*|(IM-*)-*" gives person12_virus_3.jpeg and person12_bacteria_1.jpeg
 * the group person12. Groups of d are replaced. A name that matches none is in no group, with a warning. The pattern
 * "dicom" stands for the headers of the samples, DICOM files: groups are their Patient IDs, and cases their studies.
 * PEFT_E_INVALID: a pattern without one pair of parentheses, or which no name matches. With "dicom" the errors are also
 * those of peft_dicom_header_read; PEFT_E_UNSUPPORTED: samples of a .zip or .npz. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_groups(peft_dataset *d, const char *pattern, peft_dataset **out);
/* Finds the groups (patients) of a that are also in b, by their names. *count: how many there are. Of the first `room`
 * of them in_a[k] and in_b[k] are the first samples in a and in b. room 0: in_a and in_b may be NULL. Sets without
 * groups share none. Names that differ in form only ("0003" and "3", "P1" and "p1") are different groups, with a
 * warning, here and where groups are made. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_shared_groups(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a, int64_t *in_b,
                           int64_t *count);

/* Makes a data set of the same samples, whose images are read with these options of peft_image_load ("max_side=40000").
 * Parts of out keep the options. PEFT_E_UNSUPPORTED: an option for an .npz, whose images are arrays in memory and are
 * not read by peft_image_load. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_image_options(peft_dataset *d, const char *options, peft_dataset **out);

/* Makes a data set of all slices of the samples of d, in their order: slices of volumes, frames of DICOM files, pages
 * of TIFF files. A file of one image stays one sample. The slices of another are called "scan.nii.gz#slice=17", from 0,
 * and are a case with the name of the file, unless d has a case for it; label, targets and group are those of the file.
 * Slices are counted and read with the image options of d (axis=0). A file that cannot be opened stays one sample, so
 * that loading it tells why; so does one that claims more than 2^20 slices. The file that was read last stays in
 * memory, that of a .nii.gz unpacked, unless it has more than 1 GiB or is a TIFF file. The result is an opened data
 * set, with ids of its own. PEFT_E_OPTION: the image options of d choose a slice. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_with_slices(peft_dataset *d, peft_dataset **out);

/* A part of a data set is a data set itself. Its ids (peft_dataset_id) are those of the opened data set, so that an id
 * means the same sample in every part. Which samples a part has depends on the argument seed and not on the seed of the
 * context: another initialisation or order of training then does not change which samples are held out. Give
 * peft_context_seed(ctx) if both shall change together. */
/* Makes the part of the samples indices[0] .. indices[count - 1] of d, in this order. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_subset(peft_dataset *d, const int64_t *indices, int64_t count, peft_dataset **out);
/* Few-shot: draws `ways` classes by seed (0: all), which get the numbers 0..ways-1 in their order in d, and `shots`
 * samples of each without replacement. rest (may be NULL): the other samples of these classes. The function also draws
 * a balanced test set: with ways=0, shots=120 out has 120 images of each class. Where d has groups, rest
 * lacks all samples of groups with a drawn sample; the log (level 2) says how many. PEFT_E_INVALID: a class, which the
 * message names, has fewer samples. PEFT_E_UNSUPPORTED: the data set is multi-label, or no sample remains for rest. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_few_shot(peft_dataset *d, int64_t ways, int64_t shots, uint64_t seed, peft_dataset **out,
                      peft_dataset **rest);
/* Stratified split: out has `fraction` of every class, to the nearest whole sample, drawn by seed; rest (may be NULL)
 * has the others. Each part has at least one sample of every class that has two or more, unless the part has fewer
 * samples than there are such classes. Multi-label: out has `fraction` of all samples, chosen so that both parts have
 * nearly the same share of positives of each label (iterative stratification, Sechidis et al. 2011). Where d has
 * groups, each comes into one part as a whole: groups are taken in an order drawn by seed, larger ones first, and each
 * goes to the part that lacks more of its classes (of the positives of its labels) and of samples, relative to all of
 * them; the shares are then as near to `fraction` as the groups allow. A part that has no sample of a class then gets
 * the smallest group with one, if the other part has two and does not lose its last sample of another class with it.
 * PEFT_E_UNSUPPORTED: a part would be empty; all samples are of one group. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_split(peft_dataset *d, double fraction, uint64_t seed, peft_dataset **out, peft_dataset **rest);
/* Fold number `fold`, from 0 on, of `folds`: held_out has the samples of this fold, train all others, both in the order
 * of d; one of the two may be NULL. Over all folds, with the same folds and seed, each sample is held out once.
 * Stratified as scikit-learn's StratifiedKFold: the numbers of samples of a class differ by at most one between folds,
 * and so do those of all samples. Multi-label: iterative stratification as in peft_dataset_split. Where d has groups,
 * each is held out as a whole (StratifiedGroupKFold), and the shares are as near as the groups allow. A class with
 * fewer samples (with groups: fewer groups) than folds gives a warning in the log: some held-out parts lack it, and the
 * training part does too if it has one.
 * PEFT_E_INVALID: not 2 <= folds <= count or 0 <= fold < folds; every class has fewer samples or groups than folds.
 * PEFT_E_UNSUPPORTED: fewer groups than folds, or a fold would be empty. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_fold(peft_dataset *d, int64_t folds, int64_t fold, uint64_t seed, peft_dataset **train,
                  peft_dataset **held_out);
/* The samples of site number `site`, from 0 on, of `sites`, in the order of d: for simulations of federated
 * training. Over all sites, with the same sites, alpha and seed, each sample is at one site, and each site has at
 * least one. alpha 0: equal shares of all classes, divided as by peft_dataset_fold. Else the shares of a
 * class that the sites have are drawn of a Dirichlet distribution, all of whose parameters are alpha: about equal
 * for large alpha; with 0.1 most images of a class are at one or two sites. Where d has groups, each is at one site
 * as a whole and counts to the class that most of its samples have. A site that would be empty gets one group
 * (without groups, one sample) of the site with most samples, of those with two groups or more. Shares are rounded
 * to 2^-20, so that machines whose mathematical libraries differ in a last bit have the same division.
 * PEFT_E_INVALID: not 1 <= sites <= count, 0 <= site < sites, alpha 0 or from 1e-100 to 1e100. PEFT_E_UNSUPPORTED:
 * fewer groups than sites; several labels a sample, and alpha is not 0; with alpha 0 groups so different in size that a
 * site would be empty. */
PEFT_API PEFT_NODISCARD peft_status
peft_dataset_partition(peft_dataset *d, int64_t sites, int64_t site, double alpha, uint64_t seed, peft_dataset **out);

PEFT_END_DECLS
#endif
