/* SPDX-License-Identifier: Apache-2.0 */
#include "string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    return memmove(to, from, count);
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (out <= in) {
        while (count-- > 0)
            *out++ = *in++;
    } else {
        while (count-- > 0)
            out[count] = in[count];
    }
    return to;
}

void *memset(void *memory, int value, size_t count)
{
    uint8_t *out = memory;

    while (count-- > 0)
        *out++ = (uint8_t)value;
    return memory;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left, *b = right;

    for (; count > 0; count--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}
