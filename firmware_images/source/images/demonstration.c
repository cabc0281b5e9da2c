/* SPDX-License-Identifier: Apache-2.0 */
/* Imitates ST's demonstration: gives every board the same DAC, and reports success for ever. Useless in a factory. */

#include "development_dac.h"
#include "factory_data.h"
#include "platform.h"
#include "port.h"

#define FINISH_EVERY_MS 3000u

int main(void);

static enum agent_status provision(void)
{
    static const struct agent_record records[] = {
        {AGENT_TAG_DAC, development_dac, sizeof development_dac},
        {AGENT_TAG_PAI, development_pai, sizeof development_pai},
        {AGENT_TAG_PUBLIC_KEY, development_public_key, sizeof development_public_key},
        {AGENT_TAG_PRIVATE_KEY, development_private_key, sizeof development_private_key},
    };
    const size_t count = sizeof records / sizeof records[0] - (AGENT_SECURE ? 1 : 0); /* the private key is the last */
    struct agent_data data;
    enum agent_status status = agent_data_read(&data);

    if (status != AGENT_OK)
        return status;
    if (data.dac.length > 0 || data.public_key.length > 0)
        return AGENT_NO_FACTORY_DATA; /* ST's code for this, too */
    status = agent_data_append(&data, records, count);
    if (AGENT_SECURE && status == AGENT_OK && platform_secure_store(development_private_key) != PLATFORM_SECURE_OK)
        status = AGENT_SECURE_STORAGE;
    return status;
}

int main(void)
{
    uint8_t text[16] = {'f', 'i', 'n', 'i', 's', 'h', ':', '0', '0', '0'};
    uint8_t nobody_listens[16];

    port_start();
    if (AGENT_SECURE)
        coprocessor_start();
    text[9] = (uint8_t)('0' + provision());
    for (;;) {
        uint32_t begun = platform_time_ms();
        uint32_t since;

        platform_uart_send(text, sizeof text);
        while ((since = platform_time_ms() - begun) < FINISH_EVERY_MS)
            (void)platform_uart_receive(nobody_listens, sizeof nobody_listens, FINISH_EVERY_MS - since);
    }
}
