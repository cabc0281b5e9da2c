/* SPDX-License-Identifier: Apache-2.0 */
/* The twelve functions that the agent needs from the platform; docs/firmware.md specifies each. */

#ifndef AGENT_PLATFORM_H
#define AGENT_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum platform_flash {
    PLATFORM_FACTORY_DATA, /* the sector with the factory data; its first byte has offset 0 */
    PLATFORM_RECORD,       /* the agent's own page; no other code may write it */
};

enum platform_secure {
    PLATFORM_SECURE_OK,
    PLATFORM_SECURE_REFUSED, /* the storage answered, but refused */
    PLATFORM_SECURE_SILENT,  /* the storage did not answer, so its state is unknown */
};

/* Sends all bytes; may return before the last one has left. */
void platform_uart_send(const uint8_t *bytes, size_t count);

/* Waits for bytes, asleep, at most that many milliseconds, and returns those received; 0 after the time. */
size_t platform_uart_receive(uint8_t *bytes, size_t room, uint32_t within_ms);

/* Milliseconds since some moment; wraps around. */
uint32_t platform_time_ms(void);

/* Erases the whole region; true if it then reads FF. */
bool platform_flash_erase(enum platform_flash flash);

/* Programs bytes into erased cells, or zeros into any. In PLATFORM_RECORD, offset and count are multiples of 8. */
bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count);

void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count);

/* Cryptographically secure random bytes; false if the source has failed its own test. */
bool platform_random(uint8_t *bytes, size_t count);

/* P-256. Numbers are big-endian; a public key is an uncompressed point. The caller guarantees 0 < private_key < n. */
bool platform_p256_public(const uint8_t private_key[32], uint8_t public_key[65]);
bool platform_p256_sign(const uint8_t private_key[32], const uint8_t hash[32], uint8_t signature[64]);

/* False if it could not be computed; the result is in `*valid`. */
bool platform_p256_verify(const uint8_t public_key[65], const uint8_t hash[32], const uint8_t signature[64], bool *valid);

/* Storage that can be written once, and signs for a caller that has the public key. Only called if AGENT_SECURE is 1. */
enum platform_secure platform_secure_store(const uint8_t private_key[32]);
enum platform_secure platform_secure_sign(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                          uint8_t signature[64]);

#endif
