/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include "bytes.h"
#include "certificate.h"
#include "csr.h"
#include "factory_data.h"
#include "frames.h"
#include "key.h"
#include "platform.h"
#include "sha256.h"
#include "status.h"

#include <stdbool.h>
#include <string.h>

#define PROTOCOL 1u
#define ANSWER 0x80u
#define REFUSED 0xFFu
#define UNASKED 0u
#define NONCE_SIZE 32u
#define HELLO_EVERY_MS 500u
#define FINISH_EVERY_MS 3000u
#define HEADER 2u /* of a body: type and number */
#define BODY_MAX (HEADER + AGENT_CSR_MAX)

enum question { HELLO = 1, MAKE_CSR = 2, STORE = 3, PROVE = 4 };

enum subject { WITHOUT_NAME = 0, SERIAL_NUMBER = 1 }; /* the request's common name */

enum unasked { NOTHING, SAY_HELLO, SAY_FINISH };

/* Builds an answer's payload, without type and number. */
struct payload {
    uint8_t *bytes;
    size_t length;
};

static struct {
    uint8_t uid[AGENT_UID_SIZE];
    const char *version;
    struct agent_frame_reader reader;
    enum unasked unasked; /* the HELLO that the board repeats until the first question */
    uint32_t said_at;
    enum agent_status finish;
} agent;

static const uint8_t context[27] = "matter provisioning link v1"; /* without its NUL */

static void put(struct payload *payload, const void *bytes, size_t count)
{
    memcpy(payload->bytes + payload->length, bytes, count);
    payload->length += count;
}

static void put8(struct payload *payload, unsigned byte)
{
    payload->bytes[payload->length++] = (uint8_t)byte;
}

static void send(const uint8_t *body, size_t length)
{
    static uint8_t frame[AGENT_FRAME_SIZE(BODY_MAX)];

    platform_uart_send(frame, agent_frame_encode(frame, body, length));
}

static enum agent_status answer_hello(struct payload *answer)
{
    struct agent_data data;
    uint8_t public_key[65];
    size_t length = 0;
    bool is_provisioned = agent_data_read(&data) == AGENT_OK && data.dac.length > 0;

    while (length < AGENT_VERSION_MAX && agent.version[length] != '\0')
        length++;
    put8(answer, PROTOCOL);
    put8(answer, AGENT_SECURE);
    put8(answer, is_provisioned ? 2 : agent_key_load(&data, public_key) == AGENT_OK ? 1 : 0);
    put(answer, agent.uid, sizeof agent.uid);
    put(answer, agent.version, length);
    return AGENT_OK;
}

static uint16_t id(struct agent_item item)
{
    uint8_t bytes[2];

    agent_data_value(item, bytes);
    return agent_get16(bytes);
}

/* Reads the serial number, without the NUL that some recipes put behind it. */
static enum agent_status read_name(struct agent_item item, uint8_t name[AGENT_CSR_NAME_MAX + 1], size_t *length)
{
    if (item.length == 0)
        return AGENT_NO_FACTORY_DATA;
    if (item.length > AGENT_CSR_NAME_MAX + 1)
        return AGENT_PARAMETER;
    agent_data_value(item, name);
    *length = item.length;
    if (name[*length - 1] == 0)
        --*length;
    return *length == 0 || *length > AGENT_CSR_NAME_MAX ? AGENT_PARAMETER : AGENT_OK;
}

static enum agent_status answer_make_csr(const uint8_t *payload, size_t length, struct payload *answer)
{
    struct agent_data data;
    struct agent_csr_subject subject = {.name_length = 0};
    uint8_t public_key[65], name[AGENT_CSR_NAME_MAX + 1], body[AGENT_CSR_BODY_MAX], signature[64];
    size_t size;
    enum agent_status status = agent_data_read(&data);

    if (length > 1 || (length == 1 && payload[0] > SERIAL_NUMBER))
        return AGENT_PARAMETER;
    if (status != AGENT_OK)
        return status;
    if (data.vendor_id.length == 0 || data.product_id.length == 0)
        return AGENT_NO_FACTORY_DATA;
    if (data.vendor_id.length != 2 || data.product_id.length != 2)
        return AGENT_PARAMETER;
    if (length == 1 && payload[0] == SERIAL_NUMBER) {
        subject.common_name = name;
        status = read_name(data.serial_number, name, &subject.name_length);
        if (status != AGENT_OK)
            return status;
    }
    status = agent_key_make(&data, public_key);
    if (status != AGENT_OK)
        return status;
    subject.vendor_id = id(data.vendor_id);
    subject.product_id = id(data.product_id);
    size = agent_csr_body(body, &subject, public_key);
    status = agent_key_sign(&data, body, size, signature);
    if (status != AGENT_OK)
        return status;
    answer->length += agent_csr(answer->bytes + answer->length, body, size, signature);
    return AGENT_OK;
}

/* Takes a length and the certificate after it from the front of a payload. */
static bool take_certificate(const uint8_t **payload, size_t *left, struct agent_record *record)
{
    uint16_t length;

    if (*left < 2)
        return false;
    length = agent_get16(*payload);
    if (length == 0 || length > AGENT_CERTIFICATE_MAX || length > *left - 2)
        return false;
    record->value = *payload + 2;
    record->length = length;
    *payload += 2 + length;
    *left -= 2u + length;
    return true;
}

/* Checks that the DAC names the board's key, and that the PAI has signed it. */
static enum agent_status check_certificates(const struct agent_record *dac, const struct agent_record *pai,
                                            const uint8_t public_key[65])
{
    struct agent_certificate leaf, issuer;
    uint8_t hash[AGENT_SHA256_SIZE];
    bool valid;

    if (agent_certificate_read(&leaf, dac->value, dac->length) != AGENT_OK ||
        agent_certificate_read(&issuer, pai->value, pai->length) != AGENT_OK)
        return AGENT_PARAMETER;
    if (leaf.public_key == NULL || memcmp(leaf.public_key, public_key, 65) != 0)
        return AGENT_NOT_MY_KEY;
    if (!leaf.is_ecdsa_sha256 || issuer.public_key == NULL)
        return AGENT_PARAMETER;
    agent_sha256(leaf.body, leaf.body_length, hash);
    if (!platform_p256_verify(issuer.public_key, hash, leaf.signature, &valid))
        return AGENT_CRYPTO;
    return valid ? AGENT_OK : AGENT_PARAMETER;
}

static bool stands_as(struct agent_item item, const uint8_t *value, size_t length)
{
    uint8_t stored[AGENT_CERTIFICATE_MAX];

    if (item.length != length)
        return false;
    agent_data_value(item, stored);
    return memcmp(stored, value, length) == 0;
}

/* For a DAC that is already stored: the same DAC with its key counts as stored; any other is refused. */
static enum agent_status check_stored(const struct agent_data *data, const struct agent_record *dac,
                                      const uint8_t public_key[65])
{
    bool is_whole = stands_as(data->dac, dac->value, dac->length) && stands_as(data->public_key, public_key, 65) &&
                    (AGENT_SECURE || data->private_key.length == 32);

    return is_whole ? AGENT_OK : AGENT_OTHER_DAC;
}

static enum agent_status append(const struct agent_data *data, const struct agent_record *dac,
                                const struct agent_record *pai, const uint8_t public_key[65])
{
    uint8_t private_key[32];
    struct agent_record records[] = {
        *dac,
        *pai,
        {AGENT_TAG_PUBLIC_KEY, public_key, 65},
        {AGENT_TAG_PRIVATE_KEY, private_key, sizeof private_key},
    };
    enum agent_status status;

    if (AGENT_SECURE)
        return agent_data_append(data, records, 3);
    status = agent_key_private(data, private_key);
    if (status == AGENT_OK)
        status = agent_data_append(data, records, 4);
    agent_wipe(private_key, sizeof private_key);
    return status;
}

static enum agent_status store(const uint8_t *payload, size_t length)
{
    struct agent_record dac = {.tag = AGENT_TAG_DAC}, pai = {.tag = AGENT_TAG_PAI};
    struct agent_data data;
    uint8_t public_key[65];
    enum agent_status readable = agent_data_read(&data);
    enum agent_status status;

    if (!take_certificate(&payload, &length, &dac) || !take_certificate(&payload, &length, &pai) || length != 0)
        return AGENT_PARAMETER;
    status = agent_key_load(&data, public_key);
    if (status == AGENT_OK)
        status = readable;
    if (status == AGENT_OK)
        status = check_certificates(&dac, &pai, public_key);
    if (status == AGENT_OK)
        status = data.dac.length > 0 ? check_stored(&data, &dac, public_key) : append(&data, &dac, &pai, public_key);
    if (status == AGENT_OK && !AGENT_SECURE)
        status = agent_key_forget_private();
    return status;
}

static enum agent_status answer_prove(const uint8_t *nonce, size_t length, struct payload *answer)
{
    struct agent_data data;
    uint8_t message[sizeof context + NONCE_SIZE];
    enum agent_status status;

    if (length != NONCE_SIZE)
        return AGENT_PARAMETER;
    (void)agent_data_read(&data); /* since the record has the key, the old list need not be readable */
    memcpy(message, context, sizeof context);
    memcpy(message + sizeof context, nonce, NONCE_SIZE);
    status = agent_key_sign(&data, message, sizeof message, answer->bytes + answer->length);
    if (status == AGENT_OK)
        answer->length += 64;
    return status;
}

static enum agent_status answer_to(unsigned question, const uint8_t *payload, size_t length, struct payload *answer)
{
    switch (question) {
    case HELLO:
        return answer_hello(answer);
    case MAKE_CSR:
        return answer_make_csr(payload, length, answer);
    case STORE:
        agent.finish = store(payload, length);
        put8(answer, AGENT_OK);
        return agent.finish;
    case PROVE:
        return answer_prove(payload, length, answer);
    default:
        return AGENT_UNKNOWN_QUESTION;
    }
}

/* As ST's firmware sends it: ten characters, a NUL, and padding to sixteen bytes. */
static void say_finish(void)
{
    uint8_t text[16] = {'f', 'i', 'n', 'i', 's', 'h', ':', '0', '0', '0'};

    text[8] = (uint8_t)('0' + agent.finish / 10);
    text[9] = (uint8_t)('0' + agent.finish % 10);
    platform_uart_send(text, sizeof text);
}

static void say_hello(void)
{
    uint8_t body[BODY_MAX] = {HELLO | ANSWER, UNASKED};
    struct payload payload = {body + HEADER, 0};

    (void)answer_hello(&payload);
    send(body, HEADER + payload.length);
}

static void speak_unasked(void)
{
    if (agent.unasked == SAY_HELLO)
        say_hello();
    else if (agent.unasked == SAY_FINISH)
        say_finish();
    agent.said_at = platform_time_ms();
}

static void answer_question(const uint8_t *question, size_t length)
{
    uint8_t body[BODY_MAX];
    struct payload answer = {body + HEADER, 0};
    enum agent_status status;

    if (length < HEADER || question[0] >= ANSWER || question[1] == UNASKED)
        return; /* an answer, perhaps our own echoed, and not a question */
    agent.unasked = NOTHING;
    body[0] = (uint8_t)(question[0] | ANSWER);
    body[1] = question[1];
    status = answer_to(question[0], question + HEADER, length - HEADER, &answer);
    if (status != AGENT_OK) {
        body[0] = REFUSED;
        answer.length = 0;
        put8(&answer, status);
    }
    send(body, HEADER + answer.length);
    if (question[0] == STORE) {
        agent.unasked = SAY_FINISH;
        speak_unasked();
    }
}

void agent_start(const uint8_t uid[AGENT_UID_SIZE], const char *version)
{
    memset(&agent, 0, sizeof agent);
    memcpy(agent.uid, uid, sizeof agent.uid);
    agent.version = version;
    agent.unasked = SAY_HELLO;
    speak_unasked();
}

static uint32_t time_to_wait(void)
{
    uint32_t every = agent.unasked == SAY_HELLO ? HELLO_EVERY_MS : FINISH_EVERY_MS;
    uint32_t since = platform_time_ms() - agent.said_at;

    if (agent.unasked == NOTHING)
        return UINT32_MAX;
    return since < every ? every - since : 0;
}

void agent_step(void)
{
    uint8_t bytes[64];
    size_t count = platform_uart_receive(bytes, sizeof bytes, time_to_wait());

    for (size_t i = 0; i < count; i++) {
        size_t length = agent_frame_feed(&agent.reader, bytes[i]);

        if (length > 0)
            answer_question(agent.reader.body, length);
    }
    if (agent.unasked != NOTHING && time_to_wait() == 0)
        speak_unasked();
}
