/* SPDX-License-Identifier: Apache-2.0
 * parts.h -- the two parts of an element in bf16x3 (pk_compute in ../pk.h): x rounded to bf16, and the rest of x
 * rounded. A panel holds three of them, one behind the other. */
#ifndef PK_PARTS_H
#define PK_PARTS_H

typedef enum pk_part { PK_FIRST_PART, PK_SECOND_PART } pk_part;
#define PK_PARTS_OF_A { PK_FIRST_PART, PK_FIRST_PART, PK_SECOND_PART }
#define PK_PARTS_OF_B { PK_FIRST_PART, PK_SECOND_PART, PK_FIRST_PART }
#endif
