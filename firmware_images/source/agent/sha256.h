/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4). */

#ifndef AGENT_SHA256_H
#define AGENT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_SHA256_SIZE 32u

void agent_sha256(const uint8_t *message, size_t length, uint8_t hash[AGENT_SHA256_SIZE]);

#endif
