/* SPDX-License-Identifier: Apache-2.0
 * command_line.h -- predict's flags, and the checks of them before anything is read. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H
#include "common/backbone/weights.h"
#include "common/data/data.h"
#include "common/flags/flags.h"
#include "common/model/adaptation.h"
#include "predict.h"

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer that the model was trained on, a " \
      "safetensors file, a file of PyTorch (.pth), the index of a model in several files, a folder with one of " \
      "these, or a .npz file of Google's ViT") \
    X(model, "PATH", NULL, "the model that finetune wrote, or a folder in Hugging Face's PEFT format; without it the " \
      "backbone's own classifier") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace those of the model, name=value,... (inspect " \
      "--preprocess lists them)") \
    X(threshold, "LIST", NULL, "decide by these thresholds in place of the model's: 0.3 (of all labels, or of two " \
      "classes of the positive one) or NAME=0.3,...") \
    X(class_names, "LIST", NULL, "names of the classes, name,name,... in the order of training") \
    IMAGE_FLAG(X) \
    X(all_slices, NULL, NULL, "predict every slice of a file of several pictures, such as a volume; with --per-case " \
      "such a file is a case, unless it is of a study in a table, or of a DICOM series in a folder") \
    X(format, "text|csv|csv-semicolon|jsonl", NULL, "csv: a table with a heading line; csv-semicolon: the same with " \
      "semicolons and decimal commas, as a German Excel reads it; jsonl: a JSON object on each line; without it " \
      "text, or with --out jsonl for FILE.jsonl, else csv") \
    X(csv, NULL, NULL, "the same as --format csv") \
    X(out, "FILE", NULL, "write the table to this file; until all pictures are done, it is FILE.part") \
    X(resume, NULL, NULL, "with --out: go on with FILE.part of an earlier run by the same options") \
    X(force, NULL, NULL, "overwrite --out and --case-figures if they exist") \
    X(data, "PATH", NULL, "predict the pictures of this data set (as for finetune --data) in place of PICTURES") \
    X(split, "train|val|test", NULL, "with --data: the split to predict, train, val or test; without it all pictures") \
    TABLE_FLAG(X) \
    ATTENTION_CASE_FLAG(X) \
    X(task, "classify|segment", NULL, "what the model is asked for; without it segment where its head gives a class " \
      "for each pixel, else classify") \
    X(save_masks, "DIR", NULL, "segment: write the mask of each picture to this folder, a PNG file with a palette " \
      "under the path of the picture without the folders that all share; of several labels a pixel a folder for each") \
    X(save_overlays, "DIR", NULL, "segment: write each picture with the classes drawn over it to this folder") \
    X(save_segmentations, "DIR", NULL, "segment: write DICOM segmentations of the pictures, which must be DICOM " \
      "files, to this folder, with references to them") \
    X(segmentation_per, "file|series", "file", "one of each file, with all of its frames (--all-slices), or one of " \
      "all files of a DICOM series") \
    X(segmenter, "LIST", NULL, "segment: mode=whole (the picture is resized) or mode=tiles,overlap=0.5 (parts of the " \
      "size of the model's input), and further settings of docs/api/segmenter.md") \
    X(spacing, "R:C[:S]", NULL, "segment: distances of rows and of columns in mm, of pictures whose files state " \
      "none, as ROW:COLUMN, or ROW:COLUMN:SLICE with that of slices, for volumes whose files state none; for areas " \
      "in mm2 and for the distances of --masks; or the word file: none for such pictures, but a CSV table has " \
      "columns of areas, which it lacks without this flag") \
    X(masks, "DIR", NULL, "segment: compare with the true masks in this folder, which lie under the paths and names " \
      "of the pictures (docs/segmentation.md), and print Dice, IoU, precision, recall and distances") \
    X(mask_options, "LIST", NULL, "segment: how true masks are read, kind=binary,classes=background:lesion, ... " \
      "(docs/segmentation.md); without it index masks of the model's classes; without --masks they lie beside the " \
      "pictures, as with suffix=_mask, and are not predicted") \
    X(case_figures, "FILE", NULL, "with --masks: write a CSV file with a row for each case and class") \
    X(adapt, "KIND", NULL, "adapt to the pictures by a kind of test-time adaptation with its options, foa_bp or " \
      "\"tent,batch=8\" (inspect --adaptation, docs/adaptation.md)") \
    X(batch, "N", "64", "with --adapt: pictures in a call, which adapts once; a model that " \
      "segments has 1, or with --segmenter mode=tiles up to N tiles") \
    X(source, "PATH", NULL, "with --adapt: training images, as for finetune --data, for kinds that compare pictures " \
      "with them; labels are not used") \
    X(source_images, "N", "64", "number of them, drawn at random (0: all)") \
    X(seed, "N", "1", "with --adapt: seed of this draw and of the adaptation") \
    X(state, "FILE", NULL, "with --adapt: continue from this file if it exists, and write to it what was learned") \
    X(compute, "f32|bf16x3|bf16|int8|int8_all", "f32", "arithmetic of matrix products; bf16 and int8 round factors, " \
      "and are faster on CPUs with instructions for them (docs/arithmetic.md)") \
    X(threads, "N", "0", "number of threads (0: one for each core)")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
extern flag given[flags];

/* Pictures are given either as arguments or by --data; else the program ends. */
void check_inputs(int arguments, char *const *argument);
/* The flags of --adapt; without it kind is NULL, and its options are errors. The state is checked before anything is
 * computed. */
adaptation adaptation_of_flags(void);
/* The format of the table: that of --format or --csv, else text, or for a file that of its ending. */
table_format format_of_flags(void);
/* Whether a run that was stopped can go on where it was: a case needs all its pictures, and predictions with --adapt
 * depend on the pictures before. */
bool can_resume(void);
/* Replaces the thresholds of the model by those of --threshold. With --per-case and --adapt those of the model, and its
 * prediction sets, are left out with a warning: they were chosen for single images and for the model as it was
 * trained. */
void choose_decisions(loaded_model *s);
/* What a line of the table is of, by --per-case. */
line_kind lines_of_flags(void);
/* Checks --out before anything is computed. */
void check_table_flags(int arguments, char *const *argument);
#endif
