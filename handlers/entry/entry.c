/* GET and HEAD of /cache/{ns}/{key}: one entry, as bytes. */
#include <inttypes.h>

#include "handlers/entry/entry_coded.h"
#include "handlers/entry/entry_form.h"
#include "handlers/entry/entry_headers.h"
#include "handlers/entry/entry_write.h"
#include "handlers/flight/single_flight.h"
#include "handlers/handlers.h"
#include "handlers/respond/conditions.h"
#include "handlers/respond/error.h"
#include "handlers/respond/http_date.h"

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
	if (!respond_key_fits(request, response))
		return STEP_RESPOND;
	request->op.ns = request->ns;
	request->op.one.key = request->key;
	request->op.no_touch = request->method == HTTP_HEAD;
	request->op.serve_stale = true;
	request->op.takes_bodies = true;
	request->op.takes_encoded = true;
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
	if (entry_headers_rule_caches(value))
		return;
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
static void add_hit_headers(struct response *response, const struct cache_value *value,
			    enum etag_form form, bool stale, bool is_kept, int64_t now_us)
{
	int64_t modified_us = value->modified_at_us;
	int64_t age_us = modified_us != 0 && modified_us < now_us ? now_us - modified_us : 0;

	conditions_add_etag(response, &value->etag, form);
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
			  uint64_t offset, uint64_t len)
{
	struct cache_value *value = request->op.one.value;

	request->op.one.value = NULL;
	response_header_static(response, "Content-Type", cache_value_content_type(value));
	entry_headers_add(response, value, false);
	response_header_static(response, "Accept-Ranges", "bytes");
	if (entry_coded_is(value))
		response_header_static(response, "Content-Encoding", "zstd");
	if (status == 206)
		response_header_printf(response, "Content-Range",
				       "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, offset,
				       offset + len - 1, cache_value_whole_len(value));
	response_value(response, status, value);
	response->value_offset = offset;
	response->value_len = len;
}

/* Answers with what the value decodes to, as long as that may be. */
static void respond_decoded(struct request *request, struct response *response,
			    struct body_stream *stream)
{
	const struct cache_value *value = request->op.one.value;

	request->op.one.value = NULL;
	response_header_static(response, "Content-Type", cache_value_content_type(value));
	entry_headers_add(response, value, true);
	response->is_guarded = true;
	/* After a HEAD the end of the chunks would be sent. */
	response->is_unframed = request->method == HTTP_HEAD;
	response->body = BODY_STREAM;
	response->stream = stream;
}

/* The body is not sent, but Content-Length is the value's (RFC 9110, 8.6), unless it is decoded:
 * then nobody knows it. */
static void respond_not_modified(struct request *request, struct response *response,
				 enum etag_form form)
{
	struct cache_value *value = request->op.one.value;

	entry_headers_add(response, value, form == ETAG_OF_IDENTITY);
	response->status = 304;
	if (form == ETAG_OF_IDENTITY)
		return;
	request->op.one.value = NULL;
	response_value(response, 304, value);
}

/* What is to be sent of a value, and how. */
struct selection {
	struct entry_form form;
	unsigned status;
	uint64_t offset, len;
	struct body_stream *decoded; /* of a 200, or NULL */
};

/* False: answered. */
static bool select_form(struct request *request, struct response *response,
			struct selection *selection)
{
	struct cache_value *value = request->op.one.value;
	bool is_answered = false;

	selection->decoded = NULL;
	if (entry_coded_is(value)) {
		if (!entry_coded_choose(request, response, &selection->form.tag))
			return false;
		selection->status =
			conditions_of_read(request, request->op.one.value, selection->form.tag);
		return true;
	}
	if (!entry_form_choose(request, response, value, &selection->form))
		return false;
	selection->status = conditions_of_read(request, value, selection->form.tag);
	if (selection->form.tag == ETAG_OF_VALUE || selection->status != 200)
		return true;
	selection->decoded =
		entry_form_open(request, response, value, &selection->form, &is_answered);
	if (!selection->decoded)
		selection->status = conditions_of_read(request, value, selection->form.tag);
	return !is_answered;
}

/* Of what is decoded there are no parts: where they begin is not known. */
static void select_part(const struct request *request, struct selection *selection)
{
	const struct cache_value *value = request->op.one.value;
	enum range_kind range = RANGE_WHOLE;

	selection->offset = 0;
	selection->len = cache_value_whole_len(value);
	if (selection->status == 200 && selection->form.tag == ETAG_OF_VALUE)
		range = conditions_range(request, value, &selection->offset, &selection->len);
	if (range != RANGE_WHOLE)
		selection->status = range == RANGE_PART ? 206 : 416;
}

static void entry_get_finish(struct request *request, struct response *response)
{
	struct selection selection;

	if (request->op.status == CACHE_NOT_FOUND) {
		respond_miss(request, response);
		return;
	}
	if (request->op.status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	if (!select_form(request, response, &selection))
		return;
	select_part(request, &selection);
	add_hit_headers(response, request->op.one.value, selection.form.tag, request->op.one.stale,
			selection.status < 400, cache_clock_now_us(request->context->clock));
	switch (selection.status) {
	case 304:
		respond_not_modified(request, response, selection.form.tag);
		break;
	case 412:
		respond_error(request, response, 412,
			      request_header(request, "If-Match")
				      ? "the entry's ETag is none of those in If-Match"
				      : "the entry is newer than If-Unmodified-Since says");
		break;
	case 416:
		response_header_static(response, "Accept-Ranges", "bytes");
		response_header_printf(response, "Content-Range", "bytes */%" PRIu64,
				       selection.len);
		respond_error(request, response, 416,
			      "the range lies beyond the %" PRIu64 " bytes of the value",
			      selection.len);
		break;
	default:
		if (selection.decoded)
			respond_decoded(request, response, selection.decoded);
		else
			respond_value(request, response, selection.status, selection.offset,
				      selection.len);
	}
}

const struct handler handler_entry_get = {.start = entry_get_start, .finish = entry_get_finish};
