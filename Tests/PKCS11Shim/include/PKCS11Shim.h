#pragma once
/*
 * A PKCS#11 module for tests: passes every call on to the real one and does to it what a script says.
 *
 *   PKCS11SHIM_MODULE   absolute path of the real module
 *   PKCS11SHIM_SCRIPT   the script's file; read again whenever it changes (replace it by rename)
 *   PKCS11SHIM_COUNTS   a file that holds the counters: records of a 24-byte name and a 64-bit number
 *   PKCS11SHIM_PARAMETERS   optional, text handed to C_Initialize in the way of NSS
 *
 * A script's lines:
 *   at FUNCTION CALLS ACTION [ARGUMENT]
 *     FUNCTION  C_Decrypt, or * for any; CALLS  3, 3+, 2-5 or *, counted from when the script was read
 *     return CODE    instead of the call
 *     die CODE       this and every later call but C_Initialize and C_Finalize, until C_Finalize
 *     drop           all sessions are closed behind the caller's back, then the call is made
 *     logout         the login ends behind the caller's back, then the call is made
 *     delay MS       then the call is made
 *     hang           until the script changes, then the call is made
 *   set iv caller|written|appended|fixed   whose IV AES-GCM uses, and where it comes back
 *   set zeros 1             AES-GCM takes nothing but an IV of zeros
 *   set hide MECHANISM      the token does not have it
 *   set refuse MECHANISM    the token says that it has it, and refuses to use it
 *   set flags MECHANISM CK_FLAGS           what C_GetMechanismInfo says
 *   set keywrap MECHANISM rfc5649|pkcs7    key wrap with padding by C_Encrypt, made of C_WrapKey
 *   set tokenflags CK_FLAGS                added to those of every token
 *   set slots N             added to every slot number
 *   set slotcount N         what C_GetSlotList says that there are, whatever there is
 *   set rotate 1            every slot number means the token of the next slot
 */
#include <p11-kit/pkcs11.h>

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);
