/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's hooks that depend on the memory map of this board. */

#include "platform.h"
#include "port.h"

#include <string.h>

void port_start(void)
{
    clock_start();
    time_start();
    uart_start();
    qspi_start();
}

bool platform_flash_erase(enum platform_flash flash)
{
    return flash == PLATFORM_RECORD ? flash_erase_page(PORT_RECORD) : qspi_erase_sector(PORT_FACTORY_DATA);
}

bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count)
{
    return flash == PLATFORM_RECORD ? flash_write(PORT_RECORD + offset, bytes, count)
                                    : qspi_write(PORT_FACTORY_DATA + offset, bytes, count);
}

void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count)
{
    if (flash == PLATFORM_RECORD)
        memcpy(bytes, (const uint8_t *)(PORT_RECORD + offset), count);
    else
        qspi_read(PORT_FACTORY_DATA + offset, bytes, count);
}
