/* SPDX-License-Identifier: Apache-2.0
 * peft/early_stop.h -- early stopping: keeps the values that a model had in its best epoch, judged by a figure of
 * validation images that the application computes, tells when the figure has not improved for some epochs, and puts the
 * best values back. For peft_trainer_fit and for loops of one's own, with every method. */
#ifndef PEFT_EARLY_STOP_H
#define PEFT_EARLY_STOP_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

/* One thread uses an object at a time. */
typedef struct peft_early_stop peft_early_stop;
/* Options, o may be NULL: "goal" (max: larger figures are better; min: smaller ones, such as a loss), "patience" (so
 * many epochs in a row without an improvement end the training; 0: never), "min_delta" (an improvement is one of more
 * than this). The memory for a copy of the model's parameters and buffers is allocated here. While the object exists,
 * adapters cannot be attached to the model or detached (PEFT_E_STATE). */
PEFT_API PEFT_NODISCARD peft_status
peft_early_stop_create(peft_model *m, const peft_options *o, peft_early_stop **out);
PEFT_API void peft_early_stop_free(peft_early_stop *e);
PEFT_API const peft_option *peft_early_stop_option(size_t i);                  /* see options.h; NULL: after the last */
/* Offers the figure of an epoch, whose number is the caller's, 0 or more and larger than those before. If it is the
 * first or an improvement over the best one, the values of all parameters (peft_model_param) and buffers (running
 * statistics) of the model are copied; otherwise the epoch counts as one without improvement. NaN and infinity are no
 * improvement, not even over nothing. *stop (may be NULL): 1 after `patience` such epochs in a row, and on further
 * calls until an improvement; else 0. Allocates nothing. PEFT_E_INVALID: epoch is not larger than the last one. */
PEFT_API PEFT_NODISCARD peft_status
peft_early_stop_offer(peft_early_stop *e, int64_t epoch, double figure, int *stop);
/* The best epoch, -1 as long as there is none; its figure, NaN as long as there is none; the epochs since then. */
PEFT_API int64_t peft_early_stop_best_epoch(const peft_early_stop *e);
PEFT_API double  peft_early_stop_best_figure(const peft_early_stop *e);
PEFT_API int64_t peft_early_stop_waited(const peft_early_stop *e);
/* Gives the model the values of the best epoch, bit for bit. A trainer keeps its moments and counters.
 * PEFT_E_STATE: no epoch was the best, as all figures were NaN or infinite, or none was offered. */
PEFT_API PEFT_NODISCARD peft_status peft_early_stop_restore(peft_early_stop *e);
/* Saves the best values with epoch, figure and counters, atomically, to continue an interrupted training: beside
 * peft_trainer_save, whose state has the values of the last step. load needs the same backbone, model, adapters and
 * goal (PEFT_E_MISMATCH, PEFT_E_FORMAT) and changes nothing on failure. PEFT_E_NONFINITE: a value is NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status peft_early_stop_save(const peft_early_stop *e, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_early_stop_load(peft_early_stop *e, const char *path);

PEFT_END_DECLS
#endif
