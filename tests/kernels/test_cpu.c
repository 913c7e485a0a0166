/* SPDX-License-Identifier: Apache-2.0
 * test_cpu.c -- the choice of a kernel table by name and by PEFT_ISA, and that every entry of each table is set. */
#include "kernels/pk.h"
#include "suite.h"

START_TEST(tables_are_found_by_name)
{
    const char *const *isa = pk_isas();
    unsetenv("PEFT_ISA");
    ck_assert_ptr_eq(pk_find("auto"), pk_find(isa[0]));
    ck_assert_ptr_eq(pk_find(NULL), pk_find(isa[0]));
    int count = 0;
    for (; isa[count]; count++) {
        const pk_table *t = pk_find(isa[count]);
        ck_assert_ptr_nonnull(t);
        ck_assert_str_eq(t->name, isa[count]);
    }
    ck_assert_str_eq(isa[count - 1], "ref");
    ck_assert_ptr_null(pk_find("neon2"));
    ck_assert_ptr_null(pk_find(""));
}
END_TEST

/* PEFT_ISA has effect on "auto" only; an unknown name in it is ignored. */
START_TEST(the_environment_chooses_auto)
{
    const pk_table *best = pk_find(pk_isas()[0]);
    setenv("PEFT_ISA", "ref", 1);
    ck_assert_str_eq(pk_find("auto")->name, "ref");
    ck_assert_ptr_eq(pk_find(pk_isas()[0]), best);
    setenv("PEFT_ISA", "sse9", 1);
    ck_assert_ptr_eq(pk_find("auto"), best);
    unsetenv("PEFT_ISA");
}
END_TEST

START_TEST(every_entry_of_a_table_is_set)
{
    for (const char *const *isa = pk_isas(); *isa; isa++) {
        const pk_table *t = pk_find(*isa);
#define PK_KERNEL(name, args) ck_assert_msg(t->name != NULL, "%s has no " #name, *isa);
#include "kernels/kernels.def"
#undef PK_KERNEL
        for (int type = 0; type < PK_ELEMENT_TYPES; type++) ck_assert(t->widen[type] != NULL);
        for (int compute = 0; compute < PK_COMPUTES; compute++) {
            const pk_product *p = &t->product[compute];
            for (int type = 0; type < PK_ELEMENT_TYPES; type++) ck_assert(p->pack_b[type] != NULL);
            ck_assert(!p->pack_int8 == (compute != PK_COMPUTE_INT8));
            ck_assert(p->name && p->mr > 0 && p->mr <= PK_MOST_MR);
            ck_assert(p->per_lane > 0 && p->kc > 0 && p->step > 0 && p->pack_a && p->micro && p->fmas);
        }
        ck_assert(t->epilogue != NULL);
        ck_assert(t->mr > 0 && t->nr % t->vector == 0);
        const double measured_seconds = 0.001;
        ck_assert(pk_pool_peak(t, PK_COMPUTE_F32, NULL, measured_seconds) > 0);
    }
}
END_TEST

SUITE_MAIN("cpu", tables_are_found_by_name, the_environment_chooses_auto, every_entry_of_a_table_is_set)
