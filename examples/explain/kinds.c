/* SPDX-License-Identifier: Apache-2.0
 * kinds.c -- makes the maps of the kinds that --kind names, each with those of --map-options that it has. */
#include "explain.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is word one of those in a list with blanks between them? */
static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' ')) return true;
    return false;
}

/* Appends a name to a list with commas between its names; where there is no room for it, and at the list's end,
 * "...". */
static void add_name(char *list, size_t size, const char *name)
{
    static const char more[] = "...";
    const size_t n = strlen(list), room_for_more = strlen(", ") + sizeof more;
    const char *comma = n ? ", " : "";
    if (n + strlen(comma) + strlen(name) + room_for_more <= size)
        snprintf(list + n, size - n, "%s%s", comma, name);
    else if (n < strlen(more) || strcmp(list + n - strlen(more), more))
        snprintf(list + n, size - n, "%s%s", comma, more);
}

/* The number of the class with this name. */
static int64_t class_named(const loaded_model *s, const char *name)
{
    char known[512] = "";
    for (int64_t c = 0; c < s->classes; c++) {
        if (!strcmp(s->names[c], name)) return c;
        add_name(known, sizeof known, s->names[c]);
    }
    fail("--class: the model has no class '%s'; expected one of %s", name, known);
}

/* The maps of library kind i, with the settings that it has; used[k] is set for setting k. */
static peft_maps *make_maps(const loaded_model *s, size_t i, const settings *list, bool *used, int64_t batch)
{
    peft_maps *maps;
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "kind", peft_maps_kind_name(i)));
    must(peft_options_set_int(o, "batch", strcmp(peft_maps_kind_name(i), "occlusion") ? 1 : batch));
    must(peft_options_set_string(o, "multi_label", s->multilabel ? "true" : "false"));
    for (int k = 0; k < list->count; k++) {
        if (!has_word(peft_maps_kind_options(i), list->item[k].name)) continue;
        must(peft_options_set_string(o, list->item[k].name, list->item[k].value));
        used[k] = true;
    }
    const peft_status status = peft_maps_create(s->model, o, &maps);
    if (status) fail("--kind %s: %s", peft_maps_kind_name(i), peft_last_error());
    peft_options_free(o);
    return maps;
}

/* Checks that every setting was of a kind. */
static void check_used(const settings *list, const bool *used, const char *kinds)
{
    for (int k = 0; k < list->count; k++)
        if (!used[k])
            fail("--map-options: %s: no kind of --kind %s has this option; inspect --options lists them",
                 list->item[k].name, kinds);
}

map_kinds open_kinds(const loaded_model *s, const char *list, const char *map_options, const char *class, int64_t batch)
{
    map_kinds all = { .class = PREDICTED_CLASS };
    settings chosen = read_settings(map_options, "--map-options");
    bool *used = check_alloc(calloc((size_t)chosen.count + 1, sizeof *used)), any_of_class = false;
    if (class) all.class = class_named(s, class);
    const map_list kinds = read_map_list("--kind", list);
    for (; all.count < kinds.count; all.count++) {
        const size_t i = kinds.kind[all.count];
        map_kind *k = &all.item[all.count];
        *k = (map_kind){ .name = peft_maps_kind_name(i), .of_class = peft_maps_kind_of_class(i) };
        any_of_class |= k->of_class;
        if (k->of_class && s->multilabel && !class)
            fail("--kind %s: the model predicts several labels for an image; give --class NAME", k->name);
        k->maps = make_maps(s, i, &chosen, used, batch);
        peft_maps_size(k->maps, &k->h, &k->w);
        k->value = check_alloc(malloc((size_t)(k->h * k->w) * sizeof *k->value));
    }
    if (class && !any_of_class) fail("--class: maps of --kind %s are of no class; leave it out", list);
    check_used(&chosen, used, list);
    free(used);
    free_settings(&chosen);
    return all;
}

void free_kinds(map_kinds *k)
{
    for (int i = 0; i < k->count; i++) {
        peft_maps_free(k->item[i].maps);
        free(k->item[i].value);
    }
}

static int stop(int64_t done, int64_t of, void *user)
{
    (void)done, (void)of, (void)user;
    return stop_requested != 0;
}

peft_status compute_map(const loaded_model *s, const map_kinds *all, int kind, float *input, int64_t *class)
{
    const map_kind *k = &all->item[kind];
    const int64_t wanted = all->class;
    peft_tensor *image = images_over(s->ctx, s->transform, 1, input), *map;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 3, (int64_t[]){ 1, k->h, k->w }, k->value, &map));
    const peft_status status = peft_maps_compute(k->maps, image, k->of_class ? &wanted : NULL, map, class, stop, NULL);
    peft_tensor_free(image);
    peft_tensor_free(map);
    return status;
}
