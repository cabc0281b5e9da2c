/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent needs from the platform: twelve functions and nothing else. docs/firmware.md says what each must do. */

#ifndef AGENT_PLATFORM_H
#define AGENT_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum platform_flash {
    PLATFORM_FACTORY_DATA, /* the sector with the factory data; its first byte has offset 0 */
    PLATFORM_RECORD,       /* the agent's own page, which nobody else writes */
};

enum platform_secure {
    PLATFORM_SECURE_OK,
    PLATFORM_SECURE_REFUSED, /* it answered, and did not do it */
    PLATFORM_SECURE_SILENT,  /* it did not answer: nothing is known about it */
};

/* Sends all of it; may return before the last byte has left. */
void platform_uart_send(const uint8_t *bytes, size_t count);

/* Waits for bytes, asleep, at most so many milliseconds, and takes what there is. Returns 0 when the time is over. */
size_t platform_uart_receive(uint8_t *bytes, size_t room, uint32_t within_ms);

/* Milliseconds since some moment; wraps around. */
uint32_t platform_time_ms(void);

/* Erases the whole region; true when it reads FF. */
bool platform_flash_erase(enum platform_flash flash);

/* Programs bytes into erased cells, or zeros into any. In PLATFORM_RECORD, offset and count are multiples of 8. */
bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count);

void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count);

/* Random bytes that nobody can guess; false if the source has failed a test of its own. */
bool platform_random(uint8_t *bytes, size_t count);

/* P-256. Numbers are big-endian; a public key is an uncompressed point. The caller has seen to 0 < private_key < n. */
bool platform_p256_public(const uint8_t private_key[32], uint8_t public_key[65]);
bool platform_p256_sign(const uint8_t private_key[32], const uint8_t hash[32], uint8_t signature[64]);

/* False if it could not be computed; `*valid` tells the result. */
bool platform_p256_verify(const uint8_t public_key[65], const uint8_t hash[32], const uint8_t signature[64], bool *valid);

/* Storage that is written once, and signs for who knows the public key. Only called when AGENT_SECURE is 1. */
enum platform_secure platform_secure_store(const uint8_t private_key[32]);
enum platform_secure platform_secure_sign(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                          uint8_t signature[64]);

#endif
