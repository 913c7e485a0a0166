/* SPDX-License-Identifier: Apache-2.0
 * tree.h -- io_tree: the names of the files and folders below the root of a data set, and the rules by which they
 * become classes and samples. Used for folders (folder.c) and for zips of folders (zip_folder.c). */
#ifndef IO_TREE_H
#define IO_TREE_H
#include "io/dataset/dataset.h"
#include "io/format/formats.h"
#include "io/words.h"

/* The parts of a name that are kept: a top folder, a split, a class, a file, and one for what lies deeper. */
enum { IO_PARTS = 5 };
/* A file or folder. Its name is cut at the slashes: "set/train/cat/1.png" has the parts set, train, cat and 1.png. A
 * name is cut off before a hidden part (set/.git/x becomes set) and after IO_PARTS parts, and then stands for a
 * folder. */
typedef struct io_entry {
    char *text;                                               /* the memory of the parts */
    const char *part[IO_PARTS];
    int count;                                                /* of parts */
    bool is_folder;                                           /* the last part is a folder */
    bool is_picture;                                          /* the last part is a picture, by its name or content */
    bool outside_top;                                         /* not in the top folder that io_tree_skip_top removed */
    bool guessed;                                             /* the zip does not say which encoding the name has */
    int64_t member;                                           /* index of the entry in a zip */
} io_entry;
/* ctx: whose allocator the memory comes from. */
typedef struct io_tree { peft_context *ctx; io_entry *item; int64_t count, capacity; } io_tree;

/* Adds an entry by its name relative to the root; that of a folder ends with a slash. Takes ownership of the name, also
 * on failure; a NULL name is PEFT_E_NOMEM. A name without a part (.hidden) is not added. */
peft_status io_tree_add(io_tree *t, char *name);
/* The same for a file that is a picture by its content, whatever its name. */
peft_status io_tree_add_picture(io_tree *t, char *name);
/* The same for an entry of a zip: guessed and member as in io_entry; is_picture: by its content, whatever its name. */
peft_status io_tree_add_member(io_tree *t, char *name, bool guessed, bool is_picture, int64_t member);
void        io_tree_clear(io_tree *t);
/* Where one top folder lies around all pictures, removes it from their names: "set/a/1.png" becomes "a/1.png".
 * PEFT_E_FORMAT: pictures lie both in that folder and in its folders, so that it could be a class as well. */
peft_status io_tree_skip_top(io_tree *t, const char *path, const char *split);
/* Makes the data set of the tree: fills class_names, classes, names, label, count and skipped of d. Names and messages
 * begin with path. *member: the zip entry of each sample, in memory that the caller frees; member NULL: not
 * wanted. */
peft_status io_tree_arrange(const io_tree *t, const char *path, const char *split, int64_t **member, peft_dataset *d);

/* Counts equal items of a list of endings (".bmp"; "/" for a folder; "" for a file without ending) and prints them as
 * "12 .txt, 3 .xml, 1 folder". Sorts the list. The caller frees *out. */
peft_status io_count_endings(io_strings *endings, char **out);
/* The ending of a file's name, with its dot and in lower case, as io_count_endings takes it; the caller frees it. NULL:
 * no memory. */
char *io_ending(peft_context *ctx, const char *name);
#endif
