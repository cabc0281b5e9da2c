/* SPDX-License-Identifier: Apache-2.0 */
/* The provisioning firmware: only the agent. */

#include "agent.h"
#include "key.h"
#include "port.h"
#include "version.h"

int main(void);

int main(void)
{
    port_start();
    if (AGENT_SECURE)
        coprocessor_start();
    agent_start(PORT_UID, IMAGE_VERSION);
    for (;;)
        agent_step();
}
