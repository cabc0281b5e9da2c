/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the provisioning link: 00, COBS(body, CRC-32 of body, little-endian), 00. All other bytes are noise. */

#ifndef AGENT_FRAMES_H
#define AGENT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_BODY_MAX 1536u
#define AGENT_CRC_SIZE 4u

/* The longest frame with a body of this size: CRC, a code byte before every 254 bytes and at the end, two zeros. */
#define AGENT_FRAME_SIZE(body) ((body) + AGENT_CRC_SIZE + ((body) + AGENT_CRC_SIZE) / 254u + 1u + 2u)

struct agent_frame_reader {
    uint8_t body[AGENT_BODY_MAX + AGENT_CRC_SIZE];
    uint16_t length;
    uint8_t code; /* of the group being read; 0 before the first */
    uint8_t left; /* remaining bytes of that group */
    bool overlong;
};

/* Takes one byte. Returns the length of the body if that byte ended a frame, else 0; the next byte overwrites the body. */
size_t agent_frame_feed(struct agent_frame_reader *reader, uint8_t byte);

/* Writes the frame of a body, of AGENT_FRAME_SIZE(length) bytes at most. Returns its length. */
size_t agent_frame_encode(uint8_t *frame, const uint8_t *body, size_t length);

/* CRC-32/ISO-HDLC. */
uint32_t agent_crc32(const uint8_t *bytes, size_t count);

#endif
