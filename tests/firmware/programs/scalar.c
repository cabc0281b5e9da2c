/* SPDX-License-Identifier: Apache-2.0 */
/* Secret numbers, from a scripted source of randomness. */

#include "platform.h"
#include "scalar.h"

#include <assert.h>
#include <string.h>

static const uint8_t *script;
static size_t scripted, served;

bool platform_random(uint8_t *bytes, size_t count)
{
    if (served == scripted)
        return false;
    memcpy(bytes, script + 32 * served++, count);
    return true;
}

static bool draw(const uint8_t *numbers, size_t count, uint8_t scalar[32])
{
    script = numbers;
    scripted = count;
    served = 0;
    return agent_scalar_random(scalar);
}

static const uint8_t order[32] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
};

int main(void)
{
    uint8_t numbers[32 * 32], scalar[32], zeros[32] = {0};

    /* The agent discards 0, n and n + 1; n - 1 is the largest valid number, 1 the smallest. */
    memset(numbers, 0, sizeof numbers);
    memcpy(numbers + 32, order, 32);
    memcpy(numbers + 64, order, 32);
    numbers[64 + 31]++;
    memcpy(numbers + 96, order, 32);
    numbers[96 + 31]--;
    assert(draw(numbers, 4, scalar) && served == 4);
    assert(memcmp(scalar, numbers + 96, 32) == 0);
    numbers[31] = 1;
    assert(draw(numbers, 4, scalar) && served == 1);

    /* A failing source gives no number, and leaves no bytes in the buffer. */
    assert(!draw(numbers, 0, scalar));
    assert(memcmp(scalar, zeros, 32) == 0);

    /* A stuck source is detected. */
    memset(numbers, 0xFF, sizeof numbers);
    assert(!draw(numbers, 32, scalar));
    assert(memcmp(scalar, zeros, 32) == 0);
    return 0;
}
