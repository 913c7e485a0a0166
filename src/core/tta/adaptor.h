/* SPDX-License-Identifier: Apache-2.0
 * adaptor.h -- the struct of an adaptor (test-time adaptation), the table of its kinds, and the functions that kinds
 * call. A kind is a file in kinds/ with its pf_tta_kind and a line in kinds.def.
 *
 * An adaptor compiles its model to two graphs in inference mode that share one arena: net, with the kind's overlay
 * (tensors in place of the backbone's, prompts, losses), and source, the model as it is, which computes the features of
 * training images. Taps are these features: for block l of depth-1 the output of norm1 of block l+1, for the last block
 * the pooled feature after the final norm. */
#ifndef PF_ADAPTOR_H
#define PF_ADAPTOR_H
#include <peft/adaptor.h>
#include "core/model/vit/class_row.h"
#include "core/train/extents.h"
#include "core/train/session/figure.h"
#include "core/train/update/optimizer.h"

/* Which rows of a tap a kind compares: none; the class token; all tokens. The last tap is the pooled feature in both
 * cases. */
typedef enum pf_tta_taps { PF_TTA_NO_TAPS, PF_TTA_CLASS_TOKEN, PF_TTA_ALL_TOKENS } pf_tta_taps;

/* Statistics of the taps over training images. Arrays have an element for each tap and channel, [taps * width]: element
 * l * width + c is channel c of tap l. A row is one token of one image. */
typedef struct pf_statistics {
    int64_t images;                      /* 0: none yet */
    int64_t rows[PEFT_DEPTH_MAX];        /* of each tap so far */
    int64_t stored;                      /* 1: found in the model; the next call of peft_adaptor_source replaces them */
    uint64_t model_checksum;             /* of the model that they belong to (pf_model_checksum) */
    double *mean, *squares, *deviation;  /* squares: sums of squared differences from the mean; deviation: unbiased */
    pk_real *mean_real, *deviation_real; /* mean and deviation rounded to pk_real, which the graph reads */
} pf_statistics;

/* A part of the state that is saved and restored: a tensor that the adaptor owns. Elements of type i64 are low to high,
 * those of type f64 are above 0 if positive is true; restore checks this. */
typedef struct pf_tta_part {
    const char *name; peft_dtype type; int ndim; int64_t dim[PEFT_MAX_DIMS]; void *data; int64_t low, high;
    bool positive;
} pf_tta_part;
typedef peft_status (*pf_tta_visit)(void *user, const pf_tta_part *part);

typedef struct pf_tta_kind {
    const char *name, *summary, *paper;
    const pf_opt *options;               /* beside the common ones; NULL: none */
    pf_tta_taps taps;                    /* create may set peft_adaptor.taps to another value */
    bool softmax;                        /* it reads the logits as those of a softmax: by entropy, or the largest */
    bool trains;                         /* gradients of the loss with respect to the adaptor's tensors are computed */
    size_t state_size;                   /* bytes of peft_adaptor.state, which begins zeroed */
    /* All but predict may be NULL. create reads options and declares tensors. Then the graph is built: before acts at
     * each site before the model's adapters; finish adds losses and keeps values that predict reads. Both are called
     * again for a second graph, by comparison with which pf_extents_find finds out how to run on fewer images. */
    peft_status (*create)(peft_adaptor *a);
    void        (*before)(peft_adaptor *a, pf_graph *g, peft_site *s);
    void        (*finish)(peft_adaptor *a, pf_graph *g, pf_val logits);
    /* Computes each batch norm of the head in net, as pf_overlay.batch_norm. NULL: by the running
     * statistics; create may set peft_adaptor.batch_norm to NULL. */
    pf_val      (*batch_norm)(peft_adaptor *a, pf_graph *g, const pf_val *in, double eps, bool relu);
    /* Sets the kind's state, and those tensors that are no copies of the model's, to their initial values. Called at
     * the end of peft_adaptor_create, and by peft_adaptor_reset. */
    void        (*reset)(peft_adaptor *a);
    /* Adapts on the n images that are bound to the graph, and writes the logits. Runs under the model's read lock. On
     * failure the state is as before, unless the update itself made NaN or Inf (pf_tta_update). */
    peft_status (*predict)(peft_adaptor *a, int64_t n, pk_real *logits);
    /* Visits what is saved beside the declared tensors, their moments and the statistics of training images. */
    peft_status (*each)(peft_adaptor *a, pf_tta_visit visit, void *user);
    void        (*figures)(const peft_adaptor *a, pf_figures *f);                /* appends its own */
    const char *(*title)(const peft_adaptor *a);               /* names the graph in its description; NULL: name */
    void        (*release)(peft_adaptor *a);                   /* frees what pf_tta_memory has not allocated */
} pf_tta_kind;

#define PF_TTA(name) extern const pf_tta_kind pf_tta_##name;
#include "core/tta/kinds/kinds.def"
#undef PF_TTA
extern const pf_tta_kind *const pf_tta_kinds[];                /* ends with NULL */

enum { PF_TTA_BLOCKS = 16 };                                   /* most calls of pf_tta_memory for an adaptor */
#define PF_TTA_MAX_COUNT ((int64_t)1e15) /* of images, batches and rows in a state; far from overflow */
struct peft_adaptor {
    const pf_tta_kind *kind;
    void *state;                         /* of the kind */
    peft_model *model;
    peft_context *ctx;
    peft_options *options;
    pf_engine engine;
    int64_t batch;
    pf_params params;                    /* tensors of its own; those with a backbone tensor's name replace it */
    pf_tta_taps taps;                    /* of the kind, or as its create has set it; so is batch_norm */
    pf_val (*batch_norm)(peft_adaptor *a, pf_graph *g, const pf_val *in, double eps, bool relu);
    pf_optimizer optimizer; double lr;   /* of kinds that train; set by create */
    pf_trained *trained;                 /* one for each of params; NULL: the kind does not train */
    pk_real *slab; size_t slab_bytes;    /* gradients, then moments, of all params */
    pf_overlay overlay, source_overlay;
    pf_compiled net, source;             /* source: unused without taps */
    pf_extents extents, source_extents;
    pf_val tap[PEFT_DEPTH_MAX], source_tap[PEFT_DEPTH_MAX];
    pf_class_row class_row;              /* while a graph is built */
    void *arena; size_t arena_bytes;
    pf_method_inputs method_inputs;                      /* inputs that a method declared */
    pk_real *images;                     /* [batch,3,h,w], for images of another element type */
    pf_statistics statistics;
    void *block[PF_TTA_BLOCKS]; size_t block_bytes; int blocks;        /* of pf_tta_memory */
    uint64_t model_checksum;             /* of the model when the adaptor was made, reset or restored */
    int64_t batches, images_seen, updates;
    double loss, seconds;                /* of the last call of predict; NaN: unknown */
};

/* --- options.c --- */
const pf_tta_kind *pf_tta_named(const char *name);             /* NULL: no such kind */
peft_status pf_tta_options(peft_adaptor *a, const peft_options *o);   /* checks o; sets kind, options */
/* --- values.c --- */
extern const pf_opt pf_tta_common[];                           /* the options of all kinds */
const pf_opt *pf_tta_row(const pf_opt *table, const char *name);      /* NULL: table has no such option */
const pf_opt *pf_tta_table(const peft_adaptor *a, const char *name);  /* pf_tta_common, or else the kind's options */
peft_status pf_tta_compile_options(const peft_adaptor *a, pf_compile_spec *spec);
/* The value of a common option or one of the kind. */
#define pf_tta_int(a, name)    pf_options_int((a)->options, pf_tta_table(a, name), name)
#define pf_tta_float(a, name)  pf_options_float((a)->options, pf_tta_table(a, name), name)
#define pf_tta_string(a, name) pf_options_string((a)->options, pf_tta_table(a, name), name)

/* --- tensors.c --- */
/* For create: memory of zeros that lives as long as the adaptor and counts as planned. NULL, with *s set: none. */
void       *pf_tta_memory(peft_adaptor *a, const char *what, size_t bytes, peft_status *s);
/* For create: copies of the scale and shift of every LayerNorm of the backbone, which replace the model's. They have
 * the backbone's names; tensors of pf_tta_tensor are no copies, also if a tensor of the model has the same name.
 * PEFT_E_UNSUPPORTED: a method of the model has declared one with other extents. */
peft_status pf_tta_norms(peft_adaptor *a);
/* For create: a tensor of zeros of the adaptor's own; read it in the graph by pf_trained_value. */
peft_status pf_tta_tensor(peft_adaptor *a, const char *name, int ndim, const int64_t *dims, pf_param **out);
peft_status pf_tta_slots(peft_adaptor *a);                     /* memory of gradients and moments */
void        pf_tta_copy_tensors(peft_adaptor *a);              /* makes the copies again; no gradients, moments */

/* --- parts.c --- */
peft_status pf_tta_each(const peft_adaptor *a, pf_tta_visit visit, void *user);        /* all parts of the state */

/* --- nets.c --- */
peft_status pf_tta_compile(peft_adaptor *a);
/* For finish: adds weight times the mean over all taps of their discrepancy from the statistics of training images to
 * the loss. kind: "squared" or "absolute". */
void        pf_tta_add_discrepancy(peft_adaptor *a, pf_graph *g, double weight, const char *kind);
pf_val      pf_tta_constant(pf_graph *g, pk_real *data, int64_t count);       /* data may change between runs */
void        pf_tta_keep(pf_graph *g, pf_val v);                /* for finish: predict reads v after a run */

/* --- step.c --- */
peft_status pf_tta_check(const peft_adaptor *a);               /* PEFT_E_INVALID: NULL */
/* Checks the pixels of n images, sets the extents of the graph c to n images, and binds these and the inputs of
 * peft_adaptor_input to it. PEFT_E_UNSUPPORTED: the graph runs full batches only, and n is smaller. */
peft_status pf_tta_bind(peft_adaptor *a, pf_compiled *c, pf_extents *e, const peft_tensor *images, int64_t n);
/* For predict: */
void        pf_tta_forward(peft_adaptor *a);                   /* all nodes up to the loss */
void        pf_tta_backward(peft_adaptor *a);                  /* the nodes after it */
/* Sets a->loss. PEFT_E_NONFINITE: it is NaN or Inf. */
peft_status pf_tta_read_loss(peft_adaptor *a);
/* One step of the optimiser. PEFT_E_NONFINITE: the gradients hold NaN or Inf, and nothing is updated; or the step made
 * a tensor NaN or Inf, which remains. */
peft_status pf_tta_update(peft_adaptor *a);
/* Copies the logits of n images; _from: another value of the graph with the shape of logits. */
void        pf_tta_copy_logits(const peft_adaptor *a, int64_t n, pk_real *logits);
void        pf_tta_copy_from(const peft_adaptor *a, pf_val v, int64_t n, pk_real *logits);

/* --- statistics.c --- */
/* Allocates the statistics, and copies those that the model has stored, if it has some. */
peft_status pf_tta_statistics(peft_adaptor *a);
/* The model's stored statistics of the rows that the kind compares: of class tokens or of all tokens. */
pf_source_statistics *pf_tta_stored(const peft_adaptor *a);
int64_t     pf_tta_features(const peft_adaptor *a);            /* elements of the arrays of the statistics */
/* PEFT_E_STATE: fewer than two training images in the statistics. */
peft_status pf_tta_needs_source(const peft_adaptor *a);
/* PEFT_E_STATE: the statistics belong to earlier values of the model's parameters. The caller holds its lock. */
peft_status pf_tta_check_source(const peft_adaptor *a);
void        pf_tta_statistics_ready(peft_adaptor *a);          /* sets mean_real and deviation_real */
/* Adds the taps of n images, after a run of source. checksum: of the model; statistics that belong to another one are
 * dropped first. */
void        pf_tta_statistics_add(peft_adaptor *a, int64_t n, uint64_t checksum);
#endif
