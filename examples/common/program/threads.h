/* SPDX-License-Identifier: Apache-2.0
 * threads.h -- runs a function in several threads. */
#ifndef THREADS_H
#define THREADS_H

/* The number that --threads gives; for 0 that of the cores this process may use. Warns once in a program if more than
 * these are given. */
int  thread_count(int given);
/* Calls the function in this thread and in up to threads - 1 others; returns when all calls have returned. Where no
 * more threads can be started, fewer run. */
void run_in_threads(int threads, void *(*function)(void *), void *argument);
#endif
