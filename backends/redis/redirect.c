#include "backends/redis/redirect.h"

#include "backends/redis/decimal.h"

#define PORT_MAX 65535

/* Moves what is before the next blank, or all, from *text to *ret. */
static void take_word(struct slice *text, struct slice *ret)
{
	const char *blank = text->len > 0 ? memchr(text->data, ' ', text->len) : NULL;
	size_t len = blank ? (size_t)(blank - text->data) : text->len;
	size_t used = blank ? len + 1 : len;

	*ret = (struct slice){.data = text->data, .len = len};
	*text = (struct slice){.data = text->data + used, .len = text->len - used};
}

/* A node that does not know its own name gives none, or "?". */
static struct slice known_host(struct slice host)
{
	return slice_equal(host, SLICE("?")) ? (struct slice){0} : host;
}

/* "MOVED 3999 host:port"; an IPv6 address has no brackets. */
static bool read_target(struct slice text, struct redis_redirect *ret)
{
	struct slice word, slot, address;
	size_t colon;

	take_word(&text, &word);
	take_word(&text, &slot);
	take_word(&text, &address);
	for (colon = address.len; colon > 0 && address.data[colon - 1] != ':'; colon--)
		;
	if (colon == 0 || !redis_decimal_up_to(slot, REDIS_SLOTS - 1, &ret->slot) ||
	    !redis_decimal_up_to(
		    (struct slice){.data = address.data + colon, .len = address.len - colon},
		    PORT_MAX, &ret->port) ||
	    ret->port == 0)
		return false;
	ret->host = known_host((struct slice){.data = address.data, .len = colon - 1});
	return true;
}

struct redis_redirect redis_redirect_read(const struct redis_reply *reply)
{
	static const struct {
		const char *code, *reason;
		enum redis_redirect_kind kind;
		bool is_map_old;
	} rows[] = {
		{"MOVED", "TRYAGAIN", REDIRECT_MOVED, true},
		{"ASK", "TRYAGAIN", REDIRECT_ASK, false},
		{"TRYAGAIN", "TRYAGAIN", REDIRECT_LATER, false},
		{"CLUSTERDOWN", "CLUSTERDOWN", REDIRECT_LATER, true},
		{"LOADING", "LOADING", REDIRECT_LATER, true},
		{"MASTERDOWN", "CLUSTERDOWN", REDIRECT_LATER, true},
		{"READONLY", "CLUSTERDOWN", REDIRECT_LATER, true},
	};
	struct redis_redirect ret = {.kind = REDIRECT_NONE};

	if (reply->kind != REPLY_ERROR)
		return ret;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!redis_reply_is_error(reply, slice_of(rows[i].code)))
			continue;
		ret.kind = rows[i].kind;
		ret.reason = rows[i].reason;
		ret.is_map_old = rows[i].is_map_old;
		if ((ret.kind == REDIRECT_MOVED || ret.kind == REDIRECT_ASK) &&
		    !read_target(reply->text, &ret))
			ret.kind = REDIRECT_NONE;
		break;
	}
	return ret;
}

bool redis_redirect_is_one(const struct redis_reply *reply)
{
	return redis_redirect_read(reply).kind != REDIRECT_NONE;
}

/* ---- CLUSTER SLOTS: arrays of first, last, master, replicas ---- */

/* The host of a node: an address, a name, or nil; behind them its port, its id, and in newer
 * versions names and values. */
static struct slice host_of(const struct redis_reply *node)
{
	const struct redis_reply *host = redis_reply_element(node, 0, REPLY_STRING);
	const struct redis_reply *more = redis_reply_element(node, 3, REPLY_ARRAY);
	struct slice name = host ? host->text : (struct slice){0};

	/* The node has no name where names were asked for. */
	for (size_t i = 0; more && slice_equal(name, SLICE("?")) && i + 1 < more->count; i += 2) {
		const struct redis_reply *key = redis_reply_element(more, i, REPLY_STRING);
		const struct redis_reply *value = redis_reply_element(more, i + 1, REPLY_STRING);

		if (key && value && slice_equal(key->text, SLICE("ip")))
			return value->text;
	}
	return known_host(name);
}

static bool is_range(const struct redis_reply *range)
{
	const struct redis_reply *first = redis_reply_element(range, 0, REPLY_INTEGER);
	const struct redis_reply *last = redis_reply_element(range, 1, REPLY_INTEGER);
	const struct redis_reply *node = redis_reply_element(range, 2, REPLY_ARRAY);
	const struct redis_reply *port = node ? redis_reply_element(node, 1, REPLY_INTEGER) : NULL;

	return first && last && port && first->integer >= 0 && first->integer <= last->integer &&
	       last->integer < REDIS_SLOTS && port->integer > 0 && port->integer <= PORT_MAX;
}

bool redis_redirect_are_slots(const struct redis_reply *reply)
{
	for (size_t i = 0; reply->kind == REPLY_ARRAY && i < reply->count; i++)
		if (!is_range(&reply->elements[i]))
			return false;
	return reply->kind == REPLY_ARRAY && reply->count > 0;
}

void redis_redirect_each_range(const struct redis_reply *reply,
			       void (*each)(void *user, unsigned first, unsigned last,
					    struct slice host, unsigned port),
			       void *user)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct redis_reply *range = &reply->elements[i];
		const struct redis_reply *node = &range->elements[2];

		each(user, (unsigned)range->elements[0].integer,
		     (unsigned)range->elements[1].integer, host_of(node),
		     (unsigned)node->elements[1].integer);
	}
}
