/* SPDX-License-Identifier: Apache-2.0 */
/* An example for projects on ST's HAL: the agent's hooks but for P-256 and random numbers, which ports/psa has.

   Call `hal_example_start` when UART and QSPI are initialised and, with secure storage, the coprocessor's Thread stack is up;
   then `agent_start`, and `agent_step` for ever. It was compiled against declarations, and has never been run. */

#include "platform.h"

#include "st_declarations.h"

#include <string.h>

#define FACTORY_DATA 0x001C0000u /* in the QSPI flash */
#define RECORD 0x08093000u
#define FLASH_START 0x08000000u
#define PAGE 4096u
#define DOUBLE_WORD 8u
#define RING 2048u /* longer than the longest frame */

void hal_example_start(UART_HandleTypeDef *handle);

static UART_HandleTypeDef *uart;
static uint8_t received;
static struct {
    uint8_t bytes[RING];
    volatile uint16_t in, out;
} ring;

void hal_example_start(UART_HandleTypeDef *handle)
{
    uart = handle;
    (void)HAL_UART_Receive_IT(uart, &received, 1);
}

void HAL_UART_RxCpltCallback(UART_HandleTypeDef *handle)
{
    uint16_t next = (uint16_t)((ring.in + 1u) % RING);

    if (next != ring.out) {
        ring.bytes[ring.in] = received;
        ring.in = next;
    }
    (void)HAL_UART_Receive_IT(handle, &received, 1);
}

/* The HAL stops receiving at an overrun. That frame is lost, and the station repeats it; reception must restart for the next. */
void HAL_UART_ErrorCallback(UART_HandleTypeDef *handle)
{
    (void)HAL_UART_Receive_IT(handle, &received, 1);
}

void platform_uart_send(const uint8_t *bytes, size_t count)
{
    (void)HAL_UART_Transmit(uart, bytes, (uint16_t)count, HAL_MAX_DELAY);
}

/* The HAL's tick ends the sleep every millisecond, and then the loop checks the time. */
size_t platform_uart_receive(uint8_t *bytes, size_t room, uint32_t within_ms)
{
    uint32_t begun = HAL_GetTick();
    size_t count = 0;

    while (ring.out == ring.in && HAL_GetTick() - begun < within_ms)
        __asm__ volatile("wfi");
    for (; count < room && ring.out != ring.in; ring.out = (uint16_t)((ring.out + 1u) % RING))
        bytes[count++] = ring.bytes[ring.out];
    return count;
}

uint32_t platform_time_ms(void)
{
    return HAL_GetTick();
}

/* If the coprocessor runs, both of these need its semaphores: see ST's AN5289, and flash.c of the other port. */
static bool erase_record(void)
{
    FLASH_EraseInitTypeDef erase = {FLASH_TYPEERASE_PAGES, (RECORD - FLASH_START) / PAGE, 1};
    uint32_t page_error;
    bool is_erased;

    if (HAL_FLASH_Unlock() != HAL_OK)
        return false;
    is_erased = HAL_FLASHEx_Erase(&erase, &page_error) == HAL_OK;
    return HAL_FLASH_Lock() == HAL_OK && is_erased;
}

static bool write_record(uint32_t offset, const uint8_t *bytes, size_t count)
{
    bool is_written = HAL_FLASH_Unlock() == HAL_OK;

    for (size_t i = 0; i < count && is_written; i += DOUBLE_WORD) {
        uint64_t word;

        memcpy(&word, bytes + i, sizeof word);
        is_written = HAL_FLASH_Program(FLASH_TYPEPROGRAM_DOUBLEWORD, RECORD + offset + i, word) == HAL_OK;
    }
    return HAL_FLASH_Lock() == HAL_OK && is_written;
}

bool platform_flash_erase(enum platform_flash flash)
{
    if (flash == PLATFORM_RECORD)
        return erase_record();
    return BSP_QSPI_EraseBlock(0, FACTORY_DATA, S25FL128S_ERASE_64K) == BSP_ERROR_NONE;
}

bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count)
{
    uint8_t page[256]; /* BSP_QSPI_Write takes a pointer to non-const */

    if (flash == PLATFORM_RECORD)
        return write_record(offset, bytes, count);
    while (count > 0) {
        size_t part = count < sizeof page ? count : sizeof page;

        memcpy(page, bytes, part);
        if (BSP_QSPI_Write(0, page, FACTORY_DATA + offset, part) != BSP_ERROR_NONE)
            return false;
        offset += part;
        bytes += part;
        count -= part;
    }
    return true;
}

/* A failed read must not leave bytes that could be mistaken for data. */
void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count)
{
    if (flash == PLATFORM_RECORD)
        memcpy(bytes, (const uint8_t *)(RECORD + offset), count);
    else if (BSP_QSPI_Read(0, bytes, FACTORY_DATA + offset, count) != BSP_ERROR_NONE)
        memset(bytes, 0, count);
}

enum platform_secure platform_secure_store(const uint8_t private_key[32])
{
    return otCksDacInitialize(private_key) == 0 ? PLATFORM_SECURE_OK : PLATFORM_SECURE_REFUSED;
}

enum platform_secure platform_secure_sign(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                          uint8_t signature[64])
{
    return otCksDacSignature(message, length, public_key, signature) == 0 ? PLATFORM_SECURE_OK : PLATFORM_SECURE_REFUSED;
}
