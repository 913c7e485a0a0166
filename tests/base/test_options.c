/* SPDX-License-Identifier: Apache-2.0
 * test_options.c -- peft_options: setting and parsing; checking against a table of options; the nearest name for a
 * misspelt one; and peft_sys_opt_*, which reads options into a struct. */
#include "failing_alloc.h"
#include "core/options/options.h"
#include <math.h>

static peft_context *ctx;
static peft_options *o;

static void open_options(void)
{
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
}

static void close_options(void)
{
    peft_context_free(ctx);                          /* the options keep the context alive */
    ck_assert_uint_gt(peft_context_memory_used(ctx), 0);
    peft_options_free(o);
    peft_options_free(NULL);
}

/* The call returned this status and its message contains word. */
static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

/* The options as "name=text;name=text". */
static const char *all(const peft_options *list)
{
    static char line[2000];
    size_t n = 0;
    line[0] = 0;
    for (size_t i = 0; i < pf_options_count(list); i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s=%s", i ? ";" : "", pf_options_name(list, i),
                              pf_options_value(list, i));
    return line;
}

START_TEST(options_are_set_replaced_and_copied)
{
    char name[] = "rank", text[] = "deep", before[2000];
    peft_options *copy;
    open_options();
    ck_assert_int_eq(peft_options_set_int(o, name, INT64_MIN), PEFT_OK);
    ck_assert_int_eq(peft_options_set_float(o, "lr", 0.1), PEFT_OK);
    ck_assert_int_eq(peft_options_set_string(o, "kind", text), PEFT_OK);
    ck_assert_str_eq(all(o), "rank=-9223372036854775808;lr=0.1;kind=deep");
    ck_assert_int_eq(peft_options_set_int(o, "rank", 8), PEFT_OK);
    name[0] = text[0] = 'x';
    ck_assert_str_eq(all(o), "rank=8;lr=0.1;kind=deep");
    ck_assert_int_eq(peft_options_set_float(o, "lr", 1.0 / 3), PEFT_OK);
    ck_assert(pf_options_has(o, "lr") && !pf_options_has(o, "l") && !pf_options_has(NULL, "lr"));
    static char large[300000];                       /* a value has at most 256 KiB (options.c) */
    memset(large, 'x', sizeof large - 1);
    ck_assert_int_eq(peft_options_set_string(o, "large", large), PEFT_E_INVALID);
    ck_assert(!pf_options_has(o, "large"));
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(peft_options_set_int(o, key, i), PEFT_OK);
    }
    ck_assert_uint_eq(pf_options_count(o), 103);
    ck_assert_int_eq(pf_options_copy(o, &copy), PEFT_OK);
    snprintf(before, sizeof before, "%s", all(o));
    ck_assert_str_eq(all(copy), before);
    ck_assert_int_eq(peft_options_set_int(copy, "k5", 6), PEFT_OK);
    ck_assert_str_eq(all(o), before);
    peft_options_free(copy);
    expect_error(peft_options_set_int(NULL, "a", 1), PEFT_E_INVALID, "o is NULL");
    expect_error(peft_options_set_float(o, NULL, 1), PEFT_E_INVALID, "name is NULL");
    expect_error(peft_options_set_int(o, "", 1), PEFT_E_INVALID, "empty");
    expect_error(peft_options_set_string(o, "a", NULL), PEFT_E_INVALID, "'a'");
    expect_error(peft_options_create(NULL, &copy), PEFT_E_INVALID, "ctx");
    expect_error(peft_options_create(ctx, NULL), PEFT_E_INVALID, "out");
    close_options();
}
END_TEST

/* A list parsed into options that hold a=0, and the options after it; or a word of the error message. */
static const struct { const char *list, *after, *word; } lists[] = {
    { "", "a=0", NULL },
    { "  ", "a=0", NULL },
    { "b=1", "a=0;b=1", NULL },
    { "a=2", "a=2", NULL },
    { "b=1,c=2", "a=0;b=1;c=2", NULL },
    { " b = 1 , c = two words ", "a=0;b=1;c=two words", NULL },
    { "b=1,b=2", "a=0;b=2", NULL },
    { "layers=[0,1,2],x=1", "a=0;layers=[0,1,2];x=1", NULL },
    { "n=[[1,2],[3]],x=1", "a=0;n=[[1,2],[3]];x=1", NULL },
    { "t=\"q,v\",x=1", "a=0;t=q,v;x=1", NULL },
    { "t=\"q\\\"[\\\\\" , x=1", "a=0;t=q\"[\\;x=1", NULL },
    { "t=\"\"", "a=0;t=", NULL },
    { "t=", "a=0;t=", NULL },
    { "t=,x=1", "a=0;t=;x=1", NULL },
    { "t=a=b", "a=0;t=a=b", NULL },
    { "t=\"  kept  \"", "a=0;t=  kept  ", NULL },
    { "b=1 c=2", "a=0;b=1;c=2", NULL },
    { "b = 1\n\tc=two words d =3", "a=0;b=1;c=two words;d=3", NULL },
    { "b=[x=1 y=2] c=\"z=1 z=2\" d=4", "a=0;b=[x=1 y=2];c=z=1 z=2;d=4", NULL },
    { "b c=1", NULL, "name=value" },
    { "b=1,", "a=0;b=1", NULL },
    { ",b=1", "a=0;b=1", NULL },
    { "b", NULL, "name=value" },
    { "b=1,c", NULL, "name=value" },
    { "b=1,, ,c=2", "a=0;b=1;c=2", NULL },
    { ",", "a=0", NULL },
    { "=1", NULL, "name=value" },
    { "b=[1,2", NULL, "not closed" },
    { "b=1],c=2", NULL, "without its [" },
    { "b=\"open", NULL, "quote" },
    { "b=\"open\\", NULL, "quote" },
    { "b=\"x\"y", NULL, "comma" },
    { "b=1,c=[", NULL, "'c'" } };

START_TEST(lists_are_parsed_or_refused_as_a_whole)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        open_options();
        ck_assert_int_eq(peft_options_set_int(o, "a", 0), PEFT_OK);
        peft_status s = peft_options_parse(o, lists[i].list);
        if (lists[i].after) ck_assert_msg(s == PEFT_OK, "'%s': %s", lists[i].list, peft_last_error());
        else expect_error(s, PEFT_E_INVALID, lists[i].word);
        ck_assert_str_eq(all(o), lists[i].after ? lists[i].after : "a=0");
        close_options();
    }
    open_options();
    expect_error(peft_options_parse(NULL, "a=1"), PEFT_E_INVALID, "o is NULL");
    expect_error(peft_options_parse(o, NULL), PEFT_E_INVALID, "key_value_list");
    close_options();
}
END_TEST

/* A row: name, type (i: integer, f: float, b: boolean, s: text), default, lowest and highest value, help. */
#define ROWS \
    { "prompts", 'i', "10", 1, 1000, "prompts a layer" }, \
    { "alpha", 'f', "0.5", 0, 1, "strength" }, \
    { "free", 'f', "-2.5e3", 0, 0, "without bounds" }, \
    { "count", 'i', "-4", 0, 0, "without bounds" }, \
    { "bias", 'b', "yes", 0, 0, "train the biases" }, \
    { "layers", 's', "all", 0, 0, "which" }
#define LAST_ROW { NULL, 0, NULL, 0, 0, NULL }
static const pf_opt table[] = { ROWS, LAST_ROW };
static const pf_opt with_seed[] = { ROWS, { "seed", 'i', "0", 0, 1e9, "seed" }, LAST_ROW };
static const pf_opt empty_table[] = { LAST_ROW };

static const struct { const char *list, *word; } checks[] = {
    { "", NULL }, { "prompts=1", NULL }, { "prompts=1000", NULL }, { "prompts=1e2", NULL }, { "prompts=5.0", NULL },
    { "prompts=0", "'prompts' is '0'; expected an integer from 1 to 1000" }, { "prompts=1001", "1000" },
    { "prompts=ten", "'ten'" }, { "prompts=1.5", "an integer" }, { "prompts=", "''" }, { "prompts=inf", "an integer" },
    { "prompts=99999999999999999999", "an integer" }, { "prompts=nan", "an integer" },
    { "count=-9223372036854775808", NULL }, { "count=1e30", "'count'" },
    { "alpha=0", NULL }, { "alpha=1", NULL }, { "alpha=.25", NULL }, { "alpha=0,5", "name=value" },
    { "alpha=1.01", "'alpha' is '1.01'; expected a number from 0 to 1" }, { "alpha=-0.1", "a number" },
    { "alpha=nan", "a number" }, { "alpha=half", "a number" }, { "free=1e300", NULL }, { "free=inf", "a number" },
    { "bias=true", NULL }, { "bias=off", NULL }, { "bias=0", NULL }, { "bias=2", "true or false" },
    { "bias=True", "true or false" }, { "layers=[0,1]", NULL }, { "layers=", NULL }, { "seed=7", NULL },
    { "seed=-1", "'seed'" }, { "promts=1", "did you mean 'prompts'?" }, { "prompst=1", "did you mean 'prompts'?" },
    { "sed=1", "did you mean 'seed'?" }, { "gamma=1", "known are prompts, alpha, free, count, bias, layers, seed" },
    { "prompts=1,zzzzzz=1", "unknown option 'zzzzzz'" } };

START_TEST(values_are_checked_against_the_table)
{
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        open_options();
        peft_status s = peft_options_parse(o, checks[i].list), want = s ? PEFT_E_INVALID : PEFT_E_OPTION;
        if (!s) s = pf_options_check(o, with_seed, "method 'ept'");
        if (checks[i].word) expect_error(s, want, checks[i].word);
        else ck_assert_msg(s == PEFT_OK, "'%s': %s", checks[i].list, peft_last_error());
        if (s == PEFT_E_OPTION) ck_assert_int_eq(strncmp(peft_last_error(), "method 'ept': ", 14), 0);
        close_options();
    }
    ck_assert_int_eq(pf_options_check(NULL, table, "x"), PEFT_OK);
    open_options();
    ck_assert_int_eq(peft_options_set_float(o, "prompts", 100000), PEFT_OK);
    expect_error(pf_options_check(o, table, "x"), PEFT_E_OPTION, "'100000'; expected an integer from 1");
    ck_assert_int_eq(peft_options_set_int(o, "prompts", 5), PEFT_OK);
    ck_assert_int_eq(peft_options_set_int(o, "seed", 5), PEFT_OK);
    expect_error(pf_options_check(o, table, "x"), PEFT_E_OPTION, "'seed'");
    expect_error(pf_options_check(o, empty_table, "x"), PEFT_E_OPTION, "takes none");
    close_options();
}
END_TEST

START_TEST(values_are_given_ones_or_defaults)
{
    double low, high;
    open_options();
    for (int empty = 0; empty < 2; empty++) {                /* no options, then an empty list of options */
        peft_options *list = empty ? o : NULL;
        ck_assert_int_eq(pf_options_int(list, table, "prompts"), 10);
        ck_assert_int_eq(pf_options_int(list, table, "bias"), 1);
        ck_assert_int_eq(pf_options_int(list, table, "count"), -4);
        ck_assert(pf_options_float(list, table, "free") == -2500 && pf_options_float(list, table, "alpha") == 0.5);
        ck_assert_str_eq(pf_options_string(list, table, "layers"), "all");
    }
    ck_assert_int_eq(peft_options_parse(o, "prompts=1e2,bias=off,alpha=0.3,layers=[1],count=123456789012"), PEFT_OK);
    ck_assert_int_eq(peft_options_set_float(o, "free", 5e-324), PEFT_OK);
    ck_assert_int_eq(pf_options_check(o, table, "x"), PEFT_OK);
    ck_assert_int_eq(pf_options_int(o, table, "prompts"), 100);
    ck_assert_int_eq(pf_options_int(o, table, "bias"), 0);
    ck_assert_int_eq(pf_options_int(o, table, "count"), 123456789012);
    ck_assert(pf_options_float(o, table, "alpha") == 0.3 && pf_options_float(o, table, "free") == 5e-324);
    ck_assert(pf_options_float(o, table, "prompts") == 100);
    ck_assert_str_eq(pf_options_string(o, table, "layers"), "[1]");
    ck_assert_int_eq(peft_options_set_int(o, "bias", 1), PEFT_OK);
    ck_assert_int_eq(pf_options_int(o, table, "bias"), 1);
    const peft_option *row = pf_option_at(table, 1);
    ck_assert_str_eq(peft_option_name(row), "alpha");
    ck_assert_str_eq(peft_option_type(row), "float");
    ck_assert_str_eq(peft_option_fallback(row), "0.5");
    ck_assert(peft_option_bounds(row, &low, &high) && low == table[1].lo && high == table[1].hi);
    close_options();
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
    static const char *const names[] = { "ept", "vpt", "lora", "adapter", "weight_decay", "lr" };
    static const struct { const char *name, *want; } rows[] = {
        { "ept", "ept" }, { "ep", "ept" }, { "etp", "ept" }, { "lorra", "lora" }, { "LoRA", NULL },
        { "adaptre", "adapter" }, { "wieght_decay", "weight_decay" }, { "weightdecay", "weight_decay" }, { "l", "lr" },
        { "rl", "lr" }, { "x", NULL }, { "", NULL }, { "something else", NULL } };
    char giant[200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = pf_nearest(rows[i].name, names, 6);
        ck_assert_msg(got == rows[i].want || (got && rows[i].want && !strcmp(got, rows[i].want)), "nearest to '%s': %s",
                      rows[i].name, got ? got : "nothing");
    }
    memset(giant, 'l', sizeof giant), giant[199] = 0;
    ck_assert_ptr_null(pf_nearest(giant, names, 6));
    ck_assert_ptr_null(pf_nearest("ept", names, 0));
}
END_TEST

/* Sets, parses and copies options; for failing_alloc_loop. */
static peft_status use_options(peft_context *c, void *arg)
{
    peft_options *list, *copy = NULL;
    char before[2000];
    (void)arg;
    PF_TRY(peft_options_create(c, &list));
    peft_status s = peft_options_set_string(list, "layers", "[0]");
    if (!s) s = peft_options_set_int(list, "prompts", 3);
    snprintf(before, sizeof before, "%s", all(list));
    if (!s && (s = peft_options_parse(list, "prompts=4,b=1,c=2,d=3,e=4,f=5,g=6,h=7,i=8")))
        ck_assert_str_eq(all(list), before);          /* a list that fails sets nothing */
    if (!s) s = pf_options_copy(list, &copy);
    peft_options_free(copy);
    peft_options_free(list);
    return s;
}

START_TEST(failed_allocations_leave_options_unchanged)
{
    ck_assert_int_gt(failing_alloc_loop(use_options, NULL), 30);
}
END_TEST

START_TEST(values_are_compared_by_meaning_not_by_text)
{
    static const struct { char type; const char *a, *b; bool same; } pairs[] = {
        { 'f', "1e-3", "0.001", true }, { 'f', "1e-3", "0.0010000000001", false }, { 'i', "1e3", "1000", true },
        { 'i', "7", "8", false }, { 'b', "yes", "1", true }, { 'b', "off", "true", false },
        { 's', "lora", "lora", true }, { 's', "[1, 2.50]", "1,2.5", true }, { 's', "1,2", "1,2,3", false },
        { 's', "", "1", false }, { 's', "", "", true }, { 's', "q,v", "q, v", true }, { 's', "q,v", "v,q", false } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const pf_opt row = { .name = "x", .type = pairs[i].type };
        ck_assert_msg(pf_option_same(&row, pairs[i].a, pairs[i].b) == pairs[i].same, "'%s' and '%s'", pairs[i].a,
                      pairs[i].b);
        ck_assert(pf_option_same(&row, pairs[i].b, pairs[i].a) == pairs[i].same);
    }
}
END_TEST

/* The struct that options are read into. A key: a row as above (types 2 to 4: so many numbers; c: a choice; x: a side;
 * r: a range), the member, and the words that the option takes. */
typedef struct record {
    int64_t count; bool flag; double rate, span[2], colour[3], box[4]; int kind; peft_opt_side side;
    peft_opt_range range;
} record;
#define AT(field) offsetof(record, field)
static const peft_opt_key keys[] = {
    { { "count", 'i', "7", 0, 100, "h" }, AT(count), NULL }, { { "flag", 'b', "true", 0, 0, "h" }, AT(flag), NULL },
    { { "rate", 'f', "0.1", -1e6, 1e6, "h" }, AT(rate), NULL },
    { { "span", '2', "0.25:1", 0, 1, "h" }, AT(span), NULL },
    { { "colour", '3', "1:2:3", 0, 0, "h" }, AT(colour), NULL },
    { { "kind", 'c', "green", 0, 0, "h" }, AT(kind), "red|green|blue" },
    { { "box", '4', "1:2:3:4", 0, 9, "h" }, AT(box), NULL },
    { { "side", 'x', "none", 1, 1000, "h" }, AT(side), "auto|none" },
    { { "range", 'r', "", -1e9, 1e9, "h" }, AT(range), NULL }, { { 0 }, 0, NULL } };
#undef AT
#define REST ",flag=true,rate=0.1,span=0.25:1,colour=1:2:3,kind=green,box=1:2:3:4"

/* A list read into the struct, and the struct printed; or a word of the error message. */
static const struct { const char *text, *print, *word; } structs[] = {
    { "", "count=7" REST ",side=none,range=full", NULL },
    { "count=1e2 side=3", "count=100" REST ",side=3,range=full", NULL },
    { "side=640x480, range=-1000:400.5", "count=7" REST ",side=640x480,range=-1000:400.5", NULL },
    { "range=p1:p99.5", "count=7" REST ",side=none,range=p1:p99.5", NULL },
    { "flag=off,rate=\"-1e-7\",span=0:0,colour=2,kind=blue,box=9:0:0.5:3,side=auto",
      "count=7,flag=false,rate=-1e-07,span=0:0,colour=2:2:2,kind=blue,box=9:0:0.5:3,side=auto,range=full", NULL },
    { "count=101", NULL, "record: option 'count' is '101'; expected an integer from 0 to 100" },
    { "flag=maybe", NULL, "'flag' is 'maybe'; expected true or false" },
    { "rate=inf", NULL, "expected a number from -1000000 to 1000000" },
    { "span=1:0", NULL, "'span' is '1:0'; expected low:high from 0 to 1" },
    { "span=0.5", NULL, "expected low:high" }, { "span=0:0.5:1", NULL, "expected low:high" },
    { "colour=1:2", NULL, "'colour' is '1:2'; expected a:b:c" }, { "colour=1:2:", NULL, "a:b:c" },
    { "box=1:2:3", NULL, "'box' is '1:2:3'; expected a:b:c:d from 0 to 9" }, { "box=5", NULL, "a:b:c:d" },
    { "box=1:2:3:10", NULL, "a:b:c:d" }, { "box=1:2:3:4:5", NULL, "a:b:c:d" },
    { "kind=yellow", NULL, "'kind' is 'yellow'; expected red, green or blue" }, { "kind=", NULL, "red, green or blue" },
    { "side=0", NULL, "'side' is '0'; expected auto or none, N or HxW from 1 to 1000" },
    { "side=5x", NULL, "N or HxW" }, { "side=5x1001", NULL, "N or HxW" }, { "side=x5", NULL, "N or HxW" },
    { "range=3:3", NULL, "expected full, p1:p99 (percentiles) or low:high, low below high, from -1000000000" },
    { "range=p99:p1", NULL, "percentiles" }, { "range=p0:p101", NULL, "percentiles" },
    { "range=p1:99", NULL, "percentiles" }, { "range=1:p99", NULL, "percentiles" }, { "range=p:p", NULL, "'p:p'" },
    { "cuont=1", NULL, "unknown option 'cuont'; did you mean 'count'?" },
    { "zzzzz=1", NULL, "known are count, flag, rate" },
    { "count", NULL, "expected name=value at: count (a value with commas needs [brackets] or" },
    { "count=1 count=1", NULL, "option 'count' is given twice" }, { ",=1", NULL, "expected name=value at: =1" } };

START_TEST(options_are_read_into_a_struct)
{
    for (size_t i = 0; i < sizeof structs / sizeof *structs; i++) {
        record r = { 0 }, again = { 0 };
        char text[300], small[20];                           /* small holds the first 19 characters */
        uint64_t given = 99;                                 /* bit i: key i was in the list */
        ck_assert_int_eq(peft_sys_opt_defaults(keys, &r), PEFT_OK);
        peft_status s = peft_sys_opt_read(keys, structs[i].text, "record", &r, &given);
        if (structs[i].word) {
            expect_error(s, PEFT_E_OPTION, structs[i].word);
            continue;
        }
        ck_assert_msg(s == PEFT_OK, "'%s': %s", structs[i].text, peft_last_error());
        ck_assert_uint_eq(peft_sys_opt_print(keys, &r, text, sizeof text), strlen(structs[i].print));
        ck_assert_str_eq(text, structs[i].print);
        ck_assert_int_eq(peft_sys_opt_read(keys, text, "record", &again, &given), PEFT_OK);
        ck_assert_uint_eq(given, 511);                       /* all nine keys */
        ck_assert_uint_eq(peft_sys_opt_print(keys, &again, small, sizeof small), strlen(structs[i].print));
        ck_assert_int_eq(strncmp(small, structs[i].print, 19), 0);
        ck_assert_uint_eq(strlen(small), 19);
    }
    record r = { 0 };
    uint64_t given;
    ck_assert_int_eq(peft_sys_opt_read(keys, "rate=1 count=2", "record", &r, &given), PEFT_OK);
    ck_assert_uint_eq(given, 1 | 4);                         /* keys 0 and 2 */
    ck_assert_int_eq(peft_sys_opt_read(keys, NULL, "record", &r, NULL), PEFT_OK);
    expect_error(peft_sys_opt_defaults(NULL, &r), PEFT_E_INVALID, "keys");
    expect_error(peft_sys_opt_defaults(keys, NULL), PEFT_E_INVALID, "values");
    static const peft_opt_key wrong[] = {
        { { "count", 'i', "101", 0, 100, "h" }, offsetof(record, count), NULL }, { { 0 }, 0, NULL } };
    expect_error(peft_sys_opt_defaults(wrong, &r), PEFT_E_INVALID, "option 'count': its default '101'");
    ck_assert_ptr_eq(peft_sys_opt_row(keys, 8), &keys[8].option);
    ck_assert(!peft_sys_opt_row(keys, 9) && !peft_sys_opt_row(NULL, 0));
    ck_assert_str_eq(peft_option_type(peft_sys_opt_row(keys, 5)), "text");
    ck_assert_int_eq(peft_option_bounds(peft_sys_opt_row(keys, 3), NULL, NULL), 0);
    expect_error(peft_sys_opt_read(NULL, "", "record", &r, NULL), PEFT_E_INVALID, "keys");
    expect_error(peft_sys_opt_read(keys, "", NULL, &r, NULL), PEFT_E_INVALID, "who");
    expect_error(peft_sys_opt_read(keys, "", "record", NULL, NULL), PEFT_E_INVALID, "values");
}
END_TEST

/* Texts of up to hi - 1 bytes; printed in quotes, by which they are read again. */
START_TEST(texts_are_read_into_arrays)
{
    typedef struct texts { char a[6], b[300]; } texts;
    static const peft_opt_key rows[] = {
        { { "a", 's', "", 0, 6, "h" }, offsetof(texts, a), NULL },
        { { "b", 's', "no \"x\"", 0, 300, "h" }, offsetof(texts, b), NULL }, { { 0 }, 0, NULL } };
    texts t = { 0 }, again = { 0 };
    char text[400], list[400];
    ck_assert_int_eq(peft_sys_opt_defaults(rows, &t), PEFT_OK);
    ck_assert_int_eq(peft_sys_opt_read(rows, "a=1:2|3", "record", &t, NULL), PEFT_OK);
    ck_assert_str_eq(t.a, "1:2|3");
    ck_assert_uint_eq(peft_sys_opt_print(rows, &t, text, sizeof text), strlen("a=\"1:2|3\",b=\"no \\\"x\\\"\""));
    ck_assert_str_eq(text, "a=\"1:2|3\",b=\"no \\\"x\\\"\"");
    ck_assert_int_eq(peft_sys_opt_read(rows, text, "record", &again, NULL), PEFT_OK);
    ck_assert(!strcmp(again.a, t.a) && !strcmp(again.b, "no \"x\""));
    memset(list, 'x', sizeof list);
    memcpy(list, "b=", 2);
    list[2 + 299] = 0;
    ck_assert_int_eq(peft_sys_opt_read(rows, list, "record", &t, NULL), PEFT_OK);
    ck_assert_uint_eq(strlen(t.b), 299);
    expect_error(peft_sys_opt_read(rows, "a=123456", "record", &t, NULL), PEFT_E_OPTION,
                 "record: the value of option 'a' has 6 bytes, the limit is 5");
    expect_error(peft_sys_opt_read(rows, "a=1,a=2", "record", &t, NULL), PEFT_E_OPTION, "given twice");
}
END_TEST

SUITE_MAIN("options", options_are_read_into_a_struct, texts_are_read_into_arrays,
           values_are_compared_by_meaning_not_by_text,
           options_are_set_replaced_and_copied, lists_are_parsed_or_refused_as_a_whole,
           values_are_checked_against_the_table, values_are_given_ones_or_defaults, the_nearest_name_is_suggested,
           failed_allocations_leave_options_unchanged)
