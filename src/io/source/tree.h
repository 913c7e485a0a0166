/* SPDX-License-Identifier: Apache-2.0
 * tree.h -- the names of files and folders below the root of a data set, and the rules by which they become classes and
 * samples: the same for a folder and for a zip. */
#ifndef IO_TREE_H
#define IO_TREE_H
#include "io/dataset/dataset.h"
#include "io/format/formats.h"

/* The parts of a name that are kept: a folder around everything, a split, a class, a file, and one for what lies
 * deeper. */
enum { IO_PARTS = 5 };
/* A name, cut at its slashes into count parts. folder: the last part is a folder. Of a name with a hidden part (.git/x)
 * or with more than IO_PARTS parts only the parts before that are kept, and folder is true. */
typedef struct io_entry {
    char *text;
    const char *part[IO_PARTS];
    int count;
    bool folder, stray, guessed;                              /* stray: outside the top folder; guessed: see below */
    int64_t member;                                           /* of a zip */
} io_entry;
/* ctx: whose memory the tree and its names are. */
typedef struct io_tree { peft_context *ctx; io_entry *item; int64_t count, room; } io_tree;

/* Adds a name relative to the root; t owns it, also on failure, and NULL is PEFT_E_NOMEM. The name of a folder ends
 * with a slash. guessed: the zip did not say which encoding the name has. A name without any part is dropped. */
peft_status io_tree_add(io_tree *t, char *owned, bool guessed, int64_t member);
void        io_tree_clear(io_tree *t);
/* Removes the first part of all names where one folder lies around all pictures ("set/a/1.png" becomes "a/1.png").
 * PEFT_E_FORMAT where pictures lie both in it and in its folders, so that it could be a class as well. */
peft_status io_tree_skip_top(io_tree *t, const char *path, const char *split);
/* Fills classes, names, labels and skipped of d. *member (NULL: not wanted): the member of each sample, which the
 * caller frees. Names and messages begin with path. */
peft_status io_tree_arrange(const io_tree *t, const char *path, const char *split, int64_t **member, peft_dataset *d);

/* The split that a folder's name means ("train" for "Training"); NULL: none. */
const char *io_split_of(const char *name);
peft_status io_check_split(const char *split);                /* PEFT_E_INVALID: no name of a split */
/* Equal but for the case of ASCII letters, in every locale; by strcasecmp JFIF and jfif differ in a Turkish one. */
bool io_same_word(const char *a, const char *b);
/* Whether a path's last ending is this one (".zip"), in upper or lower case. */
bool io_ends_in(const char *path, const char *ending);
/* Counts a list of endings (".bmp", "/" for a folder, "" for none) as "12 .bmp, 3 .tif, 1 folder"; sorts the list. The
 * caller frees *out. */
peft_status io_count_endings(io_strings *endings, char **out);
/* The ending of a file's name in lower case, for io_count_endings, in memory of ctx; NULL: no memory. */
char *io_ending(peft_context *ctx, const char *name);
#endif
