/* SPDX-License-Identifier: Apache-2.0
 * tree.h -- the names of files and folders below the root of a data set, and the rules that make classes and samples
 * of them: the same for a folder and for a zip. */
#ifndef IO_TREE_H
#define IO_TREE_H
#include "io/dataset.h"

/* The most parts that matter: a folder around everything, a split, a class, a file, and one for what lies deeper. */
enum { IO_PARTS = 5 };
/* A name cut at its slashes. folder: the last part is a folder. A name that is hidden or too deep stands for the folder
 * that it lies in; count 0: it stands for nothing. */
typedef struct io_entry {
    char *text;
    const char *part[IO_PARTS];
    int count;
    bool folder, stray, guessed;                              /* stray: never a class; guessed: of unknown encoding */
    int64_t member;                                           /* of a zip */
} io_entry;
typedef struct io_tree { io_entry *item; int64_t count, room; } io_tree;

/* A name relative to the root, owned (NULL: no memory); a folder's ends with a slash. guessed: see io_entry. */
peft_status io_tree_add(io_tree *t, char *owned, bool guessed, int64_t member);
void        io_tree_clear(io_tree *t);
/* One folder around all pictures is cut off. PEFT_E_FORMAT where pictures lie both in it and in its folders, so that it
 * may be a class as well. */
peft_status io_tree_skip_top(io_tree *t, const char *path, const char *split);
/* Fills d's classes, names, labels and the text of what was left out; with members, d->member too. path begins the
 * names and the messages. */
peft_status io_tree_arrange(const io_tree *t, const char *path, const char *split, bool members, peft_dataset *d);

/* The split that a folder's name means, in small letters: "train" for "Training"; NULL: none. */
const char *io_split_of(const char *name);
peft_status io_check_split(const char *split);                /* PEFT_E_INVALID: no split is called that */
/* Equal but for the case of ASCII letters, in every locale: strcasecmp in a Turkish one finds JFIF and jfif different. */
bool io_same_word(const char *a, const char *b);
/* Whether a file is read as a picture, by the ending of its name. */
bool io_is_image_name(const char *name);
/* "12 .bmp, 3 .tif, 1 folder" of a list of endings (".bmp", "/" for a folder, "" for none), which is sorted. */
peft_status io_count_endings(io_strings *endings, char **out);
/* The ending of a file's name as io_count_endings wants it, in small letters; the caller frees it. */
char *io_ending(const char *name);
#endif
