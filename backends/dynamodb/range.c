#include "backends/dynamodb/range.h"

#include <stdlib.h>

#include "base/json_out.h"

/* Writes the sort key of the first name that is behind all with `prefix`. */
static void write_end(struct buffer *out, struct slice prefix)
{
	char bytes[DYNAMODB_STEM + 1];
	size_t len = prefix.len + 1;

	bytes[0] = 'k';
	if (prefix.len > 0)
		memcpy(bytes + 1, prefix.data, prefix.len);
	while (bytes[len - 1] == '\xff')
		len--;
	bytes[len - 1]++;
	json_out_base64(out, (struct slice){.data = bytes, .len = len});
}

struct slice dynamodb_range_stem(struct slice key)
{
	if (key.len > DYNAMODB_STEM)
		key.len = DYNAMODB_STEM;
	return key;
}

void dynamodb_range_write(struct buffer *out, const struct dynamodb_state *state, struct slice ns,
			  unsigned shard, struct slice prefix, struct slice after,
			  const struct dynamodb_cursor *cursor, size_t limit,
			  const char *attributes)
{
	prefix = dynamodb_range_stem(prefix);
	dynamodb_wire_begin(out, state);
	buffer_printf(out,
		      ",\"ConsistentRead\":true,\"Limit\":%zu,\"ProjectionExpression\":\"%s\","
		      "\"KeyConditionExpression\":\"p=:p AND k BETWEEN :l AND :h\","
		      "\"ExpressionAttributeValues\":{\":p\":{\"S\":",
		      limit, attributes);
	dynamodb_wire_partition(out, state, ns, shard);
	buffer_append(out, SLICE("},\":l\":{\"B\":"));
	dynamodb_wire_sort_key(out, 'k', slice_compare(after, prefix) > 0 ? after : prefix);
	buffer_append(out, SLICE("},\":h\":{\"B\":"));
	write_end(out, prefix);
	buffer_append(out, SLICE("}}"));
	if (cursor->start) {
		buffer_append(out, SLICE(",\"ExclusiveStartKey\":{\"p\":{\"S\":"));
		dynamodb_wire_partition(out, state, ns, shard);
		buffer_append(out, SLICE("},\"k\":{\"B\":\""));
		buffer_append(out, slice_of(cursor->start));
		buffer_append(out, SLICE("\"}}"));
	}
	buffer_append_char(out, '}');
}

bool dynamodb_range_advance(struct dynamodb_cursor *cursor, const json_t *root)
{
	const json_t *last = json_object_get(root, "LastEvaluatedKey");
	struct slice key = dynamodb_wire_read_base64(last, "k");

	if (!json_is_array(json_object_get(root, "Items")))
		return false;
	free(cursor->start);
	cursor->start = json_is_object(last) ? strndup(key.data ? key.data : "", key.len) : NULL;
	cursor->is_complete = !json_is_object(last);
	return cursor->is_complete || (cursor->start && key.len > 0);
}
