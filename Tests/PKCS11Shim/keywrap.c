#include "shim.h"

#include <string.h>

/*
 * SoftHSM 2.6 wraps only by C_WrapKey. What C_Encrypt would do is made of a session object and C_WrapKey, with padding
 * as RFC 5649 has it or, as some vendors read CKM_AES_KEY_WRAP_PAD, with PKCS#7 before RFC 3394.
 */

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

CK_RV shim_keywrap_encrypt(
    CK_SESSION_HANDLE session, enum shim_keywrap kind, CK_OBJECT_HANDLE key, CK_BYTE_PTR data, CK_ULONG length,
    CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    CK_BYTE padded[1024];
    if (length > sizeof padded - 8) return CKR_DATA_LEN_RANGE;
    memcpy(padded, data, length);
    if (kind == KEYWRAP_PKCS7) {
        CK_BYTE padding = (CK_BYTE)(8 - length % 8);
        memset(padded + length, padding, padding);
        length += padding;
    }
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &secret_class, sizeof secret_class}, {CKA_KEY_TYPE, &generic, sizeof generic},
        {CKA_TOKEN, &no, sizeof no}, {CKA_PRIVATE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &yes, sizeof yes},
        {CKA_VALUE, padded, length},
    };
    CK_OBJECT_HANDLE object;
    CK_RV code = shim_real->C_CreateObject(session, template, 6, &object);
    if (code != CKR_OK) return code;
    CK_MECHANISM mechanism = {kind == KEYWRAP_PKCS7 ? CKM_AES_KEY_WRAP : CKM_AES_KEY_WRAP_PAD, NULL, 0};
    code = shim_real->C_WrapKey(session, &mechanism, key, object, output, output_length);
    (void)shim_real->C_DestroyObject(session, object);
    return code;
}

CK_RV shim_keywrap_decrypt(
    CK_SESSION_HANDLE session, enum shim_keywrap kind, CK_OBJECT_HANDLE key, CK_BYTE_PTR data, CK_ULONG length,
    CK_BYTE_PTR output, CK_ULONG_PTR output_length) {
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &secret_class, sizeof secret_class}, {CKA_KEY_TYPE, &generic, sizeof generic},
        {CKA_TOKEN, &no, sizeof no}, {CKA_PRIVATE, &yes, sizeof yes}, {CKA_SENSITIVE, &no, sizeof no},
        {CKA_EXTRACTABLE, &yes, sizeof yes},
    };
    CK_OBJECT_HANDLE object;
    CK_MECHANISM mechanism = {kind == KEYWRAP_PKCS7 ? CKM_AES_KEY_WRAP : CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_RV code = shim_real->C_UnwrapKey(session, &mechanism, key, data, length, template, 6, &object);
    if (code != CKR_OK) return code == CKR_WRAPPED_KEY_INVALID ? CKR_ENCRYPTED_DATA_INVALID : code;
    CK_BYTE value[1024];
    CK_ATTRIBUTE attribute = {CKA_VALUE, value, sizeof value};
    code = shim_real->C_GetAttributeValue(session, object, &attribute, 1);
    (void)shim_real->C_DestroyObject(session, object);
    if (code != CKR_OK) return code;
    CK_ULONG count = attribute.ulValueLen;
    if (kind == KEYWRAP_PKCS7) {
        if (count == 0 || value[count - 1] == 0 || value[count - 1] > 8) return CKR_ENCRYPTED_DATA_INVALID;
        count -= value[count - 1];
    }
    if (count > *output_length) return CKR_BUFFER_TOO_SMALL;
    memcpy(output, value, count);
    *output_length = count;
    return CKR_OK;
}
