/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"
#include "registers.h"

#define WITHIN_MS 1000u

bool semaphore_take(unsigned number)
{
    uint32_t begun = time_ms();

    while (HSEM_RLR(number) != HSEM_RLR_OURS)
        if (time_is_over(begun, WITHIN_MS))
            return false;
    return true;
}

void semaphore_release(unsigned number)
{
    HSEM_R(number) = HSEM_R_RELEASE;
}
