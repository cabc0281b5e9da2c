/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the STM32WB55 port, and how each is started. The pins are those of the STM32WB5MM-DK. */

#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_CLOCK_HZ 64000000u /* of the core and of every bus */

#define PORT_FACTORY_DATA 0x001C0000u /* in the QSPI flash: 0x901C0000 */
#define PORT_RECORD 0x08093000u       /* above every application, below the coprocessor */
#define PORT_UID ((const uint8_t *)0x1FFF7590u)

/* Where the image is linked to, and so its vectors: by link.ld in flash, by link-ram.ld in SRAM1. */
#ifndef PORT_IN_RAM
#define PORT_IN_RAM 0
#endif
#if PORT_IN_RAM
#define PORT_VECTORS 0x20000000u
#else
#define PORT_VECTORS 0x08000000u
#endif

/* Starts all parts, in the order of their dependencies. */
void port_start(void);

void clock_start(void);
void time_start(void);
void uart_start(void);
void qspi_start(void);
void coprocessor_start(void);

uint32_t time_ms(void);
/* Requests an interrupt at this time, which ends sleep. */
void time_wake_at(uint32_t ms);
/* Whether that much time has passed; for loops that must end even if the hardware is dead. */
bool time_is_over(uint32_t begun, uint32_t within_ms);

/* Takes a semaphore that the coprocessor also uses. False if it was not free within a second. */
bool semaphore_take(unsigned number);
void semaphore_release(unsigned number);

#define SEMAPHORE_RNG 0u
#define SEMAPHORE_PKA 1u
#define SEMAPHORE_FLASH 2u
#define SEMAPHORE_FLASH_OPERATION 7u /* the coprocessor takes it while it must not be delayed */

bool qspi_erase_sector(uint32_t address);
bool qspi_write(uint32_t address, const uint8_t *bytes, size_t count);
void qspi_read(uint32_t address, uint8_t *bytes, size_t count);

bool flash_erase_page(uint32_t address);
bool flash_write(uint32_t address, const uint8_t *bytes, size_t count);

#endif
