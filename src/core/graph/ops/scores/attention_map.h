/* SPDX-License-Identifier: Apache-2.0
 * attention_map.h -- how the softmax weights of several heads become one matrix (attention_map, fuse_heads). */
#ifndef PF_ATTENTION_MAP_H
#define PF_ATTENTION_MAP_H
typedef enum pf_fuse { PF_FUSE_MEAN, PF_FUSE_MAX, PF_FUSE_MIN } pf_fuse;
enum { PF_MAP_FUSE, PF_MAP_HEADS };      /* attr.i of both; HEADS: of attention_map */
#endif
