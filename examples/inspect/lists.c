/* SPDX-License-Identifier: Apache-2.0
 * lists.c -- prints the methods, options and metrics of the library (lists.h). */
#include "lists.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void print_option(const peft_option *o)
{
    const char *fallback = peft_option_fallback(o);           /* the default */
    const bool integer = !strcmp(peft_option_type(o), "integer");
    double low, high;
    printf("    %-16s %-8s %s; ", peft_option_name(o), peft_option_type(o), peft_option_help(o));
    if (peft_option_bounds(o, &low, &high)) printf(integer ? "%.0f to %.0f, " : "%g to %g, ", low, high);
    printf("default %s\n", *fallback ? fallback : "none");
}

/* option_at(i): row i of a table of options; NULL after the last. */
static void list_table(const char *title, const peft_option *(*option_at)(size_t))
{
    const peft_option *o;

    printf("%s\n", title);
    for (size_t i = 0; (o = option_at(i)); i++) print_option(o);
}

void list_trainer(void)
{
    list_table("options of training (finetune --trainer name=value,.., or finetune's option of the same name)",
               peft_trainer_option);
}

void list_adaptation(void)
{
    list_table("options of all kinds of test-time adaptation (peft_adaptor_create)", peft_adaptor_option);
    for (size_t k = 0; k < peft_adaptor_kind_count(); k++) {
        const char *name = peft_adaptor_kind_name(k), *paper = peft_adaptor_kind_paper(name);
        printf("\n%s\n    %s (%s)\n", name, peft_adaptor_kind_summary(name), paper);
        const peft_option *o;
        for (size_t i = 0; (o = peft_adaptor_kind_option(name, i)); i++) print_option(o);
    }
}

void list_options(void)
{
    list_table("options of loading a backbone (--backbone-options name=value,..)", peft_backbone_option);
    list_table("\noptions of a random backbone (peft_backbone_create)", peft_backbone_create_option);
    list_table("\noptions of saving a backbone (peft_backbone_save_as)", peft_backbone_save_option);
    list_table("\noptions of a model (peft_model_create)", peft_model_option);
    list_table("\noptions of a session (peft_session_create)", peft_session_option);
    list_table("\noptions of maps over the image (peft_maps_create, explain --map-options)", peft_maps_option);
    list_table("\noptions of reading a picture (peft_image_load)", peft_image_option);
    list_table("\noptions of a loader (peft_loader_create)", peft_loader_option);
    list_table("\noptions of saving in Hugging Face's PEFT format (peft_adapter_save_hf)", peft_save_hf_option);
}

void list_metrics(void)
{
    printf("metrics. Letters in brackets name the functions that compute them: d peft_metrics_decision,\n"
           "m peft_metrics_multilabel, r peft_metrics_ranking, c peft_metrics_calibration. tp, fp: true and false\n"
           "positives of a class\n");
    for (size_t i = 0; peft_metrics_name(i); i++)
        printf("    %-20s %s\n", peft_metrics_name(i), peft_metrics_help(peft_metrics_name(i)));
}

void list_preprocess(void)
{
    list_table("settings of preprocessing; defaults hold where neither the backbone's files nor a program sets a value",
               peft_transform_option);
}

void list_tables(void)
{
    list_table("settings of tables with column names (finetune --table name=value,..)", peft_dataset_table_option);
}

void list_methods(void)
{
    for (size_t m = 0; m < peft_method_count(); m++) {
        const char *name = peft_method_name(m), *paper = peft_method_paper(name);
        printf("%s%s\n    %s", m ? "\n" : "", name, peft_method_summary(name));
        printf(*paper ? " (%s)\n" : "\n", paper);
        const peft_option *o;
        for (size_t i = 0; (o = peft_method_option(name, i)); i++) print_option(o);
    }
}
