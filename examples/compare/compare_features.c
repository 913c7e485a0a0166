/* SPDX-License-Identifier: Apache-2.0
 * compare_features.c -- features of the images of a run, and their sharing among the probes of a draw. */
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/clock.h"
#include "common/program/settings.h"
#include "compare_study.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The flags that decide the features of an entry. */
static const int feature_flags[] = { recipe_head, recipe_backbone_options, recipe_image_size, recipe_preprocess };
enum { feature_flag_count = sizeof feature_flags / sizeof *feature_flags };

bool is_probe(const entry *e) { return !strcmp(e->recipe[recipe_method].value, "probe"); }

static bool decides_features(int k)
{
    for (int i = 0; i < feature_flag_count; i++)
        if (feature_flags[i] == k) return true;
    return false;
}

bool reads_flag(const entry *e, int k)
{
    if (k >= recipe_flags) return e->candidates.dimensions && (k != flag_tune_search || !is_probe(e));
    return !is_probe(e) || k == recipe_method || k == recipe_options || decides_features(k);
}

void check_probe_flags(const entry *e)
{
    const flag *head = &e->recipe[recipe_head];
    for (int k = 0; k < recipe_flags; k++)
        if (!reads_flag(e, k) && e->recipe[k].source == FROM_LIST_FILE)
            fail("--%s: a probe is not trained in steps and does not read it; leave it out",
                 name_of_flag(&e->recipe[k]).text);
    if (head->source != FROM_LIST_FILE) return;
    settings given = read_settings(head->value, "--head");
    for (int i = 0; i < given.count; i++)
        if (strcmp(given.item[i].name, "pool"))
            fail("--head %s=%s: a probe takes the place of the head and reads only pool; leave it out",
                 given.item[i].name, given.item[i].value);
    free_settings(&given);
}

peft_model *backbone_model(const training_run *t, const entry *e)
{
    settings head = read_settings(e->recipe[recipe_head].value, "--head");
    const char *pool = find_setting(&head, "pool");
    peft_options *o = empty_options(t->ctx);
    peft_model *m;
    must(peft_options_set_string(o, "head", "none"));
    if (pool) must(peft_options_set_string(o, "pool", pool));
    must(peft_model_create(t->vit, o, &m));
    peft_options_free(o);
    free_settings(&head);
    return m;
}

void build_entry(training_run *t, const entry *e)
{
    if (!is_probe(e)) {
        build_training(t, e->recipe);
        return;
    }
    build_backbone(t, e->recipe);
    t->model = backbone_model(t, e);
}

double peak_bytes(void)
{
    struct rusage use;                                        /* Linux gives it in KiB */
    getrusage(RUSAGE_SELF, &use);
    return 1024.0 * (double)use.ru_maxrss;
}

/* Room for the features of d, and its labels. */
static features make_features(const peft_dataset *d, int64_t width)
{
    features f = { .n = peft_dataset_count(d), .width = width, .classes = peft_dataset_classes(d) };
    f.x = check_alloc(malloc((size_t)(f.n * width) * sizeof *f.x));
    f.label = check_alloc(malloc((size_t)f.n * sizeof *f.label));
    for (int64_t i = 0; i < f.n; i++) f.label[i] = peft_dataset_label(d, i);
    return f;
}

void free_features(features *f)
{
    free(f->x);
    free(f->label);
}

features compute_features(const training_run *t, peft_session *session, const peft_dataset *d, feature_hook hook,
                          void *user)
{
    features f = make_features(d, peft_model_feature_width(t->model));
    peft_tensor *image = new_images(t->ctx, t->transform, 1), *feature;
    peft_image *im;
    peft_status status = PEFT_OK;
    for (int64_t i = 0; i < f.n && !status; i++) {
        must(peft_dataset_load(d, i, &im));
        must(peft_transform_apply(t->transform, im, peft_tensor_data(image)));
        peft_image_free(im);
        must(peft_tensor_wrap(t->ctx, PEFT_F32, 2, (int64_t[]){ 1, f.width }, f.x + i * f.width, &feature));
        status = peft_session_features(session, image, feature);
        peft_tensor_free(feature);
        if (status != PEFT_E_UNSUPPORTED) must(status);       /* a method with a network of its own has no feature */
        if (!status && hook) hook(session, &f, i, user);
    }
    peft_tensor_free(image);
    if (status) {
        free(f.x);
        f.x = NULL;
    }
    return f;
}

/* --- features shared by the probes of a draw ---------------------------------------------------------------------- */
void open_feature_file(study *s)
{
    for (int64_t k = 0; k < s->entries && !s->features; k++) {
        if (!is_probe(&s->entry[k])) continue;
        s->features = tmpfile();
        if (!s->features) fail("a temporary file for features cannot be made in %s: %s", P_tmpdir, strerror(errno));
    }
}

/* The first entry, a probe, whose features are those of e. */
static int64_t first_with_features(const study *s, const entry *e)
{
    for (int64_t k = 0; ; k++) {
        const entry *other = &s->entry[k];
        bool same = is_probe(other);
        for (int i = 0; same && i < feature_flag_count; i++) {
            const char *a = e->recipe[feature_flags[i]].value, *b = other->recipe[feature_flags[i]].value;
            same = a && b ? !strcmp(a, b) : a == b;           /* NULL: not given */
        }
        if (same) return k;
    }
}

/* Locks (or unlocks) byte `at` of the file against the processes of other runs, and waits for it. */
static void lock_byte(FILE *f, int64_t at, bool lock)
{
    struct flock l = { .l_type = lock ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
    while (fcntl(fileno(f), F_SETLKW, &l))
        if (errno != EINTR) fail("the temporary file of features cannot be locked: %s", strerror(errno));
}

/* Reads (or writes) all bytes of x at an offset. */
static void transfer(FILE *f, float *x, int64_t count, int64_t offset, bool write)
{
    char *bytes = (char *)x;
    for (size_t left = (size_t)count * sizeof *x; left; ) {
        const ssize_t n = write ? pwrite(fileno(f), bytes, left, offset) : pread(fileno(f), bytes, left, offset);
        if (n <= 0)
            fail("the temporary file of features in %s: %s", P_tmpdir, n < 0 ? strerror(errno) : "it is too short");
        bytes += n;
        offset += n;
        left -= (size_t)n;
    }
}

/* Appends the features to the file and fills the slot. */
static void store_features(study *s, feature_slot *slot, const features *a, const features *b)
{
    const int64_t end = s->samplings * s->entries;            /* after the bytes that stand for slots */
    lock_byte(s->features, end, true);
    slot->offset = lseek(fileno(s->features), 0, SEEK_END);
    slot->width = a->width;
    transfer(s->features, a->x, a->n * a->width, slot->offset, true);
    transfer(s->features, b->x, b->n * b->width, slot->offset + a->n * a->width * (int64_t)sizeof *a->x, true);
    lock_byte(s->features, end, false);
    slot->ready = true;
}

const feature_slot *probe_features(study *s, int64_t i, training_run *t, const peft_dataset *test,
                                   features *for_training, features *for_test)
{
    const entry *e = entry_of(s, i);
    const int64_t at = (draw_of(s, i) - 1) * s->entries + first_with_features(s, e);
    feature_slot *slot = &s->slot[at];
    lock_byte(s->features, at, true);
    if (slot->ready) {
        *for_training = make_features(t->train, slot->width);
        *for_test = make_features(test, slot->width);
        const int64_t numbers = for_training->n * slot->width;
        transfer(s->features, for_training->x, numbers, slot->offset, false);
        transfer(s->features, for_test->x, for_test->n * slot->width,
                 slot->offset + numbers * (int64_t)sizeof *for_test->x, false);
    } else {
        const double start = seconds_now();
        peft_session *session;
        build_entry(t, e);
        must(peft_session_create(t->model, NULL, &session));
        *for_training = compute_features(t, session, t->train, NULL, NULL);
        *for_test = compute_features(t, session, test, NULL, NULL);
        peft_session_free(session);
        if (!for_training->x) fail("%s", peft_last_error());
        slot->seconds = seconds_now() - start;
        slot->peak_bytes = peak_bytes();
        store_features(s, slot, for_training, for_test);
    }
    lock_byte(s->features, at, false);
    return slot;
}
