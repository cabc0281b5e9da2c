/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 on the public key accelerator, which the coprocessor uses, too. */

#include "pka_layout.h"

#include "bytes.h"
#include "platform.h"
#include "port.h"
#include "registers.h"
#include "scalar.h"

#define OPERATION_WITHIN_MS 1000u /* the longest operation takes a tenth of that */

static const uint8_t p[32] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
};
static const uint8_t n[32] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
};
static const uint8_t gx[32] = {
    0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2,
    0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96,
};
static const uint8_t gy[32] = {
    0x4F, 0xE3, 0x42, 0xE2, 0xFE, 0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E, 0x16,
    0x2B, 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51, 0xF5,
};
static const uint8_t a_magnitude[32] = {[31] = 3}; /* a is -3 */

static void put(uint32_t offset, const uint8_t number[32])
{
    for (unsigned i = 0; i < PKA_WORDS; i++) {
        const uint8_t *word = number + 32 - 4 * (i + 1);

        PKA_RAM(offset + 4 * i) =
            (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | (uint32_t)word[3];
    }
    PKA_RAM(offset + 4 * PKA_WORDS) = 0;
}

static void get(uint32_t offset, uint8_t number[32])
{
    for (unsigned i = 0; i < PKA_WORDS; i++) {
        uint32_t word = PKA_RAM(offset + 4 * i);

        for (unsigned byte = 0; byte < 4; byte++, word >>= 8)
            number[31 - 4 * i - byte] = (uint8_t)word;
    }
}

static void forget(uint32_t offset)
{
    for (unsigned i = 0; i < PKA_WORDS; i++)
        PKA_RAM(offset + 4 * i) = 0;
}

/* After a reset the accelerator clears its memory, and cannot be enabled until it has finished. */
static bool start(void)
{
    uint32_t begun = time_ms();

    if (!semaphore_take(SEMAPHORE_PKA))
        return false;
    PKA_CR = PKA_CR_EN;
    while ((PKA_CR & PKA_CR_EN) == 0) {
        if (time_is_over(begun, OPERATION_WITHIN_MS)) {
            semaphore_release(SEMAPHORE_PKA);
            return false;
        }
        PKA_CR = PKA_CR_EN;
    }
    return true;
}

static bool compute(uint32_t mode)
{
    const uint32_t flags = PKA_SR_PROCENDF | PKA_SR_RAMERRF | PKA_SR_ADDRERRF;
    uint32_t begun = time_ms();
    uint32_t ended;

    PKA_CLRFR = flags;
    PKA_CR = PKA_CR_EN | PKA_CR_MODE(mode) | PKA_CR_START;
    while ((ended = PKA_SR & flags) == 0)
        if (time_is_over(begun, OPERATION_WITHIN_MS))
            break;
    PKA_CLRFR = flags;
    return ended == PKA_SR_PROCENDF;
}

static void stop(void)
{
    PKA_CR = 0;
    semaphore_release(SEMAPHORE_PKA);
}

bool platform_p256_public(const uint8_t private_key[32], uint8_t public_key[65])
{
    bool is_computed;

    if (!start())
        return false;
    PKA_RAM(PKA_MULTIPLY_SCALAR_BITS) = 256;
    PKA_RAM(PKA_MULTIPLY_MODULUS_BITS) = 256;
    PKA_RAM(PKA_MULTIPLY_A_SIGN) = 1;
    put(PKA_MULTIPLY_A, a_magnitude);
    put(PKA_MULTIPLY_P, p);
    put(PKA_MULTIPLY_K, private_key);
    put(PKA_MULTIPLY_X, gx);
    put(PKA_MULTIPLY_Y, gy);
    is_computed = compute(PKA_MODE_MULTIPLY);
    public_key[0] = 0x04;
    get(PKA_MULTIPLY_X, public_key + 1);
    get(PKA_MULTIPLY_Y, public_key + 33);
    forget(PKA_MULTIPLY_K);
    stop();
    return is_computed;
}

bool platform_p256_sign(const uint8_t private_key[32], const uint8_t hash[32], uint8_t signature[64])
{
    uint8_t k[32]; /* secret, and different for every signature: two signatures with the same k reveal the private key */
    bool is_signed;

    if (!agent_scalar_random(k))
        return false;
    if (!start()) {
        agent_wipe(k, sizeof k);
        return false;
    }
    PKA_RAM(PKA_SIGN_ORDER_BITS) = 256;
    PKA_RAM(PKA_SIGN_MODULUS_BITS) = 256;
    PKA_RAM(PKA_SIGN_A_SIGN) = 1;
    put(PKA_SIGN_A, a_magnitude);
    put(PKA_SIGN_P, p);
    put(PKA_SIGN_K, k);
    agent_wipe(k, sizeof k);
    put(PKA_SIGN_GX, gx);
    put(PKA_SIGN_GY, gy);
    put(PKA_SIGN_HASH, hash);
    put(PKA_SIGN_D, private_key);
    put(PKA_SIGN_N, n);
    is_signed = compute(PKA_MODE_SIGN) && PKA_RAM(PKA_SIGN_ERROR) == 0;
    get(PKA_SIGN_R, signature);
    get(PKA_SIGN_S, signature + 32);
    forget(PKA_SIGN_K);
    forget(PKA_SIGN_D);
    stop();
    return is_signed;
}

bool platform_p256_verify(const uint8_t public_key[65], const uint8_t hash[32], const uint8_t signature[64], bool *valid)
{
    bool is_computed;

    if (!start())
        return false;
    PKA_RAM(PKA_VERIFY_ORDER_BITS) = 256;
    PKA_RAM(PKA_VERIFY_MODULUS_BITS) = 256;
    PKA_RAM(PKA_VERIFY_A_SIGN) = 1;
    put(PKA_VERIFY_A, a_magnitude);
    put(PKA_VERIFY_P, p);
    put(PKA_VERIFY_GX, gx);
    put(PKA_VERIFY_GY, gy);
    put(PKA_VERIFY_QX, public_key + 1);
    put(PKA_VERIFY_QY, public_key + 33);
    put(PKA_VERIFY_R, signature);
    put(PKA_VERIFY_S, signature + 32);
    put(PKA_VERIFY_HASH, hash);
    put(PKA_VERIFY_N, n);
    is_computed = compute(PKA_MODE_VERIFY);
    *valid = is_computed && PKA_RAM(PKA_VERIFY_RESULT) == 0;
    stop();
    return is_computed;
}
