/* SPDX-License-Identifier: Apache-2.0
 * lists.h -- the lists of inspect, each by a flag of its name: methods, options, metrics. */
#ifndef INSPECT_LISTS_H
#define INSPECT_LISTS_H

void list_methods(void);
void list_trainer(void);
void list_adaptation(void);
void list_options(void);
void list_preprocess(void);
void list_tables(void);
void list_metrics(void);
#endif
