/* SPDX-License-Identifier: Apache-2.0
 * maps.h -- the struct behind <peft/maps.h>, and the table of its kinds. A new kind is a file with a pf_maps_kind and a
 * row of kinds.def. */
#ifndef PF_MAPS_H
#define PF_MAPS_H
#include <peft/maps.h>
#include "core/model/vit/class_row.h"
#include "core/train/session/compiled.h"

typedef struct pf_maps_kind {
    const char *name, *summary;
    const char *options;                 /* names of the options that it reads beside those of all kinds */
    bool of_class;                       /* a map is of a class */
    bool of_graph;                       /* it reads values of the model's own network, and no map of logits */
    size_t state_size;                   /* bytes of peft_maps.state, zeroed */
    peft_status (*create)(peft_maps *s);
    /* Computes n <= batch maps [n,h,w]. classes [n] as given (NULL: the predicted ones), chosen [n] is set. */
    peft_status (*compute)(peft_maps *s, const peft_tensor *images, int64_t n, const int64_t *classes,
                           pk_real *maps, int64_t *chosen);
    size_t (*memory)(const peft_maps *s);        /* bytes beside the graph; NULL: none */
    void (*free)(peft_maps *s);                  /* what the state owns; NULL: nothing */
    int64_t (*predictions)(const peft_maps *s);  /* for progress, of an image; NULL: one */
} pf_maps_kind;
#define PF_MAPS(name) extern const pf_maps_kind pf_maps_##name;
#include "core/maps/kinds.def"
#undef PF_MAPS

struct peft_maps {
    peft_context *ctx;
    peft_model *model;
    peft_options *options;
    const pf_maps_kind *kind;
    void *state;
    int64_t batch, h, w;
    pf_engine engine;
    pf_overlay overlay;
    pf_class_row class_row;              /* while a graph is built */
    pf_compiled net;                     /* of kinds that compile one */
    pk_real *images;                     /* [batch,3,h,w]: a copy of a smaller batch, filled up with zeros */
    peft_maps_fn progress; void *user;   /* of the present call */
    int64_t done, of;
};

/* --- options.c --- */
extern const pf_opt pf_maps_options[];
int64_t     pf_maps_int(const peft_maps *s, const char *option);
const char *pf_maps_string(const peft_maps *s, const char *option);
double      pf_maps_float(const peft_maps *s, const char *option);
/* The index of the option's value among `count` words. PEFT_E_OPTION: it is none of them. */
peft_status pf_maps_word(const peft_maps *s, const char *option, const char *const *words, int count, int *index);
/* Blocks first .. last, from the options of these names. */
peft_status pf_maps_blocks(const peft_maps *s, int64_t *first, int64_t *last);
/* The number of a block, of which -1 is the last one. */
peft_status pf_maps_block(const peft_maps *s, const char *option, int64_t *block);
/* Tells progress of `count` more predictions. */
peft_status pf_maps_progress(peft_maps *s, int64_t count);
/* The class of an image with these logits: `given` (-1: the largest). */
int64_t     pf_maps_class(const peft_maps *s, int64_t given, const pk_real *logits);

/* --- net.c --- */
/* Compiles and binds s->net with s->overlay and these taps (NULL: none). */
peft_status pf_maps_compile(peft_maps *s, const char *taps);
/* Binds the images, after which s->net can run. */
peft_status pf_maps_bind(peft_maps *s, const peft_tensor *images, int64_t n);
void        pf_maps_run(peft_maps *s, uint32_t begin, uint32_t end);
#endif
