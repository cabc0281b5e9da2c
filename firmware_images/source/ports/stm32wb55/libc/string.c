/* SPDX-License-Identifier: Apache-2.0 */
/* Works in words as far as it can: a sector of factory data is copied, read back and compared as a whole. */

#include "string.h"

#include <stdint.h>

/* A word at any address of memory: one instruction on this core, unless an application traps it (SCB_CCR). Never for registers. */
typedef uint32_t word __attribute__((aligned(1), may_alias));

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    return memmove(to, from, count);
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (out <= in) {
        for (; count >= sizeof(word); count -= sizeof(word), out += sizeof(word), in += sizeof(word))
            *(word *)out = *(const word *)in;
        while (count-- > 0)
            *out++ = *in++;
    } else {
        for (; count >= sizeof(word); count -= sizeof(word))
            *(word *)(out + count - sizeof(word)) = *(const word *)(in + count - sizeof(word));
        while (count-- > 0)
            out[count] = in[count];
    }
    return to;
}

void *memset(void *memory, int value, size_t count)
{
    uint8_t *out = memory;

    for (; count >= sizeof(word); count -= sizeof(word), out += sizeof(word))
        *(word *)out = (uint8_t)value * 0x01010101u;
    while (count-- > 0)
        *out++ = (uint8_t)value;
    return memory;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left, *b = right;

    while (count >= sizeof(word) && *(const word *)a == *(const word *)b) {
        a += sizeof(word);
        b += sizeof(word);
        count -= sizeof(word);
    }
    for (; count > 0; count--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}
