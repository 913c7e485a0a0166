/* SPDX-License-Identifier: Apache-2.0
 * claimed.h -- the output files that a command has named so far, however their paths are spelt. */
#ifndef CLAIMED_H
#define CLAIMED_H

/* Ends the program if an earlier call has named the same file under another flag, as "a.csv" and "./a.csv" do; else
 * remembers it. folder: that of path, which exists. flag: as for check_output. */
void claim_output(const char *flag, const char *path, const char *folder);
#endif
