/* SPDX-License-Identifier: Apache-2.0
 * compare_draw.c -- draws the training and test images of one run of compare, and tells how many each draw has. */
#include "common/data/data.h"
#include "common/program/errors.h"
#include "common/program/verbose.h"
#include "compare_study.h"

bool draw_run_data(const study *s, int64_t i, training_run *t, peft_dataset **test)
{
    *t = (training_run){ .backbone = s->backbone, .seed = run_seed(s, i), .threads = 1 };
    t->io_ctx = make_context();
    data_request q = s->images;
    q.seed = draw_seed(s, i);
    const bool of_one_set = drawn_from_training_data(draw_sets(t->io_ctx, &q, &t->train, test));
    replace_by_slices(&q, &t->train);
    replace_by_slices(&q, test);
    if (s->per_case) check_cases(*test, "test");
    return of_one_set;
}

count_range range_of_draws(const study *s, int count, int64_t first)
{
    count_range r = EMPTY_RANGE;
    for (int64_t d = first; d < s->samplings; d++) add_to_range(&r, s->draw[d].of[count]);
    return r;
}

bool draws_differ(const study *s)
{
    bool differ = false;
    for (int k = 0; k < draw_counts; k++) {
        const count_range r = range_of_draws(s, k, 0);
        differ |= r.low < r.high;
    }
    return differ;
}

/* Of many draws only the first ones are printed one by one. */
static int64_t listed_draws(const study *s)
{
    enum { MOST = 6 };
    return s->samplings > MOST ? MOST - 1 : s->samplings;
}

static int64_t count_test_cases(const peft_dataset *test)
{
    case_list c = cases_of(test);
    const int64_t n = c.count;
    free_cases(&c);
    return n;
}

/* Prints the numbers of the draws that are not printed one by one, after the last of them is counted. */
static void print_other_draws(const study *s)
{
    const int64_t first = listed_draws(s);
    char train[RANGE_TEXT], test[RANGE_TEXT];
    printf("draws %lld to %lld: training: %s; test: %s\n", (long long)first + 1, (long long)s->samplings,
           range_text(train, range_of_draws(s, draw_train_images, first), "image"),
           range_text(test, range_of_draws(s, draw_test_images, first), "image"));
}

void count_draw(study *s, int64_t d, const peft_dataset *train, const peft_dataset *test)
{
    s->draw[d] = (draw_count){ { peft_dataset_count(train), peft_dataset_count(test),
                                 s->per_case ? count_test_cases(test) : 0 } };
    if (d < listed_draws(s)) {
        printf("draw %lld: ", (long long)d + 1);
        print_set("training", train);
        print_set("; test", test);
        (void)print_patient_counts("; ", train, NULL, test);
        putchar('\n');
    } else if (d + 1 == s->samplings) print_other_draws(s);
}
