/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers from the chip's own source, which tests itself while it runs. */

#include "platform.h"
#include "port.h"
#include "registers.h"

#define WORD_WITHIN_MS 10u

static bool next_word(uint32_t *word)
{
    uint32_t begun = time_ms();

    for (;;) {
        uint32_t state = RNG_SR;

        if ((state & RNG_SR_ERRORS) != 0)
            return false;
        if ((state & RNG_SR_DRDY) != 0)
            break;
        if (time_is_over(begun, WORD_WITHIN_MS))
            return false;
    }
    *word = RNG_DR;
    return *word != 0; /* RM0434: the register reads zero if an error came after the check of the state */
}

static bool fill(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += 4) {
        uint32_t word;

        if (!next_word(&word))
            return false;
        for (size_t j = i; j < count && j < i + 4; j++, word >>= 8)
            bytes[j] = (uint8_t)word;
    }
    return true;
}

bool platform_random(uint8_t *bytes, size_t count)
{
    bool is_filled;

    if (!semaphore_take(SEMAPHORE_RNG))
        return false;
    RNG_SR = 0; /* clears earlier errors */
    RNG_CR = RNG_CR_RNGEN;
    is_filled = fill(bytes, count);
    RNG_CR = 0;
    semaphore_release(SEMAPHORE_RNG);
    return is_filled;
}
