/* SPDX-License-Identifier: Apache-2.0
 * peft.h -- all public headers of libpeft; those of libpeft-io are in io.h. status.h states the rules of the
 * interface: errors, ownership, threads. */
#ifndef PEFT_H
#define PEFT_H
#include <peft/adapter.h>
#include <peft/adaptor.h>
#include <peft/analysis.h>
#include <peft/backbone.h>
#include <peft/case_pool.h>
#include <peft/conformal.h>
#include <peft/context.h>
#include <peft/early_stop.h>
#include <peft/export.h>
#include <peft/federated.h>
#include <peft/file.h>
#include <peft/interop.h>
#include <peft/maps.h>
#include <peft/metrics.h>
#include <peft/options.h>
#include <peft/probe.h>
#include <peft/prune.h>
#include <peft/segmentation.h>
#include <peft/session.h>
#include <peft/statistics.h>
#include <peft/status.h>
#include <peft/tensor.h>
#include <peft/threshold.h>
#include <peft/trainer.h>
#endif
