/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the core that C cannot express. */

#ifndef PORT_CPU_H
#define PORT_CPU_H

static inline void cpu_interrupts_off(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void cpu_interrupts_on(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* Sleeps until an interrupt is pending, even a masked one. */
static inline void cpu_sleep(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

/* Completes all earlier writes to memory before any later one. */
static inline void cpu_barrier(void)
{
    __asm__ volatile("dmb" ::: "memory");
}

#endif
