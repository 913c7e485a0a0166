/* SPDX-License-Identifier: Apache-2.0
 * records.h -- file names and columns of the folder that compare --records writes and report reads. A study is what one
 * run of compare measures: methods and settings (the entries of its list), each trained several times on several draws.
 *   study.csv                one property of the study in each row: its name, then its value (compare_records.c);
 *                            train_images, test_images and test_cases have a row for each draw where draws differ
 *   KEY-SEED-RUN.run.csv     heading and one row, as in compare's CSV file
 *   KEY-SEED-RUN.curve.csv   epoch,loss,balanced_accuracy: mean training loss of the epoch, and the test images'
 *                            balanced accuracy (empty in epochs without an evaluation); of masks epoch,loss,dice
 *   KEY-SEED-RUN.test.csv    name,index,true, then one column of probabilities for each class, and if patients are
 *                            known patient: a hash of the id, equal in all files, empty where it is not known. It has a
 *                            row for each test image; index and true (the label) count from 0; with compare
 *                            --per-case a row for each case: name is that of the case, index counts cases in the order
 *                            of their first images
 *   KEY-SEED-RUN.cases.csv   of masks in place of .test.csv: the figures of each test image and class
 *                            (segment/figures/case_figures.h), with hashes of the patients' ids
 *   KEY-SEED-RUN.masks.csv   of masks, of the first run of each entry on the first draw, rank,case,image,width,height,
 *                            labels,picture_digest: the predicted masks of the best, the median and the worst case by
 *                            mean Dice of its classes without the background. case counts the cases of .cases.csv,
 *                            image the test images from 0; of a volume it is the slice that masks fill most. labels:
 *                            runs of pixels, row by row, class*pixels with blanks between them; picture_digest: the
 *                            first 16 hexadecimal digits of the SHA-256 of the image's samples
 * and with compare --analysis
 *   KEY-SEED-RUN.space.csv   name,value: before_ and after_ (tuning) intra_scatter, inter_scatter, silhouette,
 *                            effective_rank (peft/analysis.h) and map_share, the map's share of the variance; then
 *                            tokens, prefix_tokens (class token and registers) and transform (its text)
 *   KEY-SEED-RUN.map.csv     index,before_1,before_2,after_1,after_2: first two principal components of the features
 *   KEY-SEED-RUN.mass.csv    image,block, then a column for each token: the share of attention that sinks take in this
 *                            block, for single test images and, with image "mean", on average; without sinks no rows
 * and with compare --maps, of the first run of each entry on the first draw,
 *   KEY-SEED-RUN.maps.csv    kind,image,class,width,height,left,top,right,bottom,rows,columns,values,note: a row for
 *                            each map (peft/maps.h) of the test images that report shows (figures/shown_images.h).
 *                            image: index of .test.csv; class: of the map, empty where the kind has none; width,
 *                            height: of the image in pixels; left to bottom: what the network sees of it
 *                            (peft_transform_box); values: rows * columns numbers with blanks between them, row by
 *                            row. Without a map all fields after class are empty and note says why; image is empty if
 *                            no image has one
 * "Before" are the features of the backbone as it is. A value that does not exist is empty.
 * KEY is a hash of the label and settings of an entry of compare's list. SEED is the seed of the draw, the random
 * selection of the training images. RUN counts the runs of an entry on a draw from 1. Files are written atomically. */
#ifndef RECORDS_H
#define RECORDS_H
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* The results of one run, in the order of the CSV file's columns, and the studies whose tables have them: CLASSES of
 * images, MASKS, or ALL. Those of masks are means over classes, without the background. */
typedef enum result_kind { OF_CLASSES = 1, OF_MASKS = 2, OF_ALL = OF_CLASSES | OF_MASKS } result_kind;
#define RESULT_COLUMNS(X) \
    X(test_images, ALL) X(accuracy, CLASSES) X(balanced_accuracy, CLASSES) X(f1_macro, CLASSES) \
    X(auroc_macro, CLASSES) X(map, CLASSES) X(dice, MASKS) X(iou, MASKS) X(hd95, MASKS) X(surface_distance, MASKS) \
    X(loss, ALL) X(trainable_parameters, ALL) X(steps, ALL) X(seconds_per_step, ALL) X(planned_bytes, ALL) \
    X(peak_bytes, ALL) X(seconds, ALL)
#define RESULT_ID(name, kind) result_##name,
enum { RESULT_COLUMNS(RESULT_ID) result_columns };
extern const char *const result_name[result_columns];
extern const result_kind result_of[result_columns];
typedef struct result { double value[result_columns]; } result;      /* NaN: undefined for this data set */
/* In a study of masks each class has these results, in columns behind the others: dice_tissue, iou_tissue, .. */
enum { result_first_of_class = result_dice, results_of_class = result_surface_distance - result_dice + 1 };

/* Writes a record's file name into text [record_name_size]. kind: "run", "curve", "test", "space", "map",
 * "mass" or "maps". The lengths in the format limit key and kind, so the name always fits. */
#define RECORDED_SCORE "%.9g"                                /* how .test.csv holds a probability */
enum { record_name_size = 64 };
static inline void record_name(char *text, const char *key, uint64_t draw_seed, int64_t run, const char *kind)
{
    snprintf(text, record_name_size, "%.16s-%" PRIu64 "-%" PRId64 ".%.8s.csv", key, draw_seed, run, kind);
}
#endif
