#include "library/ask.h"

#include <stdlib.h>
#include <string.h>

#include "library/settings.h"
#include "library/value.h"

/* Entries of a listing, for which backends have room before they begin. */
#define DEFAULT_LIMIT 1000
#define MAX_LIMIT     10000

static enum steadycache_status refuse(const char **ret_sentence, const char *sentence)
{
	*ret_sentence = sentence;
	return STEADYCACHE_INVALID;
}

static enum steadycache_status refuse_for_memory(const char **ret_sentence)
{
	*ret_sentence = steadycache_status_text(STEADYCACHE_NO_MEMORY);
	return STEADYCACHE_NO_MEMORY;
}

/* ---- Items ---- */

static int compare_keys(const void *a, const void *b)
{
	const struct cache_item *const *left = a;
	const struct cache_item *const *right = b;

	return slice_compare((*left)->key, (*right)->key);
}

static bool are_in_order(const struct cache_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (slice_compare(items[i - 1].key, items[i].key) >= 0)
			return false;
	return true;
}

static enum steadycache_status check_distinct(const struct cache_item *items, size_t count,
					      const char **ret_sentence)
{
	bool is_distinct = true;

	if (are_in_order(items, count))
		return STEADYCACHE_OK;
	const struct cache_item **sorted = malloc(count * sizeof(const struct cache_item *));
	if (!sorted)
		return refuse_for_memory(ret_sentence);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	qsort(sorted, count, sizeof(const struct cache_item *), compare_keys);
	for (size_t i = 1; i < count && is_distinct; i++)
		is_distinct = !slice_equal(sorted[i - 1]->key, sorted[i]->key);
	free(sorted);
	return is_distinct ? STEADYCACHE_OK
			   : refuse(ret_sentence, "two items of the request have the same key");
}

static enum steadycache_status fill_ttl(int64_t ttl_s, struct cache_item *ret,
					const char **ret_sentence)
{
	ret->ttl_s = ttl_s == STEADYCACHE_TTL_DEFAULT ? TTL_DEFAULT
		     : ttl_s == STEADYCACHE_TTL_NEVER ? 0
						      : ttl_s;
	if (ttl_s >= STEADYCACHE_TTL_NEVER && ttl_s <= TTL_MAX_S)
		return STEADYCACHE_OK;
	return refuse(ret_sentence, "a time to live (ttl_s) is 1 to 3153600000 seconds, or "
				    "STEADYCACHE_TTL_DEFAULT or STEADYCACHE_TTL_NEVER");
}

static enum steadycache_status fill_value(struct library_call *call,
					  const struct steadycache_item *item,
					  struct cache_item *ret, const char **ret_sentence)
{
	const struct slice bytes = {.data = item->value, .len = item->value_len};
	const struct slice type =
		item->content_type ? slice_of(item->content_type) : SLICE(CONTENT_TYPE_BYTES);
	struct backend *backend = library_store_backend(call->store);

	if (bytes.len > 0 && !bytes.data)
		return refuse(ret_sentence, "an item has no value");
	if (!content_type_is_valid(type))
		return refuse(ret_sentence,
			      "a content type has 1 to 255 characters, printable ASCII");
	if (bytes.len > CACHE_VALUE_MAX_BYTES) {
		*ret_sentence = "a value has up to 4294967295 bytes";
		return STEADYCACHE_TOO_LARGE;
	}
	ret->value = cache_value_copy_with_headroom(
		bytes, type, backend_headroom(backend, call->op.ns, ret->key.len));
	return ret->value ? fill_ttl(item->ttl_s, ret, ret_sentence)
			  : refuse_for_memory(ret_sentence);
}

static enum steadycache_status fill_item(struct library_call *call,
					 const struct steadycache_item *item,
					 struct cache_item *ret, const char **ret_sentence)
{
	ret->key = (struct slice){.data = item->key, .len = item->key_len};
	ret->ttl_s = TTL_DEFAULT;
	if (ret->key.len > 0 && !ret->key.data)
		return refuse(ret_sentence, "an item has no key");
	for (size_t i = 0; i < sizeof(item->reserved) / sizeof(item->reserved[0]); i++)
		if (item->reserved[i] != 0)
			return refuse(ret_sentence, "an item was not zeroed: its reserved members "
						    "are not zero");
	if (call->op.type == CACHE_OP_EXPIRE)
		return fill_ttl(item->ttl_s, ret, ret_sentence);
	return call->op.type == CACHE_OP_SET ? fill_value(call, item, ret, ret_sentence)
					     : STEADYCACHE_OK;
}

static enum steadycache_status fill_items(struct library_call *call, const char **ret_sentence)
{
	const struct steadycache_request *request = call->request;
	enum steadycache_status status = STEADYCACHE_OK;
	struct cache_op *op = &call->op;

	if (request->item_count > 0 && !request->items)
		return refuse(ret_sentence, "the request has no items");
	if (request->item_count != 1) {
		call->items = calloc(request->item_count + 1, sizeof(*call->items));
		if (!call->items)
			return refuse_for_memory(ret_sentence);
		op->items = call->items;
		op->item_count = request->item_count;
	}
	for (size_t i = 0; i < op->item_count && status == STEADYCACHE_OK; i++)
		status = fill_item(call, &request->items[i], &op->items[i], ret_sentence);
	if (status == STEADYCACHE_OK && op->item_count > 1)
		status = check_distinct(op->items, op->item_count, ret_sentence);
	return status;
}

/* ---- Conditions ---- */

/* 32 digits, or these in quotes. */
static bool read_etag(const char *text, struct etag *ret)
{
	char quoted[ETAG_TEXT_LEN + 1];

	if (!text)
		return false;
	if (strlen(text) != STEADYCACHE_ETAG_LEN)
		return etag_parse(slice_of(text), ret);
	quoted[0] = quoted[ETAG_TEXT_LEN - 1] = '"';
	memcpy(quoted + 1, text, STEADYCACHE_ETAG_LEN);
	quoted[ETAG_TEXT_LEN] = '\0';
	return etag_parse((struct slice){.data = quoted, .len = ETAG_TEXT_LEN}, ret);
}

static enum steadycache_status fill_condition(struct library_call *call, const char **ret_sentence)
{
	static const enum condition_kind kinds[] = {
		[STEADYCACHE_ALWAYS] = CONDITION_NONE,
		[STEADYCACHE_IF_ABSENT] = CONDITION_ABSENT,
		[STEADYCACHE_IF_PRESENT] = CONDITION_PRESENT,
		[STEADYCACHE_IF_MATCH] = CONDITION_MATCH,
		[STEADYCACHE_IF_NONE_MATCH] = CONDITION_NONE_MATCH,
	};
	const struct steadycache_request *request = call->request;
	struct cache_condition *condition = &call->op.one.condition;

	if (request->condition == STEADYCACHE_ALWAYS)
		return STEADYCACHE_OK;
	if (request->condition > STEADYCACHE_IF_NONE_MATCH)
		return refuse(ret_sentence,
			      "request.condition is none of enum steadycache_condition");
	if (request->item_count != 1 ||
	    (call->op.type != CACHE_OP_SET && call->op.type != CACHE_OP_DELETE &&
	     call->op.type != CACHE_OP_EXPIRE))
		return refuse(ret_sentence,
			      "a condition is for a set, delete or expire of one item");
	condition->kind = kinds[request->condition];
	if (request->condition < STEADYCACHE_IF_MATCH)
		return STEADYCACHE_OK;
	if (!read_etag(request->etag, &call->etag))
		return refuse(ret_sentence, "request.etag is no tag: it has 32 hexadecimal digits, "
					    "as steadycache_value_etag() writes them");
	condition->etags = &call->etag;
	condition->etag_count = 1;
	return STEADYCACHE_OK;
}

/* ---- The rest ---- */

static enum steadycache_status fill_keys(struct library_call *call, const char **ret_sentence)
{
	const struct steadycache_request *request = call->request;
	struct cache_op *op = &call->op;

	op->prefix = (struct slice){.data = request->prefix, .len = request->prefix_len};
	op->after = (struct slice){.data = request->after, .len = request->after_len};
	op->has_after = request->after != NULL;
	op->any_order = request->any_order != 0;
	op->limit = request->limit > 0 ? request->limit : DEFAULT_LIMIT;
	if (op->limit > MAX_LIMIT)
		op->limit = MAX_LIMIT;
	if ((op->prefix.len > 0 && !op->prefix.data) || (op->after.len > 0 && !op->after.data))
		return refuse(ret_sentence, "a length is not 0, and there are no bytes");
	return STEADYCACHE_OK;
}

static enum steadycache_status fill_settings(struct library_call *call, const char **ret_sentence)
{
	const struct steadycache_settings *settings = call->request->settings;
	const char *fault =
		settings ? library_settings_fault(settings) : "the request has no settings";

	if (fault)
		return refuse(ret_sentence, fault);
	call->op.settings_mask = library_settings_apply(settings, &call->op.settings);
	return STEADYCACHE_OK;
}

static enum steadycache_status check_name(const struct cache_op *op, const char **ret_sentence)
{
	bool may_be_empty = op->type == CACHE_OP_SYNC || op->type == CACHE_OP_STATS;

	if (op->ns.len == 0 ? may_be_empty : namespace_name_is_valid(op->ns))
		return STEADYCACHE_OK;
	return refuse(ret_sentence, "the name of a namespace has 1 to 64 letters, digits, '_', '.' "
				    "and '-', and begins with a letter, a digit or '_'");
}

enum steadycache_status library_ask_fill(struct library_call *call, const char **ret_sentence)
{
	static const enum cache_op_type types[] = {
		[STEADYCACHE_GET] = CACHE_OP_GET,
		[STEADYCACHE_SET] = CACHE_OP_SET,
		[STEADYCACHE_DELETE] = CACHE_OP_DELETE,
		[STEADYCACHE_EXISTS] = CACHE_OP_EXISTS,
		[STEADYCACHE_CLEAR] = CACHE_OP_CLEAR,
		[STEADYCACHE_SCAN] = CACHE_OP_SCAN,
		[STEADYCACHE_STATS] = CACHE_OP_STATS,
		[STEADYCACHE_CONFIGURE] = CACHE_OP_CONFIGURE,
		[STEADYCACHE_SYNC] = CACHE_OP_SYNC,
		[STEADYCACHE_EXPIRE] = CACHE_OP_EXPIRE,
		[STEADYCACHE_DROP] = CACHE_OP_CLEAR,
	};
	const struct steadycache_request *request = call->request;
	struct cache_op *op = &call->op;

	if (request->type >= sizeof(types) / sizeof(types[0])) {
		cache_op_init(op, CACHE_OP_GET);
		return refuse(ret_sentence, "request.type is none of enum steadycache_type");
	}
	cache_op_init(op, types[request->type]);
	op->ns = slice_of(request->ns);
	op->no_touch = request->is_peek != 0;
	op->drop = request->type == STEADYCACHE_DROP;
	if (request->timeout_ms < 0 || request->timeout_ms > INT32_MAX)
		return refuse(ret_sentence, "request.timeout_ms is 0 to 2147483647");
	op->patience_us = request->timeout_ms * 1000;
	enum steadycache_status status = check_name(op, ret_sentence);
	if (status == STEADYCACHE_OK)
		status = fill_condition(call, ret_sentence);
	if (status != STEADYCACHE_OK)
		return status;
	switch (op->type) {
	case CACHE_OP_CLEAR:
	case CACHE_OP_SCAN:
		return fill_keys(call, ret_sentence);
	case CACHE_OP_CONFIGURE:
		return fill_settings(call, ret_sentence);
	case CACHE_OP_STATS:
	case CACHE_OP_SYNC:
		return STEADYCACHE_OK;
	default:
		return fill_items(call, ret_sentence);
	}
}

void library_ask_release(struct library_call *call)
{
	struct cache_op *op = &call->op;

	/* The values of a SET are the caller's of the op. */
	for (size_t i = 0; op->type == CACHE_OP_SET && i < op->item_count; i++)
		cache_value_release(op->items[i].value);
	cache_op_deinit(op);
	free(call->items);
}
