/* SPDX-License-Identifier: Apache-2.0 */
/* The customer key storage (CKS) of the coprocessor, through the mailbox of its wireless stack.

   An application that links ST's middleware calls otCksDacInitialize() and otCksDacSignature() instead; see hal_example/. */

#include "mailbox_layout.h"

#include "bytes.h"
#include "cpu.h"
#include "platform.h"
#include "port.h"
#include "registers.h"

#include <string.h>

#define BOOT_WITHIN_MS 5000u
#define ANSWER_WITHIN_MS 2000u
#define POOL 1024u

#define SHARED __attribute__((section(".shared"), aligned(sizeof(void *))))

__attribute__((section(".shared.table"), aligned(sizeof(void *)))) static struct reference_table table;
SHARED static struct device_table device;
SHARED static struct ble_table ble;
SHARED static struct thread_table thread;
SHARED static struct system_table system;
SHARED static struct memory_table memory;
SHARED static struct list events, free_buffers;
SHARED static uint8_t system_command[PACKET_SIZE];
SHARED static uint8_t thread_command[PACKET_SIZE];
SHARED static uint8_t thread_notification[PACKET_SIZE];
SHARED static uint8_t thread_cli[PACKET_SIZE], thread_cli_notification[PACKET_SIZE];
SHARED static uint8_t spare_ble[PACKET_SIZE], spare_system[PACKET_SIZE], pool[POOL];

static bool is_running;

static void empty(struct list *head)
{
    head->next = head;
    head->previous = head;
}

/* Only starts the coprocessor: its boot takes long, but ends before the first command. */
void coprocessor_start(void)
{
    empty(&events);
    empty(&free_buffers);
    thread = (struct thread_table){.notification = thread_notification,
                                   .cli = thread_cli,
                                   .command = thread_command,
                                   .cli_notification = thread_cli_notification};
    system = (struct system_table){.command = system_command, .events = &events};
    memory = (struct memory_table){.spare_ble = spare_ble,
                                   .spare_system = spare_system,
                                   .pool = pool,
                                   .pool_size = sizeof pool,
                                   .free = &free_buffers};
    table = (struct reference_table){
        .device = &device, .ble = &ble, .thread = &thread, .system = &system, .memory = &memory};
    is_running = false;
    feed(&RCC_AHB3ENR, RCC_AHB3ENR_IPCC);
    __asm__ volatile("" : : "r"(&table) : "memory"); /* no C code reads it, so the compiler would omit the write */
    cpu_barrier();
    PWR_CR4 |= PWR_CR4_C2BOOT;
}

/* The first event names the coprocessor's firmware. Later events concern the radio and are ignored. */
static bool has_wireless_stack(void)
{
    const uint8_t *event;
    uint32_t begun = time_ms();

    while ((IPCC_C2TOC1SR & IPCC_CHANNEL(MAILBOX_SYSTEM)) == 0)
        if (time_is_over(begun, BOOT_WITHIN_MS))
            return false;
    cpu_barrier();
    event = (const uint8_t *)events.next;
    if (event == (const uint8_t *)&events)
        return false;
    return agent_get16(event + EVENT_SUBCODE_AT) == SUBCODE_READY && event[EVENT_PAYLOAD_AT] == READY_WIRELESS_STACK;
}

/* Sends a command, and waits until the coprocessor returns its buffer with the answer. */
static bool transfer(unsigned channel)
{
    uint32_t begun = time_ms();

    cpu_barrier();
    IPCC_C1SCR = IPCC_C1SCR_SET(channel);
    while ((IPCC_C1TOC2SR & IPCC_CHANNEL(channel)) != 0) {
        if ((IPCC_C2TOC1SR & IPCC_CHANNEL(MAILBOX_THREAD)) != 0) /* a notification, which is read and ignored */
            IPCC_C1SCR = IPCC_C1SCR_CLEAR(MAILBOX_THREAD);
        if (time_is_over(begun, ANSWER_WITHIN_MS))
            return false;
    }
    cpu_barrier();
    return true;
}

static void put_command(uint8_t *packet, uint8_t type, unsigned code, size_t length)
{
    packet[PACKET_TYPE_AT] = type;
    packet[PACKET_CODE_AT] = (uint8_t)code;
    packet[PACKET_CODE_AT + 1] = (uint8_t)(code >> 8);
    packet[PACKET_LENGTH_AT] = (uint8_t)length;
}

/* The Thread part of the stack serves keys, so it must be running. */
static bool is_ready(void)
{
    if (is_running)
        return true;
    if (!has_wireless_stack())
        return false;
    IPCC_C1SCR = IPCC_C1SCR_CLEAR(MAILBOX_SYSTEM);
    put_command(system_command, TYPE_SYSTEM_COMMAND, CODE_THREAD_INIT, 0);
    is_running = transfer(MAILBOX_SYSTEM) && system_command[SYSTEM_STATUS_AT] == 0;
    return is_running;
}

static uint32_t address_of(const void *memory_of_ours)
{
    return (uint32_t)(uintptr_t)memory_of_ours;
}

static enum platform_secure ask(uint32_t id, const uint32_t *arguments, size_t count)
{
    uint8_t *payload = thread_command + PACKET_COMMAND_AT;

    if (!is_ready())
        return PLATFORM_SECURE_SILENT;
    agent_put32(payload + THREAD_ID_AT, id);
    agent_put32(payload + THREAD_COUNT_AT, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        agent_put32(payload + THREAD_ARGUMENTS_AT + 4 * i, arguments[i]);
    put_command(thread_command, TYPE_THREAD_COMMAND, CODE_THREAD_COMMAND, THREAD_ARGUMENTS_AT + 4 * count);
    if (!transfer(MAILBOX_THREAD))
        return PLATFORM_SECURE_SILENT;
    return agent_get32(thread_command + PACKET_EVENT_AT + THREAD_ARGUMENTS_AT) == 0 ? PLATFORM_SECURE_OK
                                                                                   : PLATFORM_SECURE_REFUSED;
}

enum platform_secure platform_secure_store(const uint8_t private_key[32])
{
    const uint32_t arguments[] = {address_of(private_key)};

    return ask(STORE_PRIVATE_KEY, arguments, 1);
}

enum platform_secure platform_secure_sign(const uint8_t public_key[65], const uint8_t *message, size_t length,
                                          uint8_t signature[64])
{
    const uint32_t arguments[] = {
        address_of(message), (uint32_t)length, address_of(public_key), address_of(signature)};

    return ask(SIGN_MESSAGE, arguments, 4);
}
