/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main: vectors, memory. After a failure the core stops silently, and a probe can inspect it. */

#include "cpu.h"
#include "port.h"
#include "registers.h"

#include <stdint.h>

extern uint32_t stack_top[], data_start[], data_end[], bss_start[], bss_end[], shared_start[], shared_end[];
extern const uint32_t data_load[];

int main(void);
void reset(void);
void ram_entry(void);
void time_interrupt(void);
void uart_interrupt(void);

static void stop(void)
{
    cpu_interrupts_off();
    for (;;)
        cpu_sleep();
}

/* An interrupted erase or write can leave words with an invalid ECC. The readers of such words check a CRC. */
static void non_maskable(void)
{
    if ((FLASH_ECCR & FLASH_ECCR_ECCD) == 0)
        stop();
    FLASH_ECCR = FLASH_ECCR_ECCD;
}

static void clear(uint32_t *from, const uint32_t *to)
{
    while (from < to)
        *from++ = 0;
}

void reset(void)
{
    const uint32_t *from = data_load;

    for (uint32_t *to = data_start; to < data_end; to++)
        *to = *from++;
    clear(bss_start, bss_end);
    clear(shared_start, shared_end);
    SCB_VTOR = PORT_VECTORS;
    (void)main();
    stop();
}

typedef void (*vector)(void);

#define INTERRUPTS 63

__attribute__((section(".vectors"), used)) static const union {
    vector entry;
    const uint32_t *stack;
} vectors[16 + INTERRUPTS] = {
    [0].stack = stack_top,
    [1].entry = PORT_IN_RAM ? ram_entry : reset,
    [2].entry = non_maskable,
    [3 ... 15].entry = stop,
    [16 ... 16 + IRQ_TIM2 - 1].entry = stop,
    [16 + IRQ_TIM2].entry = time_interrupt,
    [16 + IRQ_TIM2 + 1 ... 16 + IRQ_USART1 - 1].entry = stop,
    [16 + IRQ_USART1].entry = uart_interrupt,
    [16 + IRQ_USART1 + 1 ... 16 + INTERRUPTS - 1].entry = stop,
};
