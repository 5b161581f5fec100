#pragma once
/* As every C module here: modules whose libc types differ cannot be imported together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "control.pb-c.h"
#include "keyring.pb-c.h"
#include "kms_v1beta1.pb-c.h"
#include "kms_v2.pb-c.h"
