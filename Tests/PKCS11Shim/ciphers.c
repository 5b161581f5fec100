#include "shim.h"

#include <string.h>
#include <sys/random.h>

/* AES-GCM with the IVs of several vendors, and key wrap by C_Encrypt. */

static int is_refused(const struct shim_settings *settings, CK_MECHANISM_TYPE mechanism) {
    return shim_has(settings->hidden, settings->hidden_count, mechanism) ||
           shim_has(settings->refused, settings->refused_count, mechanism);
}

static int is_zero(const CK_BYTE *bytes, unsigned long count) {
    for (unsigned long i = 0; i < count; i++)
        if (bytes[i] != 0) return 0;
    return 1;
}

static CK_RV gcm_encrypt_init(
    CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key,
    const struct shim_settings *settings) {
    struct shim_operation operation = {.iv_kind = settings->iv};
    CK_GCM_PARAMS *given = mechanism->pParameter;
    CK_GCM_PARAMS own;
    CK_MECHANISM changed = *mechanism;
    if (given == NULL || given->pIv == NULL || given->ulIvLen == 0) shim_count(SHIM_EMPTY_IVS, 1);
    if (given == NULL) return shim_real->C_EncryptInit(session, mechanism, key);
    if (settings->zeros && !is_zero(given->pIv, given->ulIvLen)) return CKR_MECHANISM_PARAM_INVALID;
    own = *given;
    if (settings->iv != IV_CALLER) {
        operation.iv_length = settings->iv == IV_APPENDED ? 16 : 12;
        if (settings->iv == IV_FIXED) memset(operation.iv, 0x5A, sizeof operation.iv);
        else if (getrandom(operation.iv, operation.iv_length, 0) < 0) return CKR_FUNCTION_FAILED;
        operation.caller_iv = given->pIv;
        operation.caller_iv_length = given->ulIvLen;
        own.pIv = operation.iv;
        own.ulIvLen = operation.iv_length;
        own.ulIvBits = operation.iv_length * 8;
        changed.pParameter = &own;
    }
    CK_RV code = shim_real->C_EncryptInit(session, &changed, key);
    if (code == CKR_OK) shim_operation_set(session, &operation);
    return code;
}

CK_RV shim_encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    struct shim_settings settings = shim_settings_now();
    if (mechanism == NULL) return CKR_ARGUMENTS_BAD;
    if (is_refused(&settings, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
    struct shim_operation operation = {.keywrap = shim_keywrap_of(&settings, mechanism->mechanism), .key = key};
    if (operation.keywrap != KEYWRAP_NONE) {
        shim_operation_set(session, &operation);
        return CKR_OK;
    }
    if (mechanism->mechanism == CKM_AES_GCM) return gcm_encrypt_init(session, mechanism, key, &settings);
    return shim_real->C_EncryptInit(session, mechanism, key);
}

CK_RV shim_encrypt(
    CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    struct shim_operation operation = shim_operation_take(session);
    if (operation.keywrap != KEYWRAP_NONE)
        return shim_keywrap_encrypt(session, operation.keywrap, operation.key, data, length, output, output_length);
    CK_ULONG room = output_length == NULL ? 0 : *output_length;
    CK_RV code = shim_real->C_Encrypt(session, data, length, output, output_length);
    if (code != CKR_OK || operation.iv_length == 0) return code;
    if (operation.iv_kind == IV_APPENDED) {
        if (*output_length + operation.iv_length > room) return CKR_BUFFER_TOO_SMALL;
        memcpy(output + *output_length, operation.iv, operation.iv_length);
        *output_length += operation.iv_length;
    } else if (operation.caller_iv != NULL && operation.caller_iv_length >= operation.iv_length) {
        /* Only now: the caller's memory has to last until the end of the operation. */
        memcpy(operation.caller_iv, operation.iv, operation.iv_length);
    }
    return code;
}

CK_RV shim_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
    struct shim_settings settings = shim_settings_now();
    if (mechanism == NULL) return CKR_ARGUMENTS_BAD;
    if (is_refused(&settings, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
    struct shim_operation operation = {.keywrap = shim_keywrap_of(&settings, mechanism->mechanism), .key = key};
    if (operation.keywrap != KEYWRAP_NONE) {
        shim_operation_set(session, &operation);
        return CKR_OK;
    }
    if (mechanism->mechanism == CKM_AES_GCM) {
        CK_GCM_PARAMS *given = mechanism->pParameter;
        if (given == NULL || given->pIv == NULL || given->ulIvLen == 0) shim_count(SHIM_EMPTY_IVS, 1);
    }
    return shim_real->C_DecryptInit(session, mechanism, key);
}

CK_RV shim_decrypt(
    CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    struct shim_operation operation = shim_operation_take(session);
    if (operation.keywrap != KEYWRAP_NONE)
        return shim_keywrap_decrypt(session, operation.keywrap, operation.key, data, length, output, output_length);
    return shim_real->C_Decrypt(session, data, length, output, output_length);
}
