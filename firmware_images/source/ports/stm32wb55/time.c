/* SPDX-License-Identifier: Apache-2.0 */
/* Time without a tick: TIM2 counts milliseconds, and interrupts only when a caller has requested it. */

#include "platform.h"
#include "port.h"
#include "registers.h"

void time_interrupt(void);

void time_start(void)
{
    feed(&RCC_APB1ENR1, RCC_APB1ENR1_TIM2);
    TIM2_PSC = PORT_CLOCK_HZ / 1000u - 1u;
    TIM2_ARR = UINT32_MAX;
    TIM2_EGR = TIM2_EGR_UG; /* loads the prescaler */
    TIM2_SR = 0;
    TIM2_CR1 = TIM2_CR1_CEN;
    NVIC_ISER(IRQ_TIM2 / 32u) = BIT(IRQ_TIM2 % 32u);
}

uint32_t time_ms(void)
{
    return TIM2_CNT;
}

uint32_t platform_time_ms(void)
{
    return time_ms();
}

void time_wake_at(uint32_t ms)
{
    TIM2_SR = ~TIM2_SR_CC1IF;
    TIM2_CCR1 = ms;
    TIM2_DIER = TIM2_DIER_CC1IE;
}

bool time_is_over(uint32_t begun, uint32_t within_ms)
{
    return time_ms() - begun >= within_ms;
}

void time_interrupt(void)
{
    TIM2_DIER = 0;
    TIM2_SR = ~TIM2_SR_CC1IF;
}
