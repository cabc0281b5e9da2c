/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include "bytes.h"

#define GROUP 254u /* non-zero bytes that one code byte can announce */

static uint32_t crc_after(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };

    crc = table[(crc ^ byte) & 15] ^ crc >> 4;
    return table[(crc ^ byte >> 4) & 15] ^ crc >> 4;
}

uint32_t agent_crc32(const uint8_t *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;

    while (count-- > 0)
        crc = crc_after(crc, *bytes++);
    return ~crc;
}

static void keep(struct agent_frame_reader *reader, uint8_t byte)
{
    if (reader->length < sizeof reader->body)
        reader->body[reader->length++] = byte;
    else
        reader->overlong = true;
}

static size_t ended(const struct agent_frame_reader *reader)
{
    size_t length = reader->length;

    if (reader->left > 0 || reader->overlong || length <= AGENT_CRC_SIZE)
        return 0;
    length -= AGENT_CRC_SIZE;
    return agent_crc32(reader->body, length) == agent_get32(reader->body + length) ? length : 0;
}

size_t agent_frame_feed(struct agent_frame_reader *reader, uint8_t byte)
{
    if (byte == 0) {
        size_t length = ended(reader);

        reader->length = 0;
        reader->code = 0;
        reader->left = 0;
        reader->overlong = false;
        return length;
    }
    if (reader->left > 0) {
        reader->left--;
        keep(reader, byte);
        return 0;
    }
    if (reader->code != 0 && reader->code <= GROUP)
        keep(reader, 0); /* the zero that ended the previous group */
    reader->code = byte;
    reader->left = (uint8_t)(byte - 1);
    return 0;
}

struct stuffing {
    uint8_t *code; /* of the group being written */
    uint8_t *next;
};

static void open_group(struct stuffing *out)
{
    out->code = out->next++;
    *out->code = 1;
}

static void stuff(struct stuffing *out, uint8_t byte)
{
    if (byte == 0) {
        open_group(out);
        return;
    }
    *out->next++ = byte;
    if (++*out->code > GROUP)
        open_group(out);
}

size_t agent_frame_encode(uint8_t *frame, const uint8_t *body, size_t length)
{
    struct stuffing out = {.next = frame + 1};
    uint8_t crc[AGENT_CRC_SIZE];

    agent_put32(crc, agent_crc32(body, length));
    frame[0] = 0;
    open_group(&out);
    for (size_t i = 0; i < length; i++)
        stuff(&out, body[i]);
    for (size_t i = 0; i < sizeof crc; i++)
        stuff(&out, crc[i]);
    *out.next++ = 0;
    return (size_t)(out.next - frame);
}
