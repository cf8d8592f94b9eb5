/* /cache/{ns}/{key}: one entry, as bytes. */
#include "handlers/entry/entry.h"

#include <stdlib.h>

#include "handlers/flight/single_flight.h"
#include "handlers/handlers.h"
#include "handlers/respond/conditions.h"
#include "handlers/respond/error.h"
#include "handlers/respond/http_date.h"
#include "handlers/respond/status.h"

/* ---- GET, HEAD ---- */

static bool check_key(const struct request *request, struct response *response)
{
	if (request->key.len <= request->context->max_key_bytes)
		return true;
	respond_error(request, response, 414,
		      "the key has %zu bytes; the server takes up to %zu (STEADYCACHE_MAX_KEY_KB)",
		      request->key.len, request->context->max_key_bytes);
	return false;
}

/* Opens the visit of a GET that has `wait` or `lease`. False: the request is answered. */
static bool open_visit(struct request *request, struct response *response)
{
	const char *wait = request_query(request, "wait");
	const char *lease = request_query(request, "lease");

	if ((!wait && !lease) || request->method != HTTP_GET || !request->context->flights)
		return true;
	return flight_visit_open(request, response, wait ? flight_parse_seconds(wait) : 0,
				 lease ? flight_parse_seconds(lease) : 0,
				 request_query(request, "bind"));
}

static enum handler_step entry_get_start(struct request *request, struct response *response)
{
	cache_op_init(&request->op, CACHE_OP_GET);
	if (!check_key(request, response))
		return STEP_RESPOND;
	request->op.ns = request->ns;
	request->op.one.key = request->key;
	request->op.no_touch = request->method == HTTP_HEAD;
	request->op.serve_stale = true;
	return open_visit(request, response) ? STEP_SUBMIT : STEP_RESPOND;
}

/* Writes `number` in decimal and a NUL; returns the length. snprintf would cost more than the
 * look-up. */
static size_t put_number(char *out, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	out[count] = '\0';
	return count;
}

/* For a time that is not negative. */
static uint64_t whole_seconds_up(int64_t us)
{
	return us > 0 ? (uint64_t)((us + US_PER_S - 1) / US_PER_S) : 0;
}

/* Caches subtract Age from max-age (RFC 9111, 4.2), so max-age is the whole lifetime. If the time
 * of the modification is unknown, or the clock was set back to before it, Age is 0, and max-age is
 * the time left. An entry without an expiry must be revalidated each time, because the next PUT may
 * come at once. */
static void add_cache_control(struct response *response, const struct cache_value *value,
			      bool is_fresh, int64_t now_us, int64_t age_us)
{
	if (value->expires_at_us == 0) {
		response_header_static(response, "Cache-Control", "no-cache");
		return;
	}
	if (!is_fresh) {
		response_header_static(response, "Cache-Control", "max-age=0");
		return;
	}
	char *text = response_header_room(response, "Cache-Control", 40);
	memcpy(text, "max-age=", 8);
	(void)put_number(text + 8, whole_seconds_up(value->expires_at_us - now_us + age_us));
}

/* RFC 9211: for a stale entry a negative time to live, of at least one whole second. */
static void add_cache_status(struct response *response, const struct cache_value *value, bool stale,
			     int64_t now_us)
{
	static const char fresh_hit[] = "steadycache; hit; ttl=";
	static const char stale_hit[] = "steadycache; hit; fwd=stale; ttl=-";
	int64_t left_us = value->expires_at_us - now_us;

	if (value->expires_at_us == 0) {
		response_header_static(response, "Cache-Status", "steadycache; hit");
		return;
	}
	char *text = response_header_room(response, "Cache-Status", 60);
	if (stale) {
		memcpy(text, stale_hit, sizeof(stale_hit) - 1);
		(void)put_number(text + sizeof(stale_hit) - 1,
				 left_us < 0 ? whole_seconds_up(-left_us) : 1);
	} else {
		memcpy(text, fresh_hit, sizeof(fresh_hit) - 1);
		/* Rounded up: a ttl of 5 says 5 at first. */
		(void)put_number(text + sizeof(fresh_hit) - 1, whole_seconds_up(left_us));
	}
}

/* The headers about the entry, whatever the status; `is_kept`: caches may keep the answer. */
static void add_hit_headers(struct response *response, const struct cache_value *value, bool stale,
			    bool is_kept, int64_t now_us)
{
	int64_t modified_us = value->modified_at_us;
	int64_t age_us = modified_us != 0 && modified_us < now_us ? now_us - modified_us : 0;

	etag_format(&value->etag, response_header_room(response, "ETag", ETAG_TEXT_LEN));
	if (modified_us != 0)
		http_date_format(conditions_last_modified_s(value, now_us),
				 response_header_room(response, "Last-Modified", HTTP_DATE_LEN));
	(void)put_number(response_header_room(response, "Age", 20), (uint64_t)(age_us / US_PER_S));
	if (is_kept)
		add_cache_control(response, value, !stale && value->expires_at_us > now_us, now_us,
				  age_us);
	add_cache_status(response, value, stale, now_us);
}

static void respond_miss(struct request *request, struct response *response)
{
	const char *lease = flight_lease_of(request);

	response_header_static(response, "Cache-Status", "steadycache; fwd=miss");
	if (lease)
		response_header_printf(response, "Lease", "%s; ttl=%.10g", lease,
				       (double)request->visit->waiter.lease_us / US_PER_S);
	respond_error(request, response, 404, "no such entry");
}

/* Answers with the value, all of it or the part at `offset`; takes the op's reference. */
static void respond_value(struct request *request, struct response *response, unsigned status,
			  size_t offset, size_t len)
{
	struct cache_value *value = request->op.one.value;

	request->op.one.value = NULL;
	response_header_static(response, "Content-Type", cache_value_content_type(value));
	response_header_static(response, "Accept-Ranges", "bytes");
	if (status == 206)
		response_header_printf(response, "Content-Range", "bytes %zu-%zu/%zu", offset,
				       offset + len - 1, (size_t)value->len_bytes);
	response_value(response, status, value);
	response->value_offset = offset;
	response->value_len = len;
}

static void entry_get_finish(struct request *request, struct response *response)
{
	struct cache_value *value = request->op.one.value;
	enum range_kind range = RANGE_WHOLE;
	size_t offset = 0;

	if (request->op.status == CACHE_NOT_FOUND) {
		respond_miss(request, response);
		return;
	}
	if (request->op.status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	unsigned status = conditions_of_read(request, value);
	size_t len = value->len_bytes;
	if (status == 200)
		range = conditions_range(request, value, &offset, &len);
	if (range != RANGE_WHOLE)
		status = range == RANGE_PART ? 206 : 416;
	add_hit_headers(response, value, request->op.one.stale, status < 400,
			cache_clock_now_us(request->context->clock));
	switch (status) {
	case 304:
		/* The body is not sent, but Content-Length is the value's (RFC 9110, 8.6). */
		request->op.one.value = NULL;
		response_value(response, 304, value);
		break;
	case 412:
		respond_error(request, response, 412,
			      request_header(request, "If-Match")
				      ? "the entry's ETag is none of those in If-Match"
				      : "the entry is newer than If-Unmodified-Since says");
		break;
	case 416:
		response_header_static(response, "Accept-Ranges", "bytes");
		response_header_printf(response, "Content-Range", "bytes */%zu",
				       (size_t)value->len_bytes);
		respond_error(request, response, 416,
			      "the range lies beyond the %zu bytes of the value",
			      (size_t)value->len_bytes);
		break;
	default:
		respond_value(request, response, status, offset, len);
	}
}

/* ---- PUT, DELETE ---- */

static bool read_ttl(const struct request *request, struct response *response, int64_t *ret_s)
{
	const char *text = request_query(request, "ttl");
	int64_t ttl_s = 0;
	size_t digits = 0;

	if (!text)
		return true;
	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 18; digits++)
		ttl_s = ttl_s * 10 + (text[digits] - '0');
	if (digits == 0 || text[digits] != '\0' || ttl_s > TTL_MAX_S) {
		respond_error(
			request, response, 400,
			"\"ttl\" must be a whole number of seconds from 0 (never expires) to %lld",
			(long long)TTL_MAX_S);
		return false;
	}
	*ret_s = ttl_s;
	return true;
}

const char *entry_content_type(const char *given)
{
	static const char unasked[] = "application/x-www-form-urlencoded";
	const size_t len = sizeof(unasked) - 1;

	if (!given || strncasecmp(given, unasked, len) != 0)
		return given;
	const char *rest = given + len + strspn(given + len, " \t");
	return *rest == '\0' || *rest == ';' ? NULL : given;
}

static bool check_put_headers(const struct request *request, struct response *response)
{
	const char *encoding = request_header(request, "Content-Encoding");
	const char *type = request_header(request, "Content-Type");

	if (encoding && strcasecmp(encoding, "identity") != 0)
		respond_error(request, response, 415,
			      "Content-Encoding would not be kept; send the value without it");
	else if (request_header(request, "Content-Range"))
		respond_error(request, response, 400,
			      "a PUT replaces the whole value; "
			      "send it without Content-Range");
	else if (type && *type != '\0' && !content_type_is_valid(slice_of(type)))
		respond_error(request, response, 400,
			      "Content-Type may have up to %d characters, printable ones of ASCII",
			      CONTENT_TYPE_MAX_LEN);
	else
		return true;
	return false;
}

/* The token of a Lease header, without its parameters. */
static struct slice lease_token(const char *header)
{
	return (struct slice){.data = header, .len = strcspn(header, "; ")};
}

/* Starts a write of one entry: the op, its key, its condition. */
static bool start_write(struct request *request, struct response *response, enum cache_op_type type)
{
	cache_op_init(&request->op, type);
	if (!check_key(request, response))
		return false;
	request->op.ns = request->ns;
	request->op.one.key = request->key;
	struct etag_list *list = malloc(sizeof(*list));
	if (!list) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return false;
	}
	request->state = list;
	return conditions_of_write(request, response, list);
}

/* True if there is no Lease header. */
static bool check_lease(const struct request *request, struct response *response)
{
	const char *header = request_header(request, "Lease");

	return !header || flight_lease_check_token(request, response, lease_token(header));
}

static enum handler_step entry_put_start(struct request *request, struct response *response)
{
	const char *type = entry_content_type(request_header(request, "Content-Type"));

	if (!start_write(request, response, CACHE_OP_SET) || !check_lease(request, response) ||
	    !check_put_headers(request, response) ||
	    !read_ttl(request, response, &request->op.one.ttl_s))
		return STEP_RESPOND;
	if (!request->body)
		request->body = cache_value_create_with_headroom(
			0, slice_of(type),
			backend_headroom(request->context->backend, request->op.one.key.len));
	if (!request->body) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return STEP_RESPOND;
	}
	cache_value_seal(request->body);
	request->op.one.value = request->body;
	request->body = NULL;
	return STEP_SUBMIT;
}

static void entry_put_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	response->status = op->one.created ? 201 : 204;
	etag_format(&op->one.value->etag, response_header_room(response, "ETag", ETAG_TEXT_LEN));
}

static void entry_put_cleanup(struct request *request)
{
	if (request->op.type == CACHE_OP_SET) {
		cache_value_release(request->op.one.value);
		request->op.one.value = NULL;
	}
	free(request->state);
	request->state = NULL;
}

static bool entry_put_lease(const struct request *request, struct named_lease *ret)
{
	const char *header = request_header(request, "Lease");

	if (!header)
		return false;
	*ret = (struct named_lease){
		.ns = request->ns,
		.key = request->key,
		.token = lease_token(header),
	};
	return true;
}

/* DELETE with a Lease: gives the lease back and leaves the entry alone. */
static enum handler_step release_lease(struct request *request, struct response *response,
				       const char *header)
{
	const struct named_lease lease = {
		.ns = request->ns,
		.key = request->key,
		.token = lease_token(header),
	};

	cache_op_init(&request->op, CACHE_OP_DELETE);
	if (!check_key(request, response) || !check_lease(request, response))
		return STEP_RESPOND;
	switch (flight_lease_release(request, &lease)) {
	case RELEASE_ASK:
		return STEP_SUBMIT;
	case RELEASE_DONE:
	case RELEASE_OVER:
		response->status = 204;
		break;
	case RELEASE_UNKNOWN:
		respond_error(request, response, 404,
			      "no such lease on this key: it was never given");
		break;
	}
	return STEP_RESPOND;
}

static enum handler_step entry_delete_start(struct request *request, struct response *response)
{
	const char *lease = request_header(request, "Lease");

	if (lease)
		return release_lease(request, response, lease);
	return start_write(request, response, CACHE_OP_DELETE) ? STEP_SUBMIT : STEP_RESPOND;
}

static void entry_delete_finish(struct request *request, struct response *response)
{
	if (request->op.status != CACHE_OK)
		respond_op_failure(request, response);
	else
		response->status = 204;
}

const struct handler handler_entry_get = {.start = entry_get_start, .finish = entry_get_finish};
const struct handler handler_entry_put = {
	.start = entry_put_start,
	.finish = entry_put_finish,
	.cleanup = entry_put_cleanup,
	.lease = entry_put_lease,
};
const struct handler handler_entry_delete = {
	.start = entry_delete_start,
	.finish = entry_delete_finish,
	.cleanup = entry_put_cleanup,
};
