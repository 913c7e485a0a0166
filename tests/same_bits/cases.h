/* SPDX-License-Identifier: Apache-2.0
 * cases.h -- the cases of same_bits.c: models with the options of their training. Each method is also trained once with
 * small tensors, without a row here. Add a row for a new head, loss, optimiser, backbone or option. */
#ifndef SAME_BITS_CASES_H
#define SAME_BITS_CASES_H
#include <stddef.h>

/* Texts are options as for peft_options_parse; NULL: none. */
typedef struct bits_case {
    const char *name;
    const char *backbone;                       /* options of a random backbone; NULL: SMALL */
    const char *stored;                         /* the backbone is saved with these options and loaded; NULL: not */
    const char *method[2], *adapter[2];         /* attached in this order */
    const char *model, *trainer;                /* NULL: CLASSES, TRAINER */
    enum { IDS = 1, FIT = 2 } how;              /* IDS: steps with sample ids; FIT: by peft_trainer_fit */
    int map;                                    /* the side of the map that the head gives; 0: it gives none */
} bits_case;

#define SMALL   "image_size=32,patch=8,width=48,depth=3,heads=3,classes=5"
#define WIDE    "image_size=64,patch=8,width=192,depth=2,heads=3,classes=5"     /* matrix products of several blocks */
#define CLASSES "classes=3"
#define TRAINER "batch=3,lr=0.01"

static const bits_case bits_cases[] = {
    /* methods with other options */
    { .name = "lora-all", .method = { "lora" }, .adapter = { "r=3,alpha=6,rslora=true,dropout=0.2,init=gaussian,"
      "targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2],rank_pattern=\"blocks.1.mlp.fc1=2\"" } },
    { .name = "lora-dora", .method = { "lora" },
      .adapter = { "r=2,dora=true,targets=[attn.q,attn.k,attn.v,mlp.fc2]" } },
    { .name = "lora-med-peft", .method = { "lora" }, .adapter = { "preset=med_peft,r=2,layers=0-1" } },
    { .name = "ept-layers", .method = { "ept" }, .adapter = { "length=5,layers=1-2,init=kaiming" } },
    { .name = "ept-published", .method = { "ept" }, .adapter = { "length=5,init=published" } },
    { .name = "ept-add", .method = { "ept" }, .adapter = { "insert=add" } },
    { .name = "ept-multiply", .method = { "ept" }, .adapter = { "insert=multiply" } },
    { .name = "ept-multiply-concat", .method = { "ept" }, .adapter = { "insert=multiply_concat,length=5" } },
    { .name = "vpt-shallow", .method = { "vpt" }, .adapter = { "tokens=4,deep=false,dropout=0.3" } },
    { .name = "vpt-project", .method = { "vpt" }, .adapter = { "tokens=2,project=7" } },
    { .name = "vpt-shared", .method = { "vpt" }, .adapter = { "tokens=2,shared=true" } },
    { .name = "vfpt-sequence", .method = { "vfpt" },
      .adapter = { "tokens=5,fraction=0.6,transform=sequence,location=last,fourier_layers=0-1" } },
    { .name = "vfpt-random", .method = { "vfpt" }, .adapter = { "tokens=5,location=random,dropout=0.1" } },
    { .name = "vfpt-learned", .method = { "vfpt" }, .adapter = { "tokens=3,deep=false,transform=learned" } },
    { .name = "cvpt-4", .method = { "cvpt" }, .adapter = { "tokens=3,insert=4,dropout=0.2" } },
    { .name = "dvpt-paper", .method = { "dvpt" }, .adapter = { "tokens=3,form=paper,share=2,pool=class" } },
    { .name = "apt-dropout", .method = { "apt" }, .adapter = { "tokens=5,dropout=0.2" } },
    { .name = "e2vpt-masks", .method = { "e2vpt" },
      .adapter = { "tokens=3,kv_tokens=2,dropout=0.3,mask_tokens=trained,mask_pieces=trained" } },
    { .name = "e2vpt-pruned", .method = { "e2vpt" },
      .adapter = { "tokens=3,kv_shared=false,pieces=2,mask_tokens=[1,0,1],mask_pieces=[[1,0],[1,1],[0,1]]" } },
    { .name = "partial-2", .method = { "partial" }, .adapter = { "blocks=2" } },
    { .name = "fpt-plus", .method = { "fpt" },
      .adapter = { "classes=3,plus=true,tokens=3,side_image=16,dropout=0.5" } },
    { .name = "fpt-class-token", .method = { "fpt" },
      .adapter = { "classes=3,tokens=3,side_image=16,reduction=4,importance=class_token,ratio=0.5,layers=1-2" } },
    /* several adapters */
    { .name = "lora+vpt", .method = { "lora", "vpt" }, .adapter = { "r=2", "tokens=3" } },
    { .name = "bitfit+ept", .method = { "bitfit", "ept" }, .adapter = { NULL, "length=4" } },
    { .name = "ssf+adapter", .method = { "ssf", "adapter" }, .adapter = { NULL, "bottleneck=5" } },
    { .name = "ln_tune+lora", .method = { "ln_tune", "lora" }, .adapter = { NULL, "r=2,targets=attn.qkv" } },
    { .name = "ia3+prefix", .method = { "ia3", "prefix" }, .adapter = { NULL, "tokens=2" } },
    { .name = "vp+attnscale", .method = { "vp", "attnscale_dra" }, .adapter = { "width=3" } },
    /* heads */
    { .name = "head-mlp", .method = { "lora" }, .adapter = { "r=2" }, .model = "classes=3,head=mlp,head_layers=2" },
    { .name = "head-bn", .method = { "linear" }, .model = "classes=3,head=bn_linear,head_init=xavier" },
    { .name = "head-own", .method = { "lora" }, .adapter = { "r=2" }, .model = "classes=0" },
    { .name = "head-mean", .method = { "ept" }, .adapter = { "length=3" }, .model = "classes=3,pool=mean" },
    { .name = "head-alone", .trainer = TRAINER },
    /* heads of maps, which train beside a method or, as the running statistics of their batch norms, without one */
    { .name = "map-patch", .method = { "lora" }, .adapter = { "r=2" }, .model = "classes=3,head=patch_linear",
      .map = 4 },
    { .name = "map-linear", .method = { "bitfit" }, .model = "classes=3,head=seg_linear", .map = 32 },
    { .name = "map-naive", .method = { "linear" }, .model = "classes=3,head=setr_naive,head_width=8", .map = 32 },
    { .name = "map-pup", .method = { "ept" }, .adapter = { "length=3" },
      .model = "classes=3,head=setr_pup,head_width=8", .trainer = TRAINER ",loss=ce_dice,ignore_index=2", .map = 32 },
    { .name = "map-mla", .method = { "vpt" }, .adapter = { "tokens=2" },
      .model = "classes=3,head=seg_mla,head_width=8", .trainer = TRAINER ",loss=bce_dice", .map = 32 },
    /* losses */
    { .name = "loss-smoothed", .method = { "bitfit" },
      .trainer = TRAINER ",label_smoothing=0.1,class_weights=\"1,2,0.5\"" },
    { .name = "loss-soft", .method = { "bitfit" }, .trainer = TRAINER ",loss=soft_ce,weight_reduction=weights,"
      "class_weights=\"1,2,0.5\"" },
    { .name = "loss-focal", .method = { "bitfit" }, .trainer = TRAINER ",loss=focal,focal_gamma=1.5,focal_eps=1e-6" },
    { .name = "loss-bce", .method = { "bitfit" }, .trainer = TRAINER ",loss=bce,pos_weight=\"1,3,2\"" },
    { .name = "loss-bce-sum", .method = { "bitfit" }, .trainer = TRAINER ",loss=bce_sum,class_weights=\"1,2,0.5\"" },
    /* optimisers and schedules */
    { .name = "adamw", .method = { "lora" }, .adapter = { "r=2" },
      .trainer = TRAINER ",weight_decay=0.05,decay_on=matrices,beta1=0.8,clip_norm=0.1,"
      "schedule=warmup_cosine,warmup=1,steps=4" },
    { .name = "sgd", .method = { "lora" }, .adapter = { "r=2" },
      .trainer = TRAINER ",optimizer=sgd,momentum=0.9,weight_decay=0.01,schedule=linear,steps=4,min_lr=1e-4" },
    { .name = "sgd-nesterov", .method = { "full" },
      .trainer = TRAINER ",optimizer=sgd,momentum=0.9,nesterov=true,schedule=step,decay_every=2" },
    /* ways to train */
    { .name = "accumulate", .method = { "adaptformer" }, .adapter = { "bottleneck=4" },
      .trainer = TRAINER ",accumulate=2,clip_norm=1" },
    { .name = "fit", .method = { "vpt" }, .adapter = { "tokens=2" }, .trainer = TRAINER ",accumulate=2,"
      "schedule=warmup_cosine_full_period,steps=6,warmup=2,start_lr=1e-4", .how = FIT },
    { .name = "naive", .method = { "ept" }, .adapter = { "length=3" }, .trainer = TRAINER ",executor=naive" },
    { .name = "cached", .method = { "ept" }, .adapter = { "length=3,layers=2" },
      .trainer = TRAINER ",cache_features=10000000", .how = IDS },
    { .name = "cached-file", .method = { "partial" }, .trainer = TRAINER ",cache_features=10000000,"
      "cache_file=cached-file.features", .how = IDS },
    { .name = "cached-half", .method = { "fpt" }, .adapter = { "classes=3,tokens=3,side_image=16" },
      .trainer = TRAINER ",cache_features=10000000,cache_file=cached-half.features,cache_type=f16", .how = IDS },
    /* backbones */
    { .name = "registers", .backbone = SMALL ",registers=2,layer_scale=true", .method = { "cls_tune", "vpt" },
      .adapter = { "registers=true", "tokens=2" } },
    { .name = "swiglu", .backbone = SMALL ",swiglu=true,mlp=64,qkv_bias=false", .method = { "lora" },
      .adapter = { "r=2,targets=[attn.q,attn.k,mlp.fc1,mlp.fc2]" } },
    { .name = "clip", .backbone = SMALL ",norm_pre=true,act=quickgelu,eps=1e-5", .method = { "adaptformer" },
      .adapter = { "bottleneck=4" } },
    { .name = "mean", .backbone = SMALL ",pool=mean", .method = { "bitfit" } },
    { .name = "rope", .backbone = SMALL ",rope=dinov3,rope_rotate_half=true,pos_embed=false,registers=2",
      .method = { "lora" }, .adapter = { "r=2,targets=[attn.q,attn.v]" } },
    { .name = "rope-mixed", .backbone = SMALL ",rope=mixed,qk_norm=true,mlp_norm=true", .method = { "full" } },
    { .name = "gap", .backbone = SMALL ",class_token=false,pool=mean,final_norm=before,act=gelu_tanh,gate=last",
      .method = { "vpt" }, .adapter = { "tokens=2" } },
    { .name = "wide-linear", .backbone = WIDE, .method = { "linear" } },
    { .name = "wide-full", .backbone = WIDE, .method = { "full" } },
    { .name = "wide-lora", .backbone = WIDE, .method = { "lora" },
      .adapter = { "r=4,dropout=0.1,targets=[attn.qkv,mlp.fc1]" } },
    { .name = "wide-ept", .backbone = WIDE, .method = { "ept" }, .adapter = { "length=20" } },
    { .name = "wide-ssf", .backbone = WIDE, .method = { "ssf" } },
    { .name = "file-f32", .stored = "naming=timm", .method = { "bitfit" } },
    { .name = "file-f16", .stored = "dtype=f16", .method = { "lora" }, .adapter = { "r=2,targets=attn.qkv" } },
    { .name = "file-bf16", .stored = "dtype=bf16", .method = { "full" } },
    { .name = "file-bf16-wide", .backbone = WIDE, .stored = "dtype=bf16", .method = { "ssf" } },
    { .name = "file-hf", .stored = "naming=hf", .method = { "lora" }, .adapter = { "r=2" } },
    { .name = "file-hf5-bf16", .stored = "naming=hf5,dtype=bf16", .method = { "ept" }, .adapter = { "length=3" },
      .model = "classes=0" } };
#endif
