/* SPDX-License-Identifier: Apache-2.0
 * output.h -- checks the paths of output files before hours of training begin, and never overwrites a file unless the
 * user asked for it. */
#ifndef OUTPUT_H
#define OUTPUT_H
#include <peft/peft.h>
#include <stdbool.h>

/* Ends the program with an error unless a file can be written at path: its folder exists and is writable, and path is
 * not a folder, a device, one of inputs[0..count-1] (paths; NULL entries are ignored) or an output that was checked
 * before under another flag. An existing file is an error unless `replace`. flag: the option that gave the path,
 * without "--", such as "out". */
void check_output(const char *flag, const char *path, bool replace, const char *const *inputs, int count);

/* The same of a folder of files, which is made later if it is not there. */
void check_output_folder(const char *flag, const char *path);

typedef peft_status (*save_function)(const void *object, const char *path);
/* Saves the object to a file beside path and removes this file again, to show before training that the disk has space
 * and that the library accepts the object's names and notes. Ends the program with an error when that fails. */
void try_saving(const char *flag, const char *path, save_function save, const void *object);
/* Saves the object to path. If that fails (a full disk), it warns and saves to TMPDIR (or /tmp). If another process
 * has created path since check_output and `replace` is false, it warns and saves to PATH.PID. Returns the path
 * written, to be freed. */
char *save_or_fallback(const char *flag, const char *path, bool replace, save_function save, const void *object);
#endif
