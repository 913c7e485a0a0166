/* SPDX-License-Identifier: Apache-2.0
 * fuzz.h -- what the fuzz targets share. A target is a file targets/<parser>.c with one function,
 * LLVMFuzzerTestOneInput, which gives the bytes of one input to a parser of the library. It is linked with libFuzzer
 * (run.sh), or with replay.c, which runs it over the files of corpus/<parser>. A target ignores errors: what it shows
 * are crashes, leaks, undefined behaviour, and allocations or times out of proportion. */
#ifndef FUZZ_H
#define FUZZ_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A context with one thread and without log; made once and used for all inputs. */
peft_context *fuzz_context(void);
/* Path of the file `name` in a temporary folder in memory (/dev/shm, else TMPDIR) that is removed at exit. "": the
 * folder itself. Each call overwrites the path of the fourth last call, those of fuzz_write counted. */
const char *fuzz_path(const char *name);
/* Writes the file and returns its path. The file stays open, so it must not be replaced or removed; at most 16. */
const char *fuzz_write(const char *name, const void *data, size_t size);
/* Options of the text "name=value,..". */
peft_options *fuzz_options(const char *text);
/* A backbone of 16 x 16 pixels, 4 x 4 patches, width 8, depth 1, heads 2; made once. */
peft_backbone *fuzz_backbone(void);
/* A model of fuzz_backbone with 3 classes and an adapter of this method (NULL: none); the caller frees both. */
peft_model *fuzz_model(const char *method, const char *options, peft_adapter **adapter);
/* Stops the program if the status of a step that must succeed is an error. */
void fuzz_must(peft_status s);
/* True if the status of a call that got the input is PEFT_OK: the input is valid. replay.c prints how many are. With
 * FUZZ_VERBOSE=1 in the environment, errors are printed. */
bool fuzz_valid(peft_status s);
extern bool fuzz_any_valid;                              /* has a call of fuzz_valid returned true? */
/* Loads an image with these options, reads all its pixels and frees it. False: it cannot be loaded. */
static inline bool fuzz_read_image(const uint8_t *data, size_t size, const char *options)
{
    peft_image *im;
    if (!fuzz_valid(peft_image_load_memory(fuzz_context(), data, size, options, &im))) return false;
    const int depth = abs(peft_image_depth(im));         /* bits of a sample; PEFT_SIGNED_16 is -16 */
    const size_t bytes = (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im) * depth / 8);
    char digest[65];
    peft_sha256(peft_image_pixels(im), bytes, digest);
    peft_image_free(im);
    return true;
}
/* Takes the first byte off the input and returns it modulo n, by which a target with n readers chooses one. */
static inline size_t fuzz_choice(const uint8_t **data, size_t *size, size_t n)
{
    if (!*size) return 0;
    const size_t choice = **data % n;
    ++*data;
    --*size;
    return choice;
}
#endif
