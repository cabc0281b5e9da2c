/* SPDX-License-Identifier: Apache-2.0 */
/* The part of <string.h> that the agent uses, so that the images do not depend on a machine's C library. */

#ifndef PORT_STRING_H
#define PORT_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *memory, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

#endif
