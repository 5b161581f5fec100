#pragma once
/* Nothing to call: what the module's .c file says is for ThreadSanitizer, and only there. */
