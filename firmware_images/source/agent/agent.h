/* SPDX-License-Identifier: Apache-2.0 */
/* The provisioning agent: answers the questions of the provisioning link, version 1 (docs/link-protocol.md). */

#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdint.h>

#define AGENT_UID_SIZE 12u
#define AGENT_VERSION_MAX 64u

/* Starts the agent, as after a reset. `version` is UTF-8 and must stay valid. */
void agent_start(const uint8_t uid[AGENT_UID_SIZE], const char *version);

/* Waits for a question and answers it, or sends HELLO or `finish` when it is due. Call it in an endless loop. */
void agent_step(void);

#endif
