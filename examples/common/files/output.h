/* SPDX-License-Identifier: Apache-2.0
 * output.h -- the files that a program writes are checked before its work begins: hours of training must not end at a
 * folder that does not exist, and no file is written over unless that was asked for. */
#ifndef OUTPUT_H
#define OUTPUT_H
#include <peft/peft.h>
#include <stdbool.h>

/* Fails, with the cure, unless path can become a file: its folder exists and may be written to, it is no folder and no
 * device, and it is none of the inputs (their paths, ended by NULL; NULL entries of `inputs[0..count)` are left out).
 * A file that exists is refused without `replace`. flag: its name on the command line, "out". */
void check_output(const char *flag, const char *path, bool replace, const char *const *inputs, int count);

/* Has `save` write a file of the coming kind and size beside path and removes it: the disk has room, the folder takes
 * files, and the library accepts all names and notes. Fails with what is wrong. */
typedef peft_status (*saver)(const void *what, const char *path);
void rehearse_output(const char *flag, const char *path, saver save, const void *what);
/* Saves as path. Where that fails (a full disk), and where the file has come to be there since check_output although
 * replace is false (another process), it warns and saves under a name of its own: beside path, or in TMPDIR. Returns
 * the path written, to be freed. */
char *save_somewhere(const char *flag, const char *path, bool replace, saver save, const void *what);
#endif
