/* SPDX-License-Identifier: Apache-2.0 */
/* Internal flash: erases pages of 4 KB and programs double words. The coprocessor uses it, too (ST's AN5289). */

#include "bytes.h"
#include "cpu.h"
#include "port.h"
#include "registers.h"

#define FLASH_START 0x08000000u
#define PAGE 4096u
#define DOUBLE_WORD 8u
#define WITHIN_MS 1000u

static bool is_quiet(uint32_t busy)
{
    uint32_t begun = time_ms();

    while ((FLASH_SR & busy) != 0)
        if (time_is_over(begun, WITHIN_MS))
            return false;
    return true;
}

/* The two words of a double word must be written in succession, so no interrupt may come between. */
static void program_double_word(uint32_t address, const uint8_t bytes[DOUBLE_WORD])
{
    cpu_interrupts_off();
    REGISTER(address) = agent_get32(bytes);
    __asm__ volatile("isb" ::: "memory");
    REGISTER(address + 4) = agent_get32(bytes + 4);
    cpu_interrupts_on();
}

/* One operation. Between two of them the coprocessor may use the flash. */
static bool operate(uint32_t command, uint32_t address, const uint8_t *bytes)
{
    bool is_done = false;

    if (!is_quiet(FLASH_SR_PESD) || !semaphore_take(SEMAPHORE_FLASH_OPERATION))
        return false;
    if (is_quiet(FLASH_SR_BSY | FLASH_SR_CFGBSY)) {
        FLASH_SR = FLASH_SR_ERRORS | FLASH_SR_EOP;
        FLASH_CR = command;
        if (bytes != NULL)
            program_double_word(address, bytes);
        else
            FLASH_CR = command | FLASH_CR_STRT;
        is_done = is_quiet(FLASH_SR_BSY | FLASH_SR_CFGBSY) && (FLASH_SR & FLASH_SR_ERRORS) == 0;
        FLASH_CR = 0;
    }
    semaphore_release(SEMAPHORE_FLASH_OPERATION);
    return is_done;
}

static bool unlock(void)
{
    if (!semaphore_take(SEMAPHORE_FLASH))
        return false;
    FLASH_KEYR = FLASH_KEYR_1;
    FLASH_KEYR = FLASH_KEYR_2;
    return true;
}

/* The cache still has the old content. */
static void lock(void)
{
    FLASH_CR = FLASH_CR_LOCK;
    FLASH_ACR &= ~FLASH_ACR_DCEN;
    FLASH_ACR |= FLASH_ACR_DCRST;
    FLASH_ACR &= ~FLASH_ACR_DCRST;
    FLASH_ACR |= FLASH_ACR_DCEN;
    semaphore_release(SEMAPHORE_FLASH);
}

bool flash_erase_page(uint32_t address)
{
    bool is_erased;

    if (!unlock())
        return false;
    is_erased = operate(FLASH_CR_PER | FLASH_CR_PNB((address - FLASH_START) / PAGE), address, NULL);
    lock();
    return is_erased;
}

bool flash_write(uint32_t address, const uint8_t *bytes, size_t count)
{
    bool is_written = true;

    if (!unlock())
        return false;
    for (size_t i = 0; i < count && is_written; i += DOUBLE_WORD)
        is_written = operate(FLASH_CR_PG, address + i, bytes + i);
    lock();
    return is_written;
}
