/* SPDX-License-Identifier: Apache-2.0
 * preprocess_help.h -- what each word of --preprocess does, in a line. */
#ifndef PREPROCESS_HELP_H
#define PREPROCESS_HELP_H

const char *preprocess_help(const char *word);                /* "" for a word that is not known */
#endif
