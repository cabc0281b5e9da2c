/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers between 0 and the order of P-256: private keys, and the secret nonces of signatures. */

#ifndef AGENT_SCALAR_H
#define AGENT_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

/* A random number, uniform over 1 to n - 1. False if the source of randomness has failed. */
bool agent_scalar_random(uint8_t scalar[32]);

#endif
