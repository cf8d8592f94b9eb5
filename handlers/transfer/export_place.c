#include "handlers/transfer/export_place.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/transfer/export_line.h"

/* In a cursor: the format, the process, the length of the namespace, the namespace, the key. */
#define PROCESS_AT   1
#define NAMESPACE_AT 10

bool export_place_set(struct export_place *place, const char *ns, struct slice key)
{
	char *copy = malloc(key.len + 1);

	if (!copy)
		return false;
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	free(place->key);
	place->key = copy;
	place->key_len = key.len;
	(void)memccpy(place->ns, ns, '\0', sizeof(place->ns) - 1);
	return true;
}

void export_place_deinit(struct export_place *place)
{
	free(place->key);
	*place = (struct export_place){0};
}

void export_place_append(struct buffer *out, const struct export_place *place)
{
	struct slice ns = slice_of(place->ns);
	struct buffer bytes = {0};

	buffer_append_char(&bytes, EXPORT_FORMAT);
	for (int shift = 56; shift >= 0; shift -= 8)
		buffer_append_char(&bytes, (char)((uint64_t)place->process_us >> shift));
	buffer_append_char(&bytes, (char)ns.len);
	buffer_append(&bytes, ns);
	buffer_append(&bytes, (struct slice){.data = place->key, .len = place->key_len});
	out->failed |= bytes.failed;
	buffer_append_char(out, '"');
	cursor_append(out, buffer_bytes(&bytes));
	buffer_append_char(out, '"');
	buffer_deinit(&bytes);
}

enum cursor_outcome export_place_parse(struct export_place *place, const char *text)
{
	size_t len = 0;
	uint64_t process_us = 0;
	char *bytes = NULL;
	enum cursor_outcome outcome = cursor_decode(slice_of(text), &bytes, &len);
	size_t ns_len = bytes && len >= NAMESPACE_AT ? (unsigned char)bytes[NAMESPACE_AT - 1] : 0;
	struct export_place parsed = {0};
	bool good = ns_len > 0 && bytes[0] == EXPORT_FORMAT && ns_len <= len - NAMESPACE_AT &&
		    namespace_name_is_valid(
			    (struct slice){.data = bytes + NAMESPACE_AT, .len = ns_len});

	if (outcome == CURSOR_GOOD && !good)
		outcome = CURSOR_BAD;
	if (good) {
		char ns[NAMESPACE_MAX_LEN + 1] = "";

		memcpy(ns, bytes + NAMESPACE_AT, ns_len);
		for (size_t i = PROCESS_AT; i < NAMESPACE_AT - 1; i++)
			process_us = process_us << 8 | (unsigned char)bytes[i];
		parsed.process_us = (int64_t)process_us;
		if (!export_place_set(&parsed, ns,
				      (struct slice){.data = bytes + NAMESPACE_AT + ns_len,
						     .len = len - NAMESPACE_AT - ns_len}))
			outcome = CURSOR_NO_MEMORY;
	}
	free(bytes);
	if (outcome == CURSOR_GOOD)
		*place = parsed;
	return outcome;
}
