#include "handlers/respond/cursor.h"

#include <nettle/base64.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/percent.h"

void cursor_append(struct buffer *out, struct slice bytes)
{
	struct base64_encode_ctx context;
	size_t room = BASE64_ENCODE_LENGTH(bytes.len) + BASE64_ENCODE_FINAL_LENGTH;

	base64url_encode_init(&context);
	if (!buffer_reserve(out, room))
		return;
	char *to = out->data + out->len;
	size_t len = base64_encode_update(&context, to, bytes.len, (const uint8_t *)bytes.data);

	len += base64_encode_final(&context, to + len);
	while (len > 0 && to[len - 1] == '=')
		len--;
	out->len += len;
}

enum cursor_outcome cursor_decode(struct slice text, char **ret, size_t *ret_len)
{
	struct base64_decode_ctx context;
	size_t len = text.len;
	/* Room for the padding, which nettle requires. */
	char *encoded = malloc(len + 4);
	char *bytes = malloc(BASE64_DECODE_LENGTH(len + 4));
	bool has_memory = encoded && bytes;
	bool good = has_memory && percent_decode(text, encoded, &len) && len % 4 != 1;

	while (good && len % 4 != 0)
		encoded[len++] = '=';
	base64url_decode_init(&context);
	*ret_len = BASE64_DECODE_LENGTH(len);
	good = good && base64_decode_update(&context, ret_len, (uint8_t *)bytes, len, encoded) &&
	       base64_decode_final(&context);
	free(encoded);
	*ret = good ? bytes : NULL;
	if (!good)
		free(bytes);
	return good ? CURSOR_GOOD : has_memory ? CURSOR_BAD : CURSOR_NO_MEMORY;
}
