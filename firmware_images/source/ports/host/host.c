/* SPDX-License-Identifier: Apache-2.0 */
/* The provisioning firmware as a program on a PC: its serial port is standard input and output, its flash are files.

       agent-host DIR [--cut N] [--torn] [--broken PART]

   DIR/data.bin (64 KB) and DIR/record.bin (4 KB) are made if they do not exist; DIR/secure.bin has the content of secure
   storage. --cut N: the power fails after the Nth operation on flash or secure storage, or with --torn in the middle of
   it; the program then ends with status 75. --broken: erase, write, secure (which never answers). */

#define _POSIX_C_SOURCE 200809L

#include "agent.h"
#include "platform.h"
#include "sha256.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POWER_GONE 75
#define PAGE 256u      /* the QSPI flash's unit of programming */
#define DOUBLE_WORD 8u /* the internal flash's unit of programming */

struct memory {
    const char *file;
    size_t size;
    size_t unit;
    uint8_t *cells;
};

static struct memory memories[] = {
    [PLATFORM_FACTORY_DATA] = {"data.bin", 65536, PAGE, NULL},
    [PLATFORM_RECORD] = {"record.bin", 4096, DOUBLE_WORD, NULL},
};

static const char *broken = "";
static unsigned long operations, cut_at;
static bool is_torn;

static void die(const char *why)
{
    fprintf(stderr, "agent-host: %s\n", why);
    abort();
}

static bool is_broken(const char *part)
{
    return strcmp(broken, part) == 0;
}

/* Counts an operation; returns how much of its `size` happens before the power fails, or all of it. */
static size_t begin_operation(size_t size)
{
    operations++;
    return operations == cut_at && is_torn ? size / 2 : size;
}

static void end_operation(void)
{
    if (operations == cut_at)
        _exit(POWER_GONE);
}

static void open_memory(struct memory *memory)
{
    int file = open(memory->file, O_RDWR | O_CREAT, 0600);
    struct stat found;

    if (file < 0 || fstat(file, &found) != 0 || ftruncate(file, (off_t)memory->size) != 0)
        die(memory->file);
    memory->cells = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory->cells == MAP_FAILED)
        die(memory->file);
    if (found.st_size == 0)
        memset(memory->cells, 0xFF, memory->size);
    (void)close(file);
}

bool platform_flash_erase(enum platform_flash flash)
{
    struct memory *memory = &memories[flash];

    if (is_broken("erase"))
        return false;
    memset(memory->cells, 0xFF, begin_operation(memory->size));
    end_operation();
    return true;
}

/* A program operation can only clear bits. The internal flash has ECC, so a double word can be programmed once, or to zero. */
static void check_programmable(const struct memory *memory, const uint8_t *cells, const uint8_t *bytes, size_t count)
{
    bool is_erased = true, is_zero = true;

    for (size_t i = 0; i < count; i++) {
        is_erased = is_erased && cells[i] == 0xFF;
        is_zero = is_zero && bytes[i] == 0;
        if ((cells[i] & bytes[i]) != bytes[i])
            die("programs a one where a zero stands");
    }
    if (memory->unit == DOUBLE_WORD && !is_erased && !is_zero)
        die("programs a double word twice");
}

bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count)
{
    struct memory *memory = &memories[flash];

    if (offset + count > memory->size)
        die("writes behind the end");
    if (memory->unit == DOUBLE_WORD && (offset % DOUBLE_WORD != 0 || count % DOUBLE_WORD != 0))
        die("writes less than a double word");
    if (is_broken("write"))
        return false;
    while (count > 0) {
        size_t part = memory->unit - offset % memory->unit;

        if (part > count)
            part = count;
        check_programmable(memory, memory->cells + offset, bytes, part);
        memcpy(memory->cells + offset, bytes, begin_operation(part));
        end_operation();
        offset += (uint32_t)part;
        bytes += part;
        count -= part;
    }
    return true;
}

void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count)
{
    if (offset + count > memories[flash].size)
        die("reads behind the end");
    memcpy(bytes, memories[flash].cells + offset, count);
}

static bool read_secure(uint8_t private_key[32])
{
    int file = open("secure.bin", O_RDONLY);
    bool is_there = file >= 0 && read(file, private_key, 32) == 32;

    if (file >= 0)
        (void)close(file);
    return is_there;
}

enum platform_secure platform_secure_store(const uint8_t private_key[32])
{
    uint8_t stored[32];
    int file;

    if (is_broken("secure"))
        return PLATFORM_SECURE_SILENT;
    if (read_secure(stored))
        return PLATFORM_SECURE_REFUSED;
    if (begin_operation(2) == 2) { /* the key is stored whole or not at all */
        file = open("secure.bin", O_WRONLY | O_CREAT, 0600);
        if (file < 0 || write(file, private_key, 32) != 32 || close(file) != 0)
            die("secure.bin");
    }
    end_operation();
    return PLATFORM_SECURE_OK;
}

enum platform_secure platform_secure_sign(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                          uint8_t signature[64])
{
    uint8_t private_key[32], hash[AGENT_SHA256_SIZE];

    (void)public_key;
    if (is_broken("secure"))
        return PLATFORM_SECURE_SILENT;
    if (!read_secure(private_key))
        return PLATFORM_SECURE_REFUSED;
    agent_sha256(message, length, hash);
    return platform_p256_sign(private_key, hash, signature) ? PLATFORM_SECURE_OK : PLATFORM_SECURE_REFUSED;
}

uint32_t platform_time_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

void platform_uart_send(const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = write(STDOUT_FILENO, bytes, count);

        if (sent <= 0)
            exit(EXIT_SUCCESS); /* the reader has gone */
        bytes += sent;
        count -= (size_t)sent;
    }
}

size_t platform_uart_receive(uint8_t *bytes, size_t room, uint32_t within_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    ssize_t received;

    if (poll(&input, 1, within_ms > 60000 ? -1 : (int)within_ms) <= 0)
        return 0;
    received = read(STDIN_FILENO, bytes, room);
    if (received <= 0)
        exit(EXIT_SUCCESS);
    return (size_t)received;
}

int main(int count, char *arguments[])
{
    static const uint8_t uid[AGENT_UID_SIZE] = {0x2A, 0x00, 0x31, 0x00, 0x08, 'Q', '8', '8', '4', '0', '5', '6'};

    if (count < 2 || chdir(arguments[1]) != 0) {
        fprintf(stderr, "usage: agent-host DIR [--cut N] [--torn] [--broken PART]\n");
        return 2;
    }
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--torn") == 0)
            is_torn = true;
        else if (strcmp(arguments[i], "--cut") == 0 && i + 1 < count)
            cut_at = strtoul(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--broken") == 0 && i + 1 < count)
            broken = arguments[++i];
    }
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        open_memory(&memories[i]);
    agent_start(uid, "host 1.0.0");
    for (;;)
        agent_step();
}
