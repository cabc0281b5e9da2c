/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the functions of ST's HAL, BSP and middleware that the example calls, so that it compiles without them. In your project, leave this file
   out and include ST's headers: stm32wbxx_hal.h, stm32wb5mm_dk_qspi.h, dac_crypto_hal.h. Compare the declarations with yours. */

#ifndef HAL_EXAMPLE_ST_DECLARATIONS_H
#define HAL_EXAMPLE_ST_DECLARATIONS_H

#include <stddef.h>
#include <stdint.h>

typedef enum { HAL_OK, HAL_ERROR, HAL_BUSY, HAL_TIMEOUT } HAL_StatusTypeDef;
typedef struct uart_handle UART_HandleTypeDef;

typedef struct {
    uint32_t TypeErase, Page, NbPages;
} FLASH_EraseInitTypeDef;

#define FLASH_TYPEERASE_PAGES 0u
#define FLASH_TYPEPROGRAM_DOUBLEWORD 1u
#define HAL_MAX_DELAY UINT32_MAX
#define BSP_ERROR_NONE 0

typedef enum { S25FL128S_ERASE_4K, S25FL128S_ERASE_64K, S25FL128S_ERASE_CHIP } BSP_QSPI_Erase_t;
typedef int otError; /* 0 is OT_ERROR_NONE */

uint32_t HAL_GetTick(void);
HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *uart, const uint8_t *bytes, uint16_t count, uint32_t timeout);
HAL_StatusTypeDef HAL_UART_Receive_IT(UART_HandleTypeDef *uart, uint8_t *bytes, uint16_t count);
void HAL_UART_RxCpltCallback(UART_HandleTypeDef *uart);
void HAL_UART_ErrorCallback(UART_HandleTypeDef *uart);
HAL_StatusTypeDef HAL_FLASH_Unlock(void);
HAL_StatusTypeDef HAL_FLASH_Lock(void);
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t type, uint32_t address, uint64_t data);
HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *erase, uint32_t *page_error);
int32_t BSP_QSPI_Read(uint32_t instance, uint8_t *bytes, uint32_t address, uint32_t count);
int32_t BSP_QSPI_Write(uint32_t instance, uint8_t *bytes, uint32_t address, uint32_t count);
int32_t BSP_QSPI_EraseBlock(uint32_t instance, uint32_t address, BSP_QSPI_Erase_t size);
otError otCksDacInitialize(const uint8_t *private_key);
otError otCksDacSignature(const uint8_t *message, size_t length, const uint8_t *public_key, uint8_t *signature);

#endif
