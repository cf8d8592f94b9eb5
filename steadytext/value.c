#include "steadytext/value.h"

#include <inttypes.h>
#include <nettle/base64.h>
#include <stdio.h>

/* Of pickles: the opcode that begins those of protocol 2 and later, and the one that ends all. */
#define PROTO '\x80'
#define STOP  '.'

bool steadytext_value_is_pickle(struct slice bytes)
{
	bool is_long = bytes.len > 1 && bytes.data[bytes.len - 1] == STOP;

	/* Opcodes of protocols 0 and 1 are ASCII. */
	return is_long && (bytes.data[0] == PROTO || (bytes.data[0] > ' ' && bytes.data[0] <= '~'));
}

void steadytext_value_encode(struct slice pickle, struct buffer *ret)
{
	if (pickle.len > SIZE_MAX / 2 ||
	    !buffer_reserve(ret, (size_t)steadytext_value_len(pickle.len))) {
		ret->failed = true;
		return;
	}
	base64_encode_raw(ret->data + ret->len, pickle.len, (const uint8_t *)pickle.data);
	ret->len += (size_t)steadytext_value_len(pickle.len);
}

bool steadytext_value_fits(const struct steadytext_limits *limits, size_t key_len,
			   uint64_t value_len, char *reason, size_t reason_size)
{
	if (limits->key_max_bytes > 0 && key_len > limits->key_max_bytes) {
		(void)snprintf(reason, reason_size,
			       "the key has %zu bytes; the server takes up to %zu "
			       "(STEADYCACHE_MAX_KEY_KB)",
			       key_len, limits->key_max_bytes);
		return false;
	}
	if (limits->value_max_bytes > 0 && value_len > limits->value_max_bytes) {
		(void)snprintf(reason, reason_size,
			       "the value has %" PRIu64 " bytes in base64; the server takes up to "
			       "%" PRIu64 " (STEADYCACHE_MAX_BODY_MB)",
			       value_len, limits->value_max_bytes);
		return false;
	}
	return true;
}
