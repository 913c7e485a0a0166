/* SPDX-License-Identifier: Apache-2.0
 * peft_folder.h -- convert --model: writes a trained adapter as a folder in the format of Hugging Face's PEFT. */
#ifndef PEFT_FOLDER_H
#define PEFT_FOLDER_H
#include <stdbool.h>

/* What the flags chose. naming: NULL, as the library chooses. options: text of --folder-options, or NULL. classifier:
 * write the classifier too. */
typedef struct peft_folder {
    const char *backbone, *backbone_options, *model, *naming, *options, *out;
    bool classifier, force;
} peft_folder;
/* Writes the folder and prints what is in it. An error ends the program. */
void write_peft_folder(const peft_folder *p);
#endif
