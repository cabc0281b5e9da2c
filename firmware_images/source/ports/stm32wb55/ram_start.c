/* SPDX-License-Identifier: Apache-2.0 */
/* The start of an image in RAM. No reset comes before it: the programmer's loaders have used stack, clocks and QSPI. */

#include "cpu.h"
#include "port.h"
#include "registers.h"

#define START_UP_LOOPS 100000u
#define INTERRUPT_WORDS 2u

void ram_entry(void);
void ram_start(void);
void reset(void);

/* The probe starts the core here. Its stack pointer may still be that of a loader, whose stack lies in this image's memory. */
__attribute__((naked)) void ram_entry(void)
{
    __asm__ volatile("cpsid i\n\tldr r0, =stack_top\n\tmov sp, r0\n\tbl ram_start\n\tb reset\n\t.ltorg");
}

static void comes(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t loops = START_UP_LOOPS; loops > 0 && (*reg & mask) != value; loops--)
        ;
}

static void pulse(volatile uint32_t *reg, uint32_t mask)
{
    *reg |= mask;
    *reg &= ~mask;
}

/* Brings what this image uses into the state of a reset. What the coprocessor shares (HSEM, IPCC, its power) stays. */
void ram_start(void)
{
    SYST_CSR = 0;
    MPU_CTRL = 0;
    SCB_CCR &= ~SCB_CCR_UNALIGN_TRP;
    SCB_SCR &= ~SCB_SCR_SLEEPDEEP;
    RCC_AHB1SMENR |= RCC_AHB1SMENR_DMA1 | RCC_AHB1SMENR_DMAMUX1 | RCC_AHB1SMENR_SRAM1;
    for (uint32_t word = 0; word < INTERRUPT_WORDS; word++) {
        NVIC_ICER(word) = 0xFFFFFFFFu;
        NVIC_ICPR(word) = 0xFFFFFFFFu;
    }
    RCC_CR |= RCC_CR_MSION;
    comes(&RCC_CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY);
    RCC_CFGR &= ~RCC_CFGR_SW;
    comes(&RCC_CFGR, RCC_CFGR_SWS, 0);
    RCC_CR &= ~RCC_CR_PLLON;
    comes(&RCC_CR, RCC_CR_PLLRDY, 0);
    pulse(&RCC_AHB1RSTR, RCC_AHB1RSTR_DMA1 | RCC_AHB1RSTR_DMAMUX1);
    pulse(&RCC_AHB3RSTR, RCC_AHB3RSTR_QUADSPI | RCC_AHB3RSTR_PKA | RCC_AHB3RSTR_RNG);
    pulse(&RCC_APB1RSTR1, RCC_APB1RSTR1_TIM2);
    pulse(&RCC_APB2RSTR, RCC_APB2RSTR_USART1);
    cpu_interrupts_on();
}
