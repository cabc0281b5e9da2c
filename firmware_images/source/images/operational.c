/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for a product's firmware: reads its factory data as ST's reader does, sends its identity, and proves it.

   It signs with the key that an attestation would use: tag 5 if it is there, else the one in secure storage. */

#include "bytes.h"
#include "certificate.h"
#include "factory_data.h"
#include "frames.h"
#include "platform.h"
#include "port.h"
#include "sha256.h"

#include <stdbool.h>
#include <string.h>

#define PROVE 4u
#define ANSWER 0x80u
#define REFUSED 0xFFu
#define NONCE_SIZE 32u
#define HEADER 2u /* of a body: type and number */
#define SAY_EVERY_MS 500u
#define SERIAL_NUMBER_MAX 64u

int main(void);

static const uint8_t context[27] = "matter provisioning link v1"; /* without its NUL */

static struct {
    uint8_t bytes[160];
    size_t length;
} line;

static void put(const void *text, size_t length)
{
    memcpy(line.bytes + line.length, text, length);
    line.length += length;
}

static void put_hex(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        line.bytes[line.length++] = (uint8_t)"0123456789ABCDEF"[bytes[i] >> 4];
        line.bytes[line.length++] = (uint8_t)"0123456789ABCDEF"[bytes[i] & 15];
    }
}

static void put_id(const char *name, struct agent_item item)
{
    uint8_t id[2];

    agent_data_value(item, id);
    put(name, 5);
    put_hex(&id[1], 1);
    put_hex(&id[0], 1);
}

/* The value may include a C string's NUL. */
static size_t text_length(const uint8_t *text, size_t size)
{
    size_t length = 0;

    while (length < size && text[length] != 0)
        length++;
    return length;
}

static enum agent_status put_identity(const struct agent_data *data)
{
    uint8_t dac[AGENT_CERTIFICATE_MAX], serial_number[SERIAL_NUMBER_MAX];
    struct agent_certificate certificate;

    if (data->vendor_id.length != 2 || data->product_id.length != 2 || data->dac.length > sizeof dac ||
        data->serial_number.length > sizeof serial_number)
        return AGENT_PARAMETER;
    agent_data_value(data->dac, dac);
    if (agent_certificate_read(&certificate, dac, data->dac.length) != AGENT_OK ||
        certificate.serial_number_length > 21)
        return AGENT_PARAMETER;
    agent_data_value(data->serial_number, serial_number);
    put_id(" VID=", data->vendor_id);
    put_id(" PID=", data->product_id);
    put(" DAC=", 5);
    put_hex(certificate.serial_number, certificate.serial_number_length);
    put(" SN=", 4);
    put(serial_number, text_length(serial_number, data->serial_number.length));
    return AGENT_OK;
}

/* Each look-up of ST's reader begins at the front, so a broken record hides only the records after it. */
static void compose_line(const struct agent_data *data, enum agent_status walked)
{
    enum agent_status status = AGENT_OK;

    put("operational", 11);
    if (data->vendor_id.length == 0 || data->product_id.length == 0 || data->dac.length == 0 ||
        data->public_key.length == 0 || data->serial_number.length == 0)
        status = walked == AGENT_OK ? AGENT_NO_FACTORY_DATA : walked;
    if (status == AGENT_OK)
        status = put_identity(data);
    if (status != AGENT_OK) {
        uint8_t digit = (uint8_t)('0' + status);

        put(" fault=", 7);
        put(&digit, 1);
    }
    put("\r\n", 2);
}

static enum agent_status sign(const struct agent_data *data, const uint8_t *message, size_t length,
                              uint8_t signature[64])
{
    uint8_t private_key[32], public_key[65], hash[AGENT_SHA256_SIZE];
    bool is_signed;

    if (data->private_key.length == sizeof private_key) {
        agent_data_value(data->private_key, private_key);
        agent_sha256(message, length, hash);
        is_signed = platform_p256_sign(private_key, hash, signature);
        agent_wipe(private_key, sizeof private_key);
        return is_signed ? AGENT_OK : AGENT_CRYPTO;
    }
    if (data->public_key.length != sizeof public_key)
        return AGENT_NO_KEY;
    agent_data_value(data->public_key, public_key);
    return platform_secure_sign(public_key, message, length, signature) == PLATFORM_SECURE_OK ? AGENT_OK
                                                                                              : AGENT_SECURE_STORAGE;
}

static void answer(const struct agent_data *data, const uint8_t *question, size_t length)
{
    uint8_t message[sizeof context + NONCE_SIZE], body[HEADER + 64], frame[AGENT_FRAME_SIZE(sizeof body)];
    enum agent_status status = AGENT_UNKNOWN_QUESTION;
    size_t answered = sizeof body;

    body[0] = PROVE | ANSWER;
    body[1] = question[1];
    if (question[0] == PROVE) {
        status = AGENT_PARAMETER;
        if (length == HEADER + NONCE_SIZE) {
            memcpy(message, context, sizeof context);
            memcpy(message + sizeof context, question + HEADER, NONCE_SIZE);
            status = sign(data, message, sizeof message, body + HEADER);
        }
    }
    if (status != AGENT_OK) {
        body[0] = REFUSED;
        body[HEADER] = (uint8_t)status;
        answered = HEADER + 1;
    }
    platform_uart_send(frame, agent_frame_encode(frame, body, answered));
}

/* Receives for some time; true if a question came. */
static bool listen(const struct agent_data *data, uint32_t within_ms)
{
    static struct agent_frame_reader reader;
    uint8_t bytes[64];
    size_t count = platform_uart_receive(bytes, sizeof bytes, within_ms);
    bool was_asked = false;

    for (size_t i = 0; i < count; i++) {
        size_t length = agent_frame_feed(&reader, bytes[i]);

        if (length >= HEADER && reader.body[0] < ANSWER && reader.body[1] != 0) {
            answer(data, reader.body, length);
            was_asked = true;
        }
    }
    return was_asked;
}

static void announce(const struct agent_data *data)
{
    for (;;) {
        uint32_t begun = platform_time_ms();
        uint32_t since;

        platform_uart_send(line.bytes, line.length);
        while ((since = platform_time_ms() - begun) < SAY_EVERY_MS)
            if (listen(data, SAY_EVERY_MS - since))
                return;
    }
}

int main(void)
{
    struct agent_data data;

    port_start();
    coprocessor_start();
    compose_line(&data, agent_data_read(&data));
    announce(&data);
    for (;;)
        (void)listen(&data, UINT32_MAX);
}
