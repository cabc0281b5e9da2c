/* SPDX-License-Identifier: Apache-2.0 */
/* ST's factory data: records of tag, length and value, ended by a magic word; see docs/firmware.md. */

#ifndef AGENT_FACTORY_DATA_H
#define AGENT_FACTORY_DATA_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

#define AGENT_DATA_BLOCK 16384u       /* the part of the sector that ST's firmware reads and rewrites */
#define AGENT_DATA_VALUE_MAX 602u     /* ST's reader stops at a longer value */
#define AGENT_CERTIFICATE_MAX 600u    /* the size of ST's buffer for a DAC or PAI */

enum agent_tag {
    AGENT_TAG_DAC = 3,
    AGENT_TAG_PAI = 4,
    AGENT_TAG_PRIVATE_KEY = 5,
    AGENT_TAG_PUBLIC_KEY = 6,
    AGENT_TAG_VENDOR_ID = 22,
    AGENT_TAG_PRODUCT_ID = 24,
    AGENT_TAG_SERIAL_NUMBER = 25,
};

/* The place of a value. Length 0 means that there is no value, since a value has at least one byte. */
struct agent_item {
    uint16_t offset;
    uint16_t length;
};

struct agent_data {
    uint16_t end; /* offset of the magic word */
    struct agent_item dac, private_key, public_key, vendor_id, product_id, serial_number;
};

struct agent_record {
    enum agent_tag tag;
    const uint8_t *value;
    uint16_t length;
};

/* Reads the list to its end. After a mistake `data` still has the records before it, as ST's reader would. */
enum agent_status agent_data_read(struct agent_data *data);

void agent_data_value(struct agent_item item, uint8_t *value);

/* Appends records to the existing ones: erases the sector, programs the list, and reads the whole block back. */
enum agent_status agent_data_append(const struct agent_data *data, const struct agent_record *records, size_t count);

#endif
