/* SPDX-License-Identifier: Apache-2.0
 * cls_tune.c -- trains the class token (an ablation of Jia et al., ECCV 2022) and, if asked, the register tokens. Both
 * are learned tokens that the backbone already has, so they serve as prompts. */
#include <peft/sys/method.h>

static const peft_option opts[] = {
    { "registers", 'b', "false", 0, 0, "train the register tokens too" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    (void)v;
    const int registers = (int)peft_sys_opt_int(a, "registers");
    if (!peft_sys_backbone_has(a, "cls_token") && !registers)
        peft_sys_reject_option(a, "registers", "true: this backbone has no class token");
    if (registers && !peft_sys_backbone_has(a, "reg_token"))
        peft_sys_reject_option(a, "registers", "false: this backbone has no register tokens");
    peft_sys_unfreeze(a, "cls_token");
    if (registers) peft_sys_unfreeze(a, "reg_token");
    return peft_sys_init_status(a);
}

const peft_method pf_method_cls_tune = {
    .name = "cls_tune", .summary = "the class token", .paper = "arXiv:2203.12119", .opts = opts, .init = init };
