/* SPDX-License-Identifier: Apache-2.0 */
/* The provisioning agent: answers the questions of the provisioning link, version 1 (docs/link-protocol.md). */

#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdint.h>

#define AGENT_UID_SIZE 12u
#define AGENT_VERSION_MAX 64u

/* Begins anew, as after a reset. `version` is UTF-8 and stays where it is. */
void agent_start(const uint8_t uid[AGENT_UID_SIZE], const char *version);

/* Waits for a question or for the time to speak unasked, and does what is due. Call it for ever. */
void agent_step(void);

#endif
