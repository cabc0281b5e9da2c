/* SPDX-License-Identifier: Apache-2.0 */
#include "scalar.h"

#include "bytes.h"
#include "platform.h"

#include <string.h>

#define ATTEMPTS 16 /* one in 2^32 is out of range: this many in a row mean a stuck source */

static const uint8_t order[32] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
};

static bool is_in_range(const uint8_t scalar[32])
{
    uint8_t bits = 0;

    for (unsigned i = 0; i < 32; i++)
        bits |= scalar[i];
    return bits != 0 && memcmp(scalar, order, sizeof order) < 0;
}

bool agent_scalar_random(uint8_t scalar[32])
{
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (!platform_random(scalar, 32))
            break;
        if (is_in_range(scalar)) /* otherwise discarded, since reducing it would favour small numbers */
            return true;
    }
    agent_wipe(scalar, 32);
    return false;
}
