/* SPDX-License-Identifier: Apache-2.0
 * input_files.h -- the files that loading a backbone and a model reads beside those that the command line names:
 * shards, the weights in a folder, descriptions such as config.json. */
#ifndef INPUT_FILES_H
#define INPUT_FILES_H

/* What a program loads. backbone: a path, or NULL. backbone_options: as for load_backbone, or NULL. model: a trained
 * model, or NULL. */
typedef struct input_files { const char *backbone, *backbone_options, *model; } input_files;

/* Ends the program with an error if path is one of the files that loading the inputs reads, even by another name (a
 * link). flag: the option that gave the path, without "--", such as "out". */
void check_not_input(const char *flag, const char *path, const input_files *in);
/* The same for the .csv files in a folder of records (compare --records). */
void check_not_record(const char *flag, const char *path, const char *folder);
#endif
