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

/* Sleeps until an interrupt is pending, even one that is kept off. */
static inline void cpu_sleep(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

/* What was written before is in memory before what is written after. */
static inline void cpu_barrier(void)
{
    __asm__ volatile("dmb" ::: "memory");
}

#endif
