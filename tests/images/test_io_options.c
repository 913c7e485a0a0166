/* SPDX-License-Identifier: Apache-2.0
 * test_io_options.c -- the public tables of options of images, transforms and loaders: each row is complete; the
 * function that takes the options accepts each default, uses it when nothing is given, and refuses values outside the
 * bounds. */
#include "io_files.h"
#include <peft/io.h>

/* Arguments of create_loader. */
static peft_dataset *data;
static peft_transform *plain;

/* Each of these calls a function with options and frees what it makes. */
static peft_status load_image(const char *text)
{
    peft_image *im = NULL;
    const peft_status s = peft_image_load(io_ctx, in_folder("set/a/1.png"), text, &im);
    peft_image_free(im);
    return s;
}

static peft_status parse_transform(const char *text)
{
    peft_transform *t = NULL;
    const peft_status s = peft_transform_parse(io_ctx, text, &t);
    peft_transform_free(t);
    return s;
}

static peft_status create_loader(const char *text)
{
    peft_loader *l = NULL;
    const peft_status s = peft_loader_create(data, plain, text, &l);
    peft_loader_free(l);
    return s;
}

static const struct table {
    const char *what;                                         /* in messages */
    const peft_option *(*row)(size_t);                        /* row i; NULL after the last */
    peft_status (*take)(const char *text);                    /* calls the function that takes these options */
} tables[] = { { "image", peft_image_option, load_image }, { "transform", peft_transform_option, parse_transform },
               { "loader", peft_loader_option, create_loader } };

/* "name=value"; valid until the next call. */
static const char *setting(const char *name, const char *value)
{
    static char text[200];
    snprintf(text, sizeof text, "%s=%s", name, value);
    return text;
}

/* Opens `data`, two images of two classes, and `plain`. */
static void open_data(void)
{
    save_picture(in_folder("set/a/1.png"), 8, 8, 3, 1);
    save_picture(in_folder("set/b/2.png"), 8, 8, 3, 2);
    ok(peft_dataset_open(io_ctx, in_folder("set"), NULL, &data));
    ok(peft_transform_parse(io_ctx, "size=8", &plain));
}

static void close_data(void)
{
    peft_dataset_free(data);
    peft_transform_free(plain);
}

START_TEST(tables_are_complete_and_their_defaults_accepted)
{
    open_data();
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        const peft_option *o;
        size_t n = 0;
        for (; (o = tables[k].row(n)); n++) {
            const char *name = peft_option_name(o), *value = peft_option_fallback(o), *help = peft_option_help(o);
            double low, high;
            char beyond[40];
            ck_assert_msg(*name && value && strlen(help) > 8 && !strchr(help, '\n'), "%s option %s is incomplete",
                          tables[k].what, name);
            ck_assert_ptr_nonnull(peft_option_type(o));
            if (*value) ok(tables[k].take(setting(name, value)));
            if (!peft_option_bounds(o, &low, &high)) continue;
            snprintf(beyond, sizeof beyond, "%.0f", 2 * high + 1);
            fails(PEFT_E_OPTION, name, tables[k].take(setting(name, beyond)));
            snprintf(beyond, sizeof beyond, "%.0f", low - 1);
            fails(PEFT_E_OPTION, name, tables[k].take(setting(name, beyond)));
        }
        ck_assert_uint_gt(n, 2);
        fails(PEFT_E_OPTION, "unknown option 'no_such_option'", tables[k].take("no_such_option=1"));
    }
    close_data();
}
END_TEST

/* peft_transform_text of a transform without settings lists the defaults of all options. */
START_TEST(a_transform_without_settings_has_the_defaults)
{
    peft_transform *t;
    char text[1200] = "";
    const peft_option *o;
    for (size_t i = 0; (o = peft_transform_option(i)); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%s", i ? "," : "", peft_option_name(o),
                 peft_option_fallback(o));
    ok(peft_transform_parse(io_ctx, "", &t));
    ck_assert_str_eq(peft_transform_text(t), text);
    peft_transform_free(t);
}
END_TEST

START_TEST(a_loader_without_settings_has_the_default_batch_size)
{
    peft_loader *l;
    open_data();
    ok(peft_loader_create(data, plain, NULL, &l));
    ck_assert_int_eq(peft_loader_batch_size(l), strtol(peft_option_fallback(peft_loader_option(0)), NULL, 10));
    peft_loader_free(l);
    close_data();
}
END_TEST

IO_SUITE_MAIN("io options", tables_are_complete_and_their_defaults_accepted,
              a_transform_without_settings_has_the_defaults, a_loader_without_settings_has_the_default_batch_size)
