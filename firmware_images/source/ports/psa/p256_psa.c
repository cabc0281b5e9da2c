/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's P-256 and random numbers over the PSA Crypto API, for projects that have mbedTLS anyway. */

#include "platform.h"

#include <psa/crypto.h>

#define P256 PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1)
#define P256_PUBLIC PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1)
#define ALGORITHM PSA_ALG_ECDSA(PSA_ALG_SHA_256)

static psa_status_t import(psa_key_id_t *key, psa_key_type_t type, psa_key_usage_t usage, const uint8_t *bytes,
                           size_t count)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_status_t status = psa_crypto_init(); /* a repeated call does nothing */

    if (status != PSA_SUCCESS)
        return status;
    psa_set_key_type(&attributes, type);
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, usage);
    psa_set_key_algorithm(&attributes, ALGORITHM);
    return psa_import_key(&attributes, bytes, count, key);
}

bool platform_random(uint8_t *bytes, size_t count)
{
    return psa_crypto_init() == PSA_SUCCESS && psa_generate_random(bytes, count) == PSA_SUCCESS;
}

bool platform_p256_public(const uint8_t private_key[32], uint8_t public_key[65])
{
    psa_key_id_t key;
    psa_status_t status = import(&key, P256, PSA_KEY_USAGE_EXPORT, private_key, 32);
    size_t length = 0;

    if (status != PSA_SUCCESS)
        return false;
    status = psa_export_public_key(key, public_key, 65, &length);
    (void)psa_destroy_key(key);
    return status == PSA_SUCCESS && length == 65;
}

bool platform_p256_sign(const uint8_t private_key[32], const uint8_t hash[32], uint8_t signature[64])
{
    psa_key_id_t key;
    psa_status_t status = import(&key, P256, PSA_KEY_USAGE_SIGN_HASH, private_key, 32);
    size_t length = 0;

    if (status != PSA_SUCCESS)
        return false;
    status = psa_sign_hash(key, ALGORITHM, hash, 32, signature, 64, &length);
    (void)psa_destroy_key(key);
    return status == PSA_SUCCESS && length == 64;
}

bool platform_p256_verify(const uint8_t public_key[65], const uint8_t hash[32], const uint8_t signature[64], bool *valid)
{
    psa_key_id_t key;
    psa_status_t status = import(&key, P256_PUBLIC, PSA_KEY_USAGE_VERIFY_HASH, public_key, 65);

    *valid = false;
    if (status == PSA_ERROR_INVALID_ARGUMENT) /* not a point of the curve, so no signature verifies under it */
        return true;
    if (status != PSA_SUCCESS)
        return false;
    status = psa_verify_hash(key, ALGORITHM, hash, 32, signature, 64);
    (void)psa_destroy_key(key);
    *valid = status == PSA_SUCCESS;
    return status == PSA_SUCCESS || status == PSA_ERROR_INVALID_SIGNATURE;
}
