/* SPDX-License-Identifier: Apache-2.0 */
#include "factory_data.h"

#include "bytes.h"
#include "platform.h"

#include <string.h>

#define MAGIC 0xACACACACu
#define ERASED UINT32_MAX
#define HEADER 8u /* tag and length */
#define LENGTH_AT 4u
#define PAGE 256u /* the QSPI flash's unit of programming */

static struct agent_item *wanted(struct agent_data *data, uint32_t tag)
{
    switch (tag) {
    case AGENT_TAG_DAC:
        return &data->dac;
    case AGENT_TAG_PRIVATE_KEY:
        return &data->private_key;
    case AGENT_TAG_PUBLIC_KEY:
        return &data->public_key;
    case AGENT_TAG_VENDOR_ID:
        return &data->vendor_id;
    case AGENT_TAG_PRODUCT_ID:
        return &data->product_id;
    case AGENT_TAG_SERIAL_NUMBER:
        return &data->serial_number;
    default:
        return NULL;
    }
}

enum agent_status agent_data_read(struct agent_data *data)
{
    uint32_t at = 0;

    memset(data, 0, sizeof *data);
    while (at + 4 <= AGENT_DATA_BLOCK) { /* the magic word without a length may be the block's last word */
        uint8_t header[HEADER];
        uint32_t tag, length;
        struct agent_item *item;

        platform_flash_read(PLATFORM_FACTORY_DATA, at, header, sizeof header);
        tag = agent_get32(header);
        length = agent_get32(header + LENGTH_AT);
        if (tag == MAGIC) { /* any length: the PC tool writes none */
            data->end = (uint16_t)at;
            return AGENT_OK;
        }
        if (tag == ERASED)
            return AGENT_NO_FACTORY_DATA;
        if (length == 0 || length > AGENT_DATA_VALUE_MAX)
            return AGENT_PARAMETER;
        if (at + HEADER + length > AGENT_DATA_BLOCK)
            return AGENT_NO_FACTORY_DATA;
        item = wanted(data, tag);
        if (item != NULL && item->length == 0) /* of a repeated tag, the first record counts */
            *item = (struct agent_item){.offset = (uint16_t)(at + HEADER), .length = (uint16_t)length};
        at += HEADER + length;
    }
    return AGENT_NO_FACTORY_DATA;
}

void agent_data_value(struct agent_item item, uint8_t *value)
{
    platform_flash_read(PLATFORM_FACTORY_DATA, item.offset, value, item.length);
}

static void put_header(uint8_t *at, uint32_t tag, uint32_t length)
{
    agent_put32(at, tag);
    agent_put32(at + LENGTH_AT, length);
}

/*
 * Writes the list's pages; the sector is erased behind them. Writes the first record's header last, in a separate
 * operation: until then no reader can mistake the sector for a list.
 */
static bool program(const uint8_t *block, size_t size)
{
    for (uint32_t at = (uint32_t)(size - 1) / PAGE * PAGE; at > 0; at -= PAGE)
        if (!platform_flash_write(PLATFORM_FACTORY_DATA, at, block + at, PAGE))
            return false;
    return platform_flash_write(PLATFORM_FACTORY_DATA, HEADER, block + HEADER, PAGE - HEADER) &&
           platform_flash_write(PLATFORM_FACTORY_DATA, 0, block, HEADER);
}

static bool stands(const uint8_t *block)
{
    for (uint32_t at = 0; at < AGENT_DATA_BLOCK; at += PAGE) {
        uint8_t page[PAGE];

        platform_flash_read(PLATFORM_FACTORY_DATA, at, page, sizeof page);
        if (memcmp(page, block + at, sizeof page) != 0)
            return false;
    }
    return true;
}

static enum agent_status rewrite(const uint8_t *block, size_t size)
{
    static const uint8_t no_length[4]; /* at which every reader gives up */

    /* Overwrites the first record's header with zeros, so that an erase cut off by a power loss cannot pass for a list. */
    if (!platform_flash_write(PLATFORM_FACTORY_DATA, LENGTH_AT, no_length, sizeof no_length) ||
        !platform_flash_erase(PLATFORM_FACTORY_DATA) || !program(block, size) || !stands(block))
        return AGENT_FLASH;
    return AGENT_OK;
}

enum agent_status agent_data_append(const struct agent_data *data, const struct agent_record *records, size_t count)
{
    static uint8_t block[AGENT_DATA_BLOCK];
    size_t size = data->end;
    enum agent_status status;

    for (size_t i = 0; i < count; i++)
        size += HEADER + records[i].length;
    if (size + HEADER > sizeof block)
        return AGENT_TOO_SMALL;

    platform_flash_read(PLATFORM_FACTORY_DATA, 0, block, data->end);
    size = data->end;
    for (size_t i = 0; i < count; i++) {
        put_header(block + size, records[i].tag, records[i].length);
        memcpy(block + size + HEADER, records[i].value, records[i].length);
        size += HEADER + records[i].length;
    }
    put_header(block + size, MAGIC, ERASED);
    size += HEADER;
    memset(block + size, 0xFF, sizeof block - size);

    status = rewrite(block, size);
    agent_wipe(block, size); /* tag 5 was in it */
    return status;
}
