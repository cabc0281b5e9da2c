/* SPDX-License-Identifier: Apache-2.0 */
/* The board's key pair: made once, kept in the agent's record or in secure storage, and never made again. */

#ifndef AGENT_KEY_H
#define AGENT_KEY_H

#include "factory_data.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

/* 1: the private key goes into secure storage; 0: into the agent's record, and with the DAC into the factory data. */
#ifndef AGENT_SECURE
#error "say where the private key lives: -DAGENT_SECURE=0 or -DAGENT_SECURE=1"
#endif

/* Returns AGENT_OK and the public key if there is a key that can sign; AGENT_NO_KEY if there is none. */
enum agent_status agent_key_load(const struct agent_data *data, uint8_t public_key[65]);

/* Like `agent_key_load`, but makes the pair if there is none; when this returns AGENT_OK, the pair is stored. */
enum agent_status agent_key_make(const struct agent_data *data, uint8_t public_key[65]);

/* Signs a message with ECDSA and SHA-256; the signature is r and s. */
enum agent_status agent_key_sign(const struct agent_data *data, const uint8_t *message, size_t length,
                                 uint8_t signature[64]);

/* Copies the private key, for tag 5. The caller must wipe it. */
enum agent_status agent_key_private(const struct agent_data *data, uint8_t private_key[32]);

/* Clears the record's copy of the private key, once the factory data holds it. The public key stays. */
enum agent_status agent_key_forget_private(void);

#endif
