/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include "bytes.h"
#include "frames.h"
#include "platform.h"
#include "scalar.h"
#include "sha256.h"

#include <string.h>

/* The record. Its groups are whole double words, the flash's unit of programming; it is valid once HEAD is written. */
#define HEAD_AT 0u    /* magic, key storage */
#define CHECK_AT 8u   /* CRC-32 of the public key */
#define PUBLIC_AT 16u /* 65 bytes */
#define PRIVATE_AT 88u
#define PRIVATE_CHECK_AT 120u /* CRC-32 of the private key */
#define CONFIRMED_AT 128u     /* zeros once secure storage is known to hold the private key */
#define RECORD_SIZE 136u

#define STORAGE_AT 4u /* AGENT_SECURE of the firmware that wrote it */
#define IN_SECURE_STORAGE 1u
#define WORD 8u
#define PRIVATE_SIZE (CONFIRMED_AT - PRIVATE_AT) /* with its CRC */

static const uint8_t magic[4] = {'M', 'P', 'A', '1'};

static bool is_all(const uint8_t *bytes, size_t count, uint8_t value)
{
    while (count-- > 0)
        if (*bytes++ != value)
            return false;
    return true;
}

static bool is_checked(const uint8_t *bytes, size_t count, const uint8_t *crc)
{
    return agent_crc32(bytes, count) == agent_get32(crc);
}

/* Reads the record; false if there is none. */
static bool read_record(uint8_t record[RECORD_SIZE])
{
    platform_flash_read(PLATFORM_RECORD, 0, record, RECORD_SIZE);
    return memcmp(record, magic, sizeof magic) == 0 && is_checked(record + PUBLIC_AT, 65, record + CHECK_AT);
}

static bool is_of_this_storage(const uint8_t record[RECORD_SIZE])
{
    return record[STORAGE_AT] == AGENT_SECURE;
}

static bool is_confirmed(const uint8_t record[RECORD_SIZE])
{
    return is_all(record + CONFIRMED_AT, WORD, 0);
}

static bool has_private(const uint8_t record[RECORD_SIZE])
{
    return is_checked(record + PRIVATE_AT, 32, record + PRIVATE_CHECK_AT);
}

/* Whether tag 5 is the private key for this public key. */
static bool is_in_factory_data(const struct agent_data *data, const uint8_t public_key[65])
{
    uint8_t stored[65];

    if (data->private_key.length != 32 || data->public_key.length != sizeof stored)
        return false;
    agent_data_value(data->public_key, stored);
    return memcmp(stored, public_key, sizeof stored) == 0;
}

enum agent_status agent_key_load(const struct agent_data *data, uint8_t public_key[65])
{
    uint8_t record[RECORD_SIZE];
    enum agent_status status = AGENT_NO_KEY;

    if (read_record(record) && is_of_this_storage(record)) {
        const uint8_t *stored = record + PUBLIC_AT;

        if (AGENT_SECURE ? is_confirmed(record) : has_private(record) || is_in_factory_data(data, stored)) {
            memcpy(public_key, stored, 65);
            status = AGENT_OK;
        }
    }
    agent_wipe(record, sizeof record);
    return status;
}

enum agent_status agent_key_private(const struct agent_data *data, uint8_t private_key[32])
{
    uint8_t record[RECORD_SIZE];
    enum agent_status status = AGENT_OK;

    if (!read_record(record) || !is_of_this_storage(record))
        status = AGENT_NO_KEY;
    else if (has_private(record))
        memcpy(private_key, record + PRIVATE_AT, 32);
    else if (is_in_factory_data(data, record + PUBLIC_AT))
        agent_data_value(data->private_key, private_key);
    else
        status = AGENT_NO_KEY;
    agent_wipe(record, sizeof record);
    return status;
}

static enum agent_status sign_with_secure_storage(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                                  uint8_t signature[64])
{
    if (platform_secure_sign(public_key, message, length, signature) != PLATFORM_SECURE_OK)
        return AGENT_SECURE_STORAGE;
    return AGENT_OK;
}

static enum agent_status sign_with_private_key(const struct agent_data *data, const uint8_t *message, size_t length,
                                               uint8_t signature[64])
{
    uint8_t private_key[32];
    uint8_t hash[AGENT_SHA256_SIZE];
    enum agent_status status = agent_key_private(data, private_key);

    if (status != AGENT_OK)
        return status;
    agent_sha256(message, length, hash);
    if (!platform_p256_sign(private_key, hash, signature))
        status = AGENT_CRYPTO;
    agent_wipe(private_key, sizeof private_key);
    return status;
}

enum agent_status agent_key_sign(const struct agent_data *data, const uint8_t *message, size_t length,
                                 uint8_t signature[64])
{
    uint8_t public_key[65];
    enum agent_status status = agent_key_load(data, public_key);

    if (status != AGENT_OK)
        return status;
    return AGENT_SECURE ? sign_with_secure_storage(public_key, message, length, signature)
                        : sign_with_private_key(data, message, length, signature);
}

static bool write_record(const uint8_t record[RECORD_SIZE])
{
    uint8_t stands[RECORD_SIZE];
    bool is_written;

    platform_flash_read(PLATFORM_RECORD, 0, stands, sizeof stands);
    if (!is_all(stands, sizeof stands, 0xFF) && !platform_flash_erase(PLATFORM_RECORD))
        return false;
    if (!platform_flash_write(PLATFORM_RECORD, CHECK_AT, record + CHECK_AT, CONFIRMED_AT - CHECK_AT) ||
        !platform_flash_write(PLATFORM_RECORD, HEAD_AT, record + HEAD_AT, WORD)) /* last, so that only a complete record is valid */
        return false;
    platform_flash_read(PLATFORM_RECORD, 0, stands, sizeof stands);
    is_written = memcmp(stands, record, sizeof stands) == 0;
    agent_wipe(stands, sizeof stands);
    return is_written;
}

static enum agent_status confirm(void)
{
    static const uint8_t zeros[WORD];

    return platform_flash_write(PLATFORM_RECORD, CONFIRMED_AT, zeros, sizeof zeros) ? AGENT_OK : AGENT_FLASH;
}

/* The record already has the public key, so `find_again` can tell after a power cut whether the private key was stored. */
static enum agent_status put_into_secure_storage(const uint8_t private_key[32])
{
    switch (platform_secure_store(private_key)) {
    case PLATFORM_SECURE_OK:
        return confirm();
    case PLATFORM_SECURE_REFUSED: /* the storage holds another key permanently; no request has used this one */
        (void)platform_flash_erase(PLATFORM_RECORD);
        return AGENT_SECURE_STORAGE;
    default:
        return AGENT_SECURE_STORAGE;
    }
}

static enum agent_status keep(const uint8_t private_key[32], const uint8_t public_key[65])
{
    uint8_t record[RECORD_SIZE];
    enum agent_status status = AGENT_OK;

    memset(record, 0xFF, sizeof record);
    memcpy(record, magic, sizeof magic);
    record[STORAGE_AT] = AGENT_SECURE;
    memcpy(record + PUBLIC_AT, public_key, 65);
    agent_put32(record + CHECK_AT, agent_crc32(public_key, 65));
    if (!AGENT_SECURE) {
        memcpy(record + PRIVATE_AT, private_key, 32);
        agent_put32(record + PRIVATE_CHECK_AT, agent_crc32(private_key, 32));
    }
    if (!write_record(record))
        status = AGENT_FLASH;
    agent_wipe(record, sizeof record);
    return AGENT_SECURE && status == AGENT_OK ? put_into_secure_storage(private_key) : status;
}

/* Resolves an unconfirmed record, after a power cut while secure storage was being written: is the key stored? */
static enum agent_status find_again(const uint8_t public_key[65])
{
    static const uint8_t message[] = "is this key mine";
    uint8_t hash[AGENT_SHA256_SIZE], signature[64];
    bool valid;

    switch (platform_secure_sign(public_key, message, sizeof message, signature)) {
    case PLATFORM_SECURE_OK:
        break;
    case PLATFORM_SECURE_REFUSED:
        return AGENT_NO_KEY;
    default: /* the storage did not answer, and a wrong guess would lose the key */
        return AGENT_SECURE_STORAGE;
    }
    agent_sha256(message, sizeof message, hash);
    if (!platform_p256_verify(public_key, hash, signature, &valid))
        return AGENT_CRYPTO;
    return valid ? confirm() : AGENT_NO_KEY;
}

/* Whether a record may be replaced. AGENT_NO_KEY: yes, no key is lost. */
static enum agent_status settle_record(uint8_t public_key[65])
{
    uint8_t record[RECORD_SIZE];
    enum agent_status status = AGENT_NO_KEY;

    if (!read_record(record))
        return AGENT_NO_KEY;
    if (AGENT_SECURE && is_of_this_storage(record)) { /* and not confirmed, else it would have been loaded */
        memcpy(public_key, record + PUBLIC_AT, 65);
        status = find_again(public_key);
    } else if (record[STORAGE_AT] == IN_SECURE_STORAGE) { /* only the record has the public key of that storage */
        status = AGENT_SECURE_STORAGE;
    }
    agent_wipe(record, sizeof record);
    return status;
}

enum agent_status agent_key_make(const struct agent_data *data, uint8_t public_key[65])
{
    uint8_t private_key[32];
    enum agent_status status = agent_key_load(data, public_key);

    if (status == AGENT_NO_KEY)
        status = settle_record(public_key);
    if (status != AGENT_NO_KEY)
        return status;
    if (agent_scalar_random(private_key) && platform_p256_public(private_key, public_key))
        status = keep(private_key, public_key);
    else
        status = AGENT_CRYPTO;
    agent_wipe(private_key, sizeof private_key);
    return status;
}

enum agent_status agent_key_forget_private(void)
{
    static const uint8_t zeros[PRIVATE_SIZE];
    uint8_t record[RECORD_SIZE];
    enum agent_status status = AGENT_OK;

    if (read_record(record) && !is_all(record + PRIVATE_AT, PRIVATE_SIZE, 0) &&
        !platform_flash_write(PLATFORM_RECORD, PRIVATE_AT, zeros, sizeof zeros))
        status = AGENT_FLASH;
    agent_wipe(record, sizeof record);
    return status;
}
