/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers in bytes, and memory that must not outlive its use. */

#ifndef AGENT_BYTES_H
#define AGENT_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t agent_get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline void agent_put32(uint8_t *bytes, uint32_t number)
{
    bytes[0] = (uint8_t)number;
    bytes[1] = (uint8_t)(number >> 8);
    bytes[2] = (uint8_t)(number >> 16);
    bytes[3] = (uint8_t)(number >> 24);
}

static inline uint16_t agent_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Writes through a volatile pointer, so that the compiler cannot remove the stores although nobody reads the bytes again. */
static inline void agent_wipe(void *memory, size_t size)
{
    volatile uint8_t *byte = memory;

    while (size-- > 0)
        *byte++ = 0;
}

#endif
