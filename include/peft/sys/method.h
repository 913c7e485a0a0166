/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/method.h -- the systems interface, with which adaptation methods are written: the built-in ones
 * (src/methods), which include no other header of the library, and those that an application registers on a context,
 * which can do all that built-in ones can. docs/methods/own.md is a tutorial.
 *
 * A method declares its trainable parameters (init) and changes the forward pass at the sites that it chose (emit). It
 * writes no backward pass, allocates no activations, and need not check for errors: the first failing call sets the
 * adapter's or graph's status, and later calls then do nothing.
 *
 * This interface is less stable than the other headers: structs, enums and functions here may change between minor
 * versions of the library. PEFT_METHOD_ABI then changes too, and registering a method that was compiled with other
 * headers is refused. Its functions begin with peft_sys_ and have the version node PEFT_SYS_<PEFT_METHOD_VERSION> in
 * the shared library. */
#ifndef PEFT_SYS_METHOD_H
#define PEFT_SYS_METHOD_H
#include <peft/adapter.h>
#include <peft/sys/option.h>
#include <stdbool.h>
#ifdef __cplusplus
#  include <initializer_list>
#endif
PEFT_BEGIN_DECLS

/* For functions whose argument number `text` is a printf format for the arguments from number `first` on, so that the
 * compiler checks them. */
#if defined(__GNUC__)
#  define PEFT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#  define PEFT_PRINTF(text, first)
#endif

/* The type that the library computes in: float; double only in the tests that check gradients. */
#ifdef PF_REAL_DOUBLE
typedef double peft_real;
#else
typedef float peft_real;
#endif

typedef struct peft_build peft_build;                   /* the graph being built */
/* A value in the graph: images, tokens, a weight. id is its number in the graph; 0 (PEFT_NONE): no value. */
typedef struct peft_val { uint32_t id; } peft_val;
#ifdef __cplusplus
#  define PEFT_NONE (peft_val())
#else
#  define PEFT_NONE ((peft_val){ 0 })
#endif

/* The backbone's shape. width: elements of a token; depth: number of blocks; heads: of each attention; mlp: width of
 * the MLP's hidden layer; tokens: of the sequence; prefix: number of class and register tokens, before the patches;
 * image: side in pixels, -1 if the images are not square (peft_sys_image_sides); patch_values: elements of a patch,
 * 3 p p; fc1: rows of fc1, mlp or, if gated (SwiGLU), twice that. */
typedef struct peft_vit {
    int64_t width, depth, heads, mlp, fc1, tokens, prefix, image, patch_values;
} peft_vit;

/* The sites at which a method may act, in the order of the forward pass; b: batch, t: tokens, d: width. A method
 * replaces out, and at ATTN any of the values listed there:
 * IMAGE      out: the normalised images [b,3,h,w]
 * TOKENS     out: [b,t,d] entering block 0
 * BLOCK_IN   out: the residual stream entering block `layer`
 * NORM       out: a normalised value (role NORM1, NORM2, FINAL)
 * LINEAR_IN  out: the input of a linear layer (role PROJ, FC1, FC2)
 * LINEAR     in, out: input and output of a linear layer (role PATCH, Q, K, V, PROJ, FC1, FC2), FC1 before its
 *            activation; w, bias: its weights. Role QKV comes before Q, K, V: out begins as PEFT_NONE; a method may
 *            set it to [b,t,3d], whose thirds are added to q, k and v before their own sites
 * ATTN       q, k, v [b,t,d], after norms and rotation; xk, xv: further keys and values [n,d] or [b,n,d]; sink [t]: a
 *            further logit for each query row; head_scale [heads]: factors of the heads' scores; the last four begin as
 *            PEFT_NONE. So does out: a method may set it to [b,t,d], the result of an attention that it computed itself
 *            (see peft_sys_attention_scores). Then no other method can act on this attention (PEFT_E_STATE)
 * BRANCH     in: the residual stream; out: the branch's output, before it is added (role SA, MLP)
 * BLOCK_OUT  out: the residual stream leaving block `layer`
 * POOL       in: the tokens [b,t,d] leaving the last block; out: the pooled feature [b,1,d] entering the head, or all
 *            patch tokens [b,h*w,d] for a head of patches, after the final norm */
typedef enum peft_where {
    PEFT_IMAGE, PEFT_TOKENS, PEFT_BLOCK_IN, PEFT_NORM, PEFT_LINEAR_IN, PEFT_LINEAR, PEFT_ATTN, PEFT_BRANCH,
    PEFT_BLOCK_OUT, PEFT_POOL
} peft_where;
/* The bit of a site in peft_method.sites: PEFT_AT(PEFT_ATTN) | PEFT_AT(PEFT_BRANCH). */
#define PEFT_AT(where) (1u << (where))
/* Linear layers: PATCH of the patch embedding; QKV, Q, K, V, PROJ of attention; FC1, FC2 of the MLP. Norms: NORM1
 * before attention, NORM2 before the MLP, FINAL the last one. Branches: SA self-attention, MLP. */
typedef enum peft_role {
    PEFT_PATCH, PEFT_QKV, PEFT_Q, PEFT_K, PEFT_V, PEFT_PROJ, PEFT_FC1, PEFT_FC2, PEFT_NORM1, PEFT_NORM2, PEFT_FINAL,
    PEFT_SA, PEFT_MLP
} peft_role;

/* One site of the forward pass: where it is, its role, and the values that a method may read and replace (see
 * peft_where). w, bias, q, k, v, xk, xv, sink and head_scale are PEFT_NONE at sites that have no such value. */
typedef struct peft_site {
    peft_where where;
    peft_role role;
    int64_t layer;                      /* -1 outside the blocks */
    peft_val in, out;                   /* a method replaces out */
    peft_val w, bias;
    peft_val q, k, v, xk, xv, sink, head_scale;
} peft_site;
/* Called at a site of peft_sys_vit_forward, with its user. */
typedef void (*peft_site_fn)(void *user, peft_build *b, peft_site *s);

typedef struct peft_merge peft_merge;   /* one adapter's merge into a copy of the backbone */
typedef struct peft_net peft_net;       /* the model and adapter that a method's network is built for */

/* A method: name, options, sites and functions. init reads the options and declares the parameters of a new adapter.
 * emit changes the graph at each chosen site, for each graph that is compiled. */
typedef struct peft_method {
    const char     *name, *summary, *paper;     /* summary: one line; paper: DOI or arXiv number; NULL: "" */
    const peft_option *opts;            /* ends with a NULL name; NULL: none */
    uint32_t        sites;              /* PEFT_AT(..) | ..: emit is called at these only */
    size_t          state_size;         /* bytes of the state, which the adapter owns and init finds zeroed */
    peft_status   (*init)(peft_adapter *a, const peft_vit *vit);
    void          (*emit)(const void *state, peft_build *b, peft_site *s);
    /* Adds the adapter's effect to the weights of m, which already contain the unfrozen tensors of all adapters.
     * others: another adapter of the model has merge too. merge NULL: only unfrozen tensors of this method can be
     * merged. */
    void          (*merge)(const void *state, peft_merge *m, const peft_vit *vit, bool others);
    /* In place of emit: a network that computes logits [b,1,classes] of images [b,3,h,w]. */
    peft_val      (*network)(const void *state, peft_build *b, const peft_net *net, peft_val images);
} peft_method;

/* --- methods of a context ----------------------------------------------------------------------------------------- */
/* The version of this interface, increased when a meaning or the arguments of a function change. */
#define PEFT_METHOD_VERSION 3u
/* Differs for a method that was compiled with other headers: the version (8 bits) and a hash (56 bits) of the size of
 * every struct that methods share with the library, the offset of every member in it, and every value of peft_where and
 * peft_role. A step of the hash is that of 64-bit FNV-1a (Fowler, Noll, Vo). */
#define PEFT_METHOD_ABI \
    ((uint64_t)PEFT_METHOD_VERSION << 56 \
     | (PEFT_ABI_METHOD(PEFT_ABI_SITE(PEFT_ABI_SMALL(PEFT_ABI_WORDS((uint64_t)0xcbf29ce484222325u)))) \
        & 0xffffffffffffffu))
/* Add 1, 2 or 4 numbers to the hash sum. */
#define PEFT_ABI_1(sum, x)          (((sum) ^ (uint64_t)(x)) * (uint64_t)0x100000001b3u)
#define PEFT_ABI_2(sum, a, b)       PEFT_ABI_1(PEFT_ABI_1(sum, a), b)
#define PEFT_ABI_4(sum, a, b, c, d) PEFT_ABI_2(PEFT_ABI_2(sum, a, b), c, d)
/* Add the layout of peft_method; of peft_site; of peft_vit, peft_preset and peft_option; the values of the enums. */
#define PEFT_ABI_METHOD(sum) \
    PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(sum, sizeof(peft_method), sizeof(peft_real), \
        offsetof(peft_method, name), offsetof(peft_method, summary)), \
        offsetof(peft_method, paper), offsetof(peft_method, opts), offsetof(peft_method, sites), \
        offsetof(peft_method, state_size)), \
        offsetof(peft_method, init), offsetof(peft_method, emit), offsetof(peft_method, merge), \
        offsetof(peft_method, network))
#define PEFT_ABI_SITE(sum) \
    PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(sum, sizeof(peft_site), \
        offsetof(peft_site, where), offsetof(peft_site, role), offsetof(peft_site, layer)), \
        offsetof(peft_site, in), offsetof(peft_site, out), offsetof(peft_site, w), offsetof(peft_site, bias)), \
        offsetof(peft_site, q), offsetof(peft_site, k), offsetof(peft_site, v), offsetof(peft_site, xk)), \
        offsetof(peft_site, xv), offsetof(peft_site, sink), offsetof(peft_site, head_scale), sizeof(peft_val))
#define PEFT_ABI_SMALL(sum) \
    PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(sum, sizeof(peft_vit), \
        offsetof(peft_vit, width), offsetof(peft_vit, depth), offsetof(peft_vit, heads)), \
        offsetof(peft_vit, mlp), offsetof(peft_vit, fc1), offsetof(peft_vit, tokens), offsetof(peft_vit, prefix)), \
        offsetof(peft_vit, image), offsetof(peft_vit, patch_values), sizeof(peft_preset), \
        offsetof(peft_preset, settings)), \
        sizeof(peft_option), offsetof(peft_option, name), offsetof(peft_option, type), \
        offsetof(peft_option, fallback)), \
        offsetof(peft_option, lo), offsetof(peft_option, hi), offsetof(peft_option, help), \
        offsetof(peft_preset, name))
#define PEFT_ABI_WORDS(sum) \
    PEFT_ABI_1(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(PEFT_ABI_4(sum, sizeof(peft_where), \
        PEFT_IMAGE, PEFT_TOKENS, PEFT_BLOCK_IN), PEFT_NORM, PEFT_LINEAR_IN, PEFT_LINEAR, PEFT_ATTN), \
        PEFT_BRANCH, PEFT_BLOCK_OUT, PEFT_POOL, sizeof(peft_role)), \
        PEFT_PATCH, PEFT_QKV, PEFT_Q, PEFT_K), PEFT_V, PEFT_PROJ, PEFT_FC1, PEFT_FC2), \
        PEFT_NORM1, PEFT_NORM2, PEFT_FINAL, PEFT_SA), PEFT_MLP)

/* From now on adapters of this method can be made, loaded and saved under ctx. The struct and its texts are copied; the
 * functions must stay loaded, throw no exceptions and be safe to call from several threads. abi is PEFT_METHOD_ABI.
 * Must not be called while another thread uses ctx. PEFT_E_UNSUPPORTED: abi differs from the library's; PEFT_E_INVALID:
 * a name that is not lower-case letters, digits and _ (a letter first, 40 at most), no init, sites without emit or the
 * reverse, an option without name, type, help or a default that fits it; PEFT_E_STATE: a built-in method or one of this
 * context has the name. */
PEFT_API PEFT_NODISCARD peft_status
peft_sys_register_method(peft_context *ctx, const peft_method *m, uint64_t abi);
/* The library's methods, then those registered on ctx, in order; NULL: no such index. Borrowed from ctx. */
PEFT_API const peft_method *peft_sys_method(const peft_context *ctx, size_t i);

/* --- in init: options and parameters ------------------------------------------------------------------------------ */
/* The value of option `name`, given or its default. */
PEFT_API int64_t     peft_sys_opt_int   (const peft_adapter *a, const char *name);
PEFT_API double      peft_sys_opt_float (const peft_adapter *a, const char *name);
PEFT_API const char *peft_sys_opt_string(const peft_adapter *a, const char *name);
/* A list of layers, "all", "0", "6-11", "2,5" or "[0,1,2]", or "random:COUNT:SEED", COUNT layers by random: bit i is
 * 1 if it has layer i. PEFT_E_OPTION: a layer, or a COUNT, that the backbone does not have. */
PEFT_API uint64_t    peft_sys_opt_layers(peft_adapter *a, const char *name);

/* Lists, "[attn.q,attn.v]" or "q,v": the number of items, and whether item is one of them. */
PEFT_API int64_t     peft_sys_opt_items (const peft_adapter *a, const char *name);
PEFT_API bool        peft_sys_opt_lists (const peft_adapter *a, const char *name, const char *item);
/* Patterns, "attn.qkv=16,blocks.3.mlp.fc1=4": the number of the first item whose key is path, or the end of path behind
 * a dot (attn.qkv matches blocks.3.attn.qkv); fallback if no item matches. PEFT_E_OPTION: an item that no call in init
 * has matched. */
PEFT_API double      peft_sys_opt_pattern(peft_adapter *a, const char *name, const char *path, double fallback);
/* Presets, named sets of options; a NULL name ends them. The value of text option `option` is the name of one, or
 * "none". Its settings (as for peft_options_parse) are used for options that were not given, in place of the table's
 * defaults, and saved with the adapter. */
typedef struct peft_preset { const char *name, *settings; } peft_preset;
PEFT_API void        peft_sys_opt_preset(peft_adapter *a, const char *option, const peft_preset *presets);

/* A list of extents for the functions below; valid until the end of the statement. */
#ifdef __cplusplus
#  define PEFT_DIMS(...) (std::initializer_list<int64_t>{ __VA_ARGS__, 0 }.begin())
#else
#  define PEFT_DIMS(...) (const int64_t[]){ __VA_ARGS__, 0 }
#endif
/* Whether the adapter's backbone has a tensor of this timm name: not every one has "cls_token". */
PEFT_API bool        peft_sys_backbone_has(const peft_adapter *a, const char *name);
/* The adapter's state, of state_size bytes. */
PEFT_API void       *peft_sys_state(peft_adapter *a);
/* Declares a trainable tensor with extents dims (0 ends them) and initial values by the rule init: "zero", "one",
 * "normal:STD", "normal:STD:MEAN", "trunc_normal:STD" (values beyond +-2, not +-2 STD, are drawn again, as in torch and
 * timm), "uniform:BOUND", "kaiming" (uniform +-1/sqrt(fan_in)), "kaiming_normal" (sqrt(2/fan_in)), "kaiming_out"
 * (normal, sqrt(2/fan_out)), "xavier" (uniform); fan_in is the product of the extents after the first, fan_out that of
 * all but the second. Values depend on the context's seed and the name. */
PEFT_API PEFT_PRINTF(4, 5) peft_param *
peft_sys_declare(peft_adapter *a, const int64_t *dims, const char *init, const char *name, ...);
PEFT_API peft_param *peft_sys_find_declared(peft_adapter *a, const char *name); /* NULL: no such trainable tensor */
/* Declares a buffer, which is saved with the adapter and not trained (a mask, a statistic). Only the library or the
 * application (peft_adapter_find_buffer) writes to it; steps and sessions read its value at each call. */
PEFT_API PEFT_PRINTF(4, 5) peft_param *
peft_sys_declare_buffer(peft_adapter *a, const int64_t *dims, const char *init, const char *name, ...);
/* Declares a mask, factors by which the method multiplies what pruning may leave out, as text option `option` says:
 * "none" (no mask: returns NULL), "trained" (a trainable tensor of ones), or a list of as many numbers 0 and 1 as dims
 * asks for, in which inner brackets have no effect: "[[1,0],[1,1]]" (a buffer). peft_adapter_prune makes such lists of
 * trained masks; it leaves at least `keep` ones in each row, along the last extent. At most four for each adapter. */
PEFT_API PEFT_PRINTF(5, 6) peft_param *
peft_sys_declare_mask(peft_adapter *a, const int64_t *dims, int64_t keep, const char *option, const char *name, ...);
/* Makes the text of an init rule with a computed number: kind "uniform" and number 0.25 give "uniform:0.25". Valid
 * until the next call for this adapter. */
PEFT_API const char *peft_sys_init_rule(peft_adapter *a, const char *kind, double number);
/* Set p to the L2 norms, or the elements, of a backbone tensor's rows from `first` on. PEFT_E_INVALID: no such rows. */
PEFT_API void        peft_sys_fill_row_norms(peft_adapter *a, peft_param *p, const char *tensor, int64_t first);
PEFT_API void        peft_sys_fill_rows(peft_adapter *a, peft_param *p, const char *tensor, int64_t first);
/* Makes trainable copies of the backbone's tensors whose names match pattern (* and ?); the model uses them. */
PEFT_API void        peft_sys_unfreeze(peft_adapter *a, const char *pattern);
/* Gives p initial values by another rule than at its declaration; p NULL: does nothing. */
PEFT_API void        peft_sys_set_init(peft_adapter *a, peft_param *p, const char *init);
/* For options that the method checks itself: sets the adapter's status to PEFT_E_OPTION. */
PEFT_API void        peft_sys_reject_option(peft_adapter *a, const char *option, const char *expected);
PEFT_API void peft_sys_image_sides(const peft_adapter *a, int64_t *height, int64_t *width); /* in pixels; may be NULL */
PEFT_API peft_status peft_sys_init_status(peft_adapter *a); /* the first error, or PEFT_OK */

/* --- in merge ----------------------------------------------------------------------------------------------------- */
/* The elements of a tensor of the new backbone by its timm name, to be changed in place. NULL, and the merge is
 * refused: there is no such tensor. */
PEFT_API PEFT_PRINTF(2, 3) peft_real *peft_sys_merge_tensor(peft_merge *m, const char *name, ...);
/* Whether the new backbone has this tensor. */
PEFT_API bool        peft_sys_merge_has(const peft_merge *m, const char *name);
/* The elements of a declared parameter. */
PEFT_API const peft_real *peft_sys_merge_value(const peft_param *p);
/* Adds scale * B A, with A [r,in] and B [rows,r], to rows first .. first + rows - 1 of the matrix w [.., in]. If
 * lengths [rows] is not NULL, each of these rows is then scaled to that L2 norm. Does nothing if w is NULL. */
PEFT_API void        peft_sys_merge_low_rank(peft_real *w, int64_t first, const peft_param *a, const peft_param *b,
                                         double scale, const peft_param *lengths);
/* Rows first .. first + rows - 1 of w [.., cols] become their products with the transposes of the Cayley matrices. */
PEFT_API void        peft_sys_merge_rotate(peft_merge *m, peft_real *w, int64_t first, int64_t rows,
                                           const peft_param *packed, int64_t size, int64_t cols, int64_t terms);
/* The merge fails with PEFT_E_UNSUPPORTED and this reason. */
PEFT_API void        peft_sys_merge_refuse(peft_merge *m, const char *reason);

/* --- in emit: operations of the graph, each with a backward pass -------------------------------------------------- */
/* The extent of x along axis, which counts from 0; 0: no such axis. */
PEFT_API int64_t  peft_sys_extent(const peft_build *b, peft_val x, int axis);
/* A declared tensor. No gradient flows into a buffer. */
PEFT_API peft_val peft_sys_param(peft_build *b, peft_param *p);
/* A constant with extents dims (1 to 5, 0 ends them), filled by fill(user, data, count) before the first call with this
 * name returns. All graphs of the adapter share it, and it counts as planned memory. The same name with other extents
 * is PEFT_E_SHAPE. user is not kept. */
typedef void (*peft_fill_fn)(void *user, peft_real *data, int64_t count);
PEFT_API PEFT_PRINTF(5, 6) peft_val
peft_sys_constant(peft_build *b, const int64_t *dims, peft_fill_fn fill, void *user, const char *name, ...);
/* A tensor of the backbone by its timm name, "blocks.3.attn.proj.weight", as the forward pass uses it: frozen, or the
 * trained copy of the adapter that unfroze it. PEFT_E_NOTFOUND: the backbone has no such tensor (an absent bias). */
PEFT_API PEFT_PRINTF(2, 3) peft_val peft_sys_weight(peft_build *b, const char *name, ...);
/* Whether the backbone has this tensor: not every one has attn.qkv.bias. */
PEFT_API PEFT_PRINTF(2, 3) bool peft_sys_has_weight(peft_build *b, const char *name, ...);
/* x[i] along the first extent. x: a result of peft_sys_param, peft_sys_weight or peft_sys_constant, or a part of one by
 * peft_sys_select or peft_sys_slice */
PEFT_API peft_val peft_sys_select(peft_build *b, peft_val x, int64_t i);
/* rows first .. first + n - 1 along the first extent; x must be a result of peft_sys_param */
PEFT_API peft_val peft_sys_slice(peft_build *b, peft_val x, int64_t first, int64_t n);
/* x + y (PEFT_NONE: 0) and x * y; y has the last extents of x and is repeated over the others */
PEFT_API peft_val peft_sys_add(peft_build *b, peft_val x, peft_val y);
PEFT_API peft_val peft_sys_mul(peft_build *b, peft_val x, peft_val y);
PEFT_API peft_val peft_sys_scale(peft_build *b, peft_val x, double s);             /* s x */
/* gamma x + beta, one element of gamma and beta for each element of x's last extent; PEFT_NONE: 1 and 0 */
PEFT_API peft_val peft_sys_affine(peft_build *b, peft_val x, peft_val gamma, peft_val beta);
/* x w^T + bias; bias may be PEFT_NONE */
PEFT_API peft_val peft_sys_linear(peft_build *b, peft_val x, peft_val w, peft_val bias);
/* kind: gelu, gelu_tanh (its approximation by tanh), quickgelu, relu, tanh, sigmoid, silu, exp */
PEFT_API peft_val peft_sys_activate(peft_build *b, peft_val x, const char *kind);
/* LayerNorm over the last extent; gamma and beta as above */
PEFT_API peft_val peft_sys_layernorm(peft_build *b, peft_val x, peft_val gamma, peft_val beta, double eps);
PEFT_API peft_val peft_sys_logsumexp(peft_build *b, peft_val x);                   /* over the last extent */
PEFT_API peft_val peft_sys_logaddexp(peft_build *b, peft_val x, peft_val y); /* log(e^x + e^y); PEFT_NONE is -inf */
/* Rows are tokens, along the second extent of x [b,t,d], or the first of x [t,d]. insert: the tokens of `rows` become
 * rows first, first + 1, .. of the result. take: rows first .. first + n - 1 of x; drop: x without these rows; mean:
 * their mean, of x [b,t,d] only. */
PEFT_API peft_val peft_sys_insert_rows(peft_build *b, peft_val x, int64_t first, peft_val rows);
PEFT_API peft_val peft_sys_take_rows(peft_build *b, peft_val x, int64_t first, int64_t n);
PEFT_API peft_val peft_sys_drop_rows(peft_build *b, peft_val x, int64_t first, int64_t n);
PEFT_API peft_val peft_sys_mean_rows(peft_build *b, peft_val x, int64_t first, int64_t n); /* [b,t,d] -> [b,1,d] */
/* x with its rows from first on replaced by `rows` */
PEFT_API peft_val peft_sys_replace_rows(peft_build *b, peft_val x, int64_t first, peft_val rows);
PEFT_API peft_val peft_sys_repeat_batch(peft_build *b, peft_val rows);        /* [n,d] or [1,n,d] -> [batch,n,d] */
/* In training, sets a share p of the elements to 0, drawn anew in each step, and divides the others by 1 - p. */
PEFT_API peft_val peft_sys_dropout(peft_build *b, peft_val x, double p);
PEFT_API peft_val peft_sys_merge_heads(peft_build *b, peft_val x);                        /* [h,n,d] -> [n,h*d] */
PEFT_API peft_val peft_sys_transpose(peft_build *b, peft_val x);                        /* [..,n,d] -> [..,d,n] */
/* x [..,d] with each row times a factor. s: one element, a factor for everything (a gate); or the extents of x with 1
 * for the last one, or without it; leading ones may be missing: [b,t,1], [b,t], [t,1] and [t] fit x [b,t,d]. */
PEFT_API peft_val peft_sys_mul_rows(peft_build *b, peft_val x, peft_val s);
/* For x [..,n,d] the numbers 1 for `count` rows and 0 for the others, [n], to multiply rows with. In training the rows
 * are drawn anew for each batch, from the context's seed; in evaluation they are always the same. */
PEFT_API peft_val peft_sys_random_rows(peft_build *b, peft_val x, int64_t count);
/* The largest element of each row, [..,d] -> [..,1]; no gradient. */
PEFT_API peft_val peft_sys_row_max(peft_build *b, peft_val x);
/* The backbone's norms of x [..,d]: the final one, with what the model's adapters do there, and the one before block 0
 * that CLIP has (norm_pre); x where the backbone has no such norm. */
PEFT_API peft_val peft_sys_final_norm(peft_build *b, peft_val x);
PEFT_API peft_val peft_sys_pre_norm(peft_build *b, peft_val x);
/* Keeps a value of the graph being built for a later site: set at one site, got at another. Names belong to the
 * adapter; setting again replaces the value. PEFT_NONE: no value has this name. */
PEFT_API void     peft_sys_set_value(peft_build *b, const char *name, peft_val x);
PEFT_API peft_val peft_sys_value(peft_build *b, const char *name);
/* up and down [1,3,p,w], left and right [1,3,h-2p,p] as a frame [3,h,w] that is 0 inside */
PEFT_API peft_val peft_sys_frame(peft_build *b, peft_val up, peft_val down, peft_val left, peft_val right);
/* Multiplies frequencies of the images [b,c,h,w] by real numbers: factors [c,n,n] belong to the frequencies first ..
 * first + n - 1 of the 2-D discrete Fourier transform, down and across (-1: the last). The result is the real part of
 * the inverse, in which the factors of k and -k act as their mean. first = -(n / 2), n odd: around frequency 0. */
PEFT_API peft_val peft_sys_scale_frequencies(peft_build *b, peft_val images, peft_val factors, int64_t first);
/* Matrices R [n,s,s] of skew-symmetric Q, whose elements above the diagonal are the rows of packed [n, s (s - 1) / 2]:
 * (I - Q)(I + Q)^-1, or for terms > 0 so many of PEFT's OFT, I + 2Q + 2Q^2 + .. + 2Q^(terms-2) + Q^(terms-1); and
 * x [..,n s] with each block of s columns times its matrix, or times the one of [1,s,s]. */
PEFT_API peft_val peft_sys_cayley(peft_build *b, peft_val packed, int64_t size, int64_t terms);
PEFT_API peft_val peft_sys_rotate(peft_build *b, peft_val x, peft_val matrices);
/* 1 / L2 norm of each row of w + s * lora_b lora_a; no gradient */
PEFT_API peft_val peft_sys_inverse_row_norms(peft_build *b, peft_val w, peft_val lora_a, peft_val lora_b, double s);
/* of square images, bilinear with antialiasing; no gradient */
PEFT_API peft_val peft_sys_resize_images(peft_build *b, peft_val images, int64_t side);
/* An input [batch, dims] that the application gives by this name for each run, in addition to the images
 * (peft_trainer_input, peft_session_input). dims: 1 to 4 extents, 0 ends them. The same name with the same extents
 * again is the same input; "images", "labels" and "targets" are reserved. No gradient flows into it. */
PEFT_API peft_val peft_sys_input(peft_build *b, const char *name, const int64_t *dims);
/* the input "side_images" [b,3,side,side] */
PEFT_API peft_val peft_sys_side_images(peft_build *b, int64_t side);
/* The attention that each key receives, [b,heads,t]: the mean over all query rows, or that of the class token; no
 * gradient. */
PEFT_API peft_val peft_sys_attention_mass(peft_build *b, int64_t heads, const peft_site *s, bool class_token);
/* For each head the n rows of its columns of x [b,t,d] with the largest mass, in falling order: [b,n,d]; no
 * gradient. */
PEFT_API peft_val peft_sys_top_rows(peft_build *b, peft_val x, peft_val mass, int64_t n);
/* Attention over s->q [b,n,d], k and v [b,m,d] (or [m,d], the same for all samples), xk, xv, sink and head_scale; s may
 * be a site that the method made itself. */
PEFT_API peft_val peft_sys_attention(peft_build *b, int64_t heads, const peft_site *s);
/* The steps of attention one by one, for a method that changes scores or weights between them and sets the site's out.
 * They keep scores and weights of all heads in memory, which peft_sys_attention does not, and take longer.
 * attention_scores: q k^T / sqrt(columns of a head) of each head, for q [b,t,d] and k [b,n,d]: [b,heads,t,n]. softmax:
 * over the last extent of x; sink (PEFT_NONE: none) is one further logit of each row, without a column in the result,
 * with the extents of x but the last, of which leading ones may be missing: [t] and [b,heads,t] fit [b,heads,t,n].
 * attention_apply: of each head p v, for weights p [b,heads,t,n] and v [b,n,d]: [b,t,d]. */
PEFT_API peft_val peft_sys_attention_scores(peft_build *b, int64_t heads, peft_val q, peft_val k);
PEFT_API peft_val peft_sys_softmax(peft_build *b, peft_val x, peft_val sink);
PEFT_API peft_val peft_sys_attention_apply(peft_build *b, peft_val p, peft_val v);
/* Largest minus smallest element of each row, [..,n] -> [..]. The gradient goes to the first of each. */
PEFT_API peft_val peft_sys_row_range(peft_build *b, peft_val x);
/* log sum_j exp(s_i x_ij) for x [t,n] and s [..,t]: extents of s. */
PEFT_API peft_val peft_sys_scaled_logsumexp(peft_build *b, peft_val x, peft_val s);

/* At ATTN: further keys and values, each [n,d] or [b,n,d], in front of those that other adapters have added there. */
PEFT_API void     peft_sys_add_keys(peft_build *b, peft_site *s, peft_val keys, peft_val values);

/* --- in emit: losses beside that of the labels -------------------------------------------------------------------- */
/* Adds weight times value, of one element, to the loss that is trained on: what a trainer reports as "loss" contains
 * it, with an application's loss function too; its figure "added_loss" is the added part alone. Does nothing in a graph
 * that is not trained (sessions, evaluation). PEFT_E_INVALID: weight is not finite. PEFT_E_SHAPE: value has several
 * elements. */
PEFT_API void     peft_sys_add_loss(peft_build *b, peft_val value, double weight);
/* The mean or the sum of all elements of x: [1]. For x = g * g, the mean square of g, a penalty of large values. If x
 * has rows for the samples of a batch, these are elements too: the mean of a batch is the mean over its samples. */
PEFT_API peft_val peft_sys_mean(peft_build *b, peft_val x);
PEFT_API peft_val peft_sys_sum(peft_build *b, peft_val x);
/* The entropy of the softmax over the last extent, -sum p log p, as a mean over the rows: [1]. For logits
 * that the method computes itself: no site has those of the head. */
PEFT_API peft_val peft_sys_entropy(peft_build *b, peft_val logits);
/* How far the statistics over all rows of x [..,d] are from the given mean [d] and standard deviation [d]: [1]. With m
 * and s the mean and the unbiased deviation of a column, M and S the given ones, and the mean over the columns:
 * (m - M)^2 + (s - S)^2 for kind "squared", |m - M| + |s - S| for "absolute". Of a single row only the mean counts. No
 * gradient flows into mean and deviation. */
PEFT_API peft_val peft_sys_discrepancy(peft_build *b, peft_val x, peft_val mean, peft_val deviation, const char *kind);

/* --- whole transformers, for network ------------------------------------------------------------------------------ */
/* In init: a trainable ViT of this shape (patch side, eps and activation as the backbone's) under a scope such as
 * "side_encoder."; classes > 0 declares head.weight and head.bias in it too. */
PEFT_API void     peft_sys_declare_vit(peft_adapter *a, const char *scope, const peft_vit *shape, int64_t classes);
/* In network: the pooled feature [b,1,d] of the backbone (scope "") or of a declared transformer. site_fn is called at
 * each of its sites (NULL: the emit of the model's adapters). */
PEFT_API peft_val peft_sys_vit_forward(peft_build *b, const peft_net *net, const char *scope, peft_val images,
                                   peft_site_fn site_fn, void *user);

PEFT_END_DECLS
#endif
