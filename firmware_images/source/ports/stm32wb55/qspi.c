/* SPDX-License-Identifier: Apache-2.0 */
/* The S25FL128S on the STM32WB5MM-DK: read through its memory window, written by commands. */

#include "bytes.h"
#include "port.h"
#include "registers.h"

#include <string.h>

#define WINDOW 0x90000000u
#define PAGE 256u
#define ADDRESS_BITS 24u /* 16 MB */
#define WORD 4u /* bytes of the FIFO that one look at its flag lets a writer fill */

/* Commands with four address bytes, which work in whichever address mode an earlier firmware has left the part. */
#define READ 0x13u
#define PAGE_PROGRAM 0x12u
#define SECTOR_ERASE 0xDCu
#define WRITE_ENABLE 0x06u
#define READ_STATUS 0x05u
#define CLEAR_STATUS 0x30u
#define STATUS_WRITING 0x01u
#define STATUS_ENABLED 0x02u
#define STATUS_ERRORS 0x60u

#define COMMAND_WITHIN_MS 10u
#define PROGRAM_WITHIN_MS 10u /* 0.75 ms at most, by the data sheet */
#define ERASE_WITHIN_MS 5000u /* 2.6 s at most */

#define COMMAND(code) ((code) | QUADSPI_CCR_IMODE_1)
#define ADDRESSED (QUADSPI_CCR_ADMODE_1 | QUADSPI_CCR_ADSIZE_32)

static void use_pin(uint32_t port, unsigned pin)
{
    unsigned alternate = 4u * (pin % 8u);

    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(15u << alternate)) | 10u << alternate;
    GPIO_OSPEEDR(port) = (GPIO_OSPEEDR(port) & ~(3u << 2u * pin)) | 2u << 2u * pin;
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << 2u * pin)) | 1u << 2u * pin; /* keeps HOLD and WP high */
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << 2u * pin)) | 2u << 2u * pin;
}

static bool has_come(uint32_t flag, bool set)
{
    return ((QUADSPI_SR & flag) != 0) == set;
}

static bool comes(uint32_t flag, bool set, uint32_t within_ms)
{
    uint32_t begun;

    if (has_come(flag, set)) /* as for nearly every word of a page: no look at the clock */
        return true;
    begun = time_ms();
    while (!has_come(flag, set))
        if (time_is_over(begun, within_ms))
            return false;
    return true;
}

static void close_window(void)
{
    QUADSPI_CR |= QUADSPI_CR_ABORT;
    (void)comes(QUADSPI_SR_BUSY, false, COMMAND_WITHIN_MS);
}

static void open_window(void)
{
    QUADSPI_FCR = QUADSPI_SR_TEF | QUADSPI_SR_TCF | QUADSPI_SR_SMF;
    QUADSPI_CCR = COMMAND(READ) | ADDRESSED | QUADSPI_CCR_DMODE_1 | QUADSPI_CCR_FMODE_MAPPED;
}

void qspi_start(void)
{
    feed(&RCC_AHB2ENR, RCC_AHB2ENR_GPIOA | RCC_AHB2ENR_GPIOB | RCC_AHB2ENR_GPIOD);
    feed(&RCC_AHB3ENR, RCC_AHB3ENR_QUADSPI);
    use_pin(GPIOD_BASE, 3); /* select */
    use_pin(GPIOA_BASE, 3); /* clock */
    use_pin(GPIOB_BASE, 9); /* data 0 to 3 */
    use_pin(GPIOD_BASE, 5);
    use_pin(GPIOD_BASE, 6);
    use_pin(GPIOD_BASE, 7);
    QUADSPI_DCR = QUADSPI_DCR_FSIZE(ADDRESS_BITS) | QUADSPI_DCR_CSHT(4u);
    /* 32 MHz; READ goes up to 50. */
    QUADSPI_CR = QUADSPI_CR_PRESCALER(2u) | QUADSPI_CR_FTHRES(WORD) | QUADSPI_CR_APMS | QUADSPI_CR_EN;
    open_window();
}

/* Waits until the masked bits of the part's status have these values; the peripheral polls them. */
static bool status_comes(uint32_t mask, uint32_t wanted, uint32_t within_ms)
{
    bool matches;

    QUADSPI_DLR = 0;
    QUADSPI_PSMKR = mask;
    QUADSPI_PSMAR = wanted;
    QUADSPI_PIR = 16;
    QUADSPI_CCR = COMMAND(READ_STATUS) | QUADSPI_CCR_DMODE_1 | QUADSPI_CCR_FMODE_POLL;
    matches = comes(QUADSPI_SR_SMF, true, within_ms);
    if (!matches)
        close_window();
    QUADSPI_FCR = QUADSPI_SR_SMF | QUADSPI_SR_TCF | QUADSPI_SR_TEF;
    return matches && comes(QUADSPI_SR_BUSY, false, COMMAND_WITHIN_MS);
}

static bool has_failed(void)
{
    uint8_t status;

    QUADSPI_DLR = 0;
    QUADSPI_CCR = COMMAND(READ_STATUS) | QUADSPI_CCR_DMODE_1 | QUADSPI_CCR_FMODE_READ;
    if (!comes(QUADSPI_SR_TCF, true, COMMAND_WITHIN_MS))
        return true;
    status = QUADSPI_DR_BYTE;
    QUADSPI_FCR = QUADSPI_SR_TCF;
    return (status & STATUS_ERRORS) != 0;
}

static bool command(uint32_t code)
{
    QUADSPI_CCR = COMMAND(code);
    if (!comes(QUADSPI_SR_TCF, true, COMMAND_WITHIN_MS))
        return false;
    QUADSPI_FCR = QUADSPI_SR_TCF;
    return true;
}

static bool enable_writing(void)
{
    return command(WRITE_ENABLE) && status_comes(STATUS_ENABLED, STATUS_ENABLED, COMMAND_WITHIN_MS);
}

/* After a failure the part stays busy and refuses all commands until its status is cleared. */
static bool ends_well(uint32_t within_ms)
{
    bool is_over = status_comes(STATUS_WRITING, 0, within_ms);

    if (is_over && !has_failed())
        return true;
    (void)command(CLEAR_STATUS);
    return false;
}

static bool erase_sector(uint32_t address)
{
    if (!enable_writing())
        return false;
    QUADSPI_CCR = COMMAND(SECTOR_ERASE) | ADDRESSED;
    QUADSPI_AR = address;
    if (!comes(QUADSPI_SR_TCF, true, COMMAND_WITHIN_MS))
        return false;
    QUADSPI_FCR = QUADSPI_SR_TCF;
    return ends_well(ERASE_WITHIN_MS);
}

static bool program_page(uint32_t address, const uint8_t *bytes, size_t count)
{
    if (!enable_writing())
        return false;
    QUADSPI_DLR = (uint32_t)count - 1;
    QUADSPI_CCR = COMMAND(PAGE_PROGRAM) | ADDRESSED | QUADSPI_CCR_DMODE_1 | QUADSPI_CCR_FMODE_WRITE;
    QUADSPI_AR = address;
    for (size_t part; count > 0; count -= part, bytes += part) {
        part = count < WORD ? 1 : WORD;
        if (!comes(QUADSPI_SR_FTF, true, COMMAND_WITHIN_MS))
            return false;
        if (part == WORD)
            QUADSPI_DR = agent_get32(bytes);
        else
            QUADSPI_DR_BYTE = *bytes;
    }
    if (!comes(QUADSPI_SR_TCF, true, COMMAND_WITHIN_MS))
        return false;
    QUADSPI_FCR = QUADSPI_SR_TCF;
    return ends_well(PROGRAM_WITHIN_MS);
}

bool qspi_erase_sector(uint32_t address)
{
    bool is_erased;

    close_window();
    is_erased = erase_sector(address);
    open_window();
    return is_erased;
}

bool qspi_write(uint32_t address, const uint8_t *bytes, size_t count)
{
    bool is_written = true;

    close_window();
    while (count > 0 && is_written) {
        size_t part = PAGE - address % PAGE;

        if (part > count)
            part = count;
        is_written = program_page(address, bytes, part);
        address += part;
        bytes += part;
        count -= part;
    }
    open_window();
    return is_written;
}

void qspi_read(uint32_t address, uint8_t *bytes, size_t count)
{
    memcpy(bytes, (const void *)(WINDOW + address), count);
}
