#include "handlers/respond/conditions.h"

#include "base/etag.h"
#include "base/slice.h"
#include "handlers/respond/error.h"
#include "handlers/respond/http_date.h"
#include "handlers/respond/request.h"

static const char *skip_blank(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

static const struct slice form_ends[] = {
	[ETAG_OF_VALUE] = SLICE("\""),
	[ETAG_OF_IDENTITY] = SLICE("-identity\""),
	[ETAG_OF_ZSTD] = SLICE("-zstd\""),
};
#define FORMS ((uint8_t)(sizeof(form_ends) / sizeof(form_ends[0])))

/* Reads an entity tag of any form. False: it is not one of ours. */
static bool parse_etag(struct slice text, struct etag *ret, uint8_t *ret_form)
{
	char plain[ETAG_TEXT_LEN];

	*ret_form = ETAG_OF_VALUE;
	if (text.len <= sizeof(plain))
		return etag_parse(text, ret);
	memcpy(plain, text.data, sizeof(plain) - 1);
	plain[sizeof(plain) - 1] = '"';
	struct slice end = {text.data + sizeof(plain) - 1, text.len - (sizeof(plain) - 1)};
	for (uint8_t form = ETAG_OF_VALUE + 1; form < FORMS; form++)
		if (slice_equal(end, form_ends[form])) {
			*ret_form = form;
			return etag_parse((struct slice){plain, sizeof(plain)}, ret);
		}
	return false;
}

/* Reads one entity tag at *at and moves behind it. False: there is none, or one too many. */
static bool take_etag(const char **at, bool strong, struct etag_list *list)
{
	bool weak = (*at)[0] == 'W' && (*at)[1] == '/';
	const char *open = *at + (weak ? 2 : 0);
	const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;
	struct etag etag;
	uint8_t form;

	if (!close)
		return false;
	*at = close + 1;
	if ((weak && strong) ||
	    !parse_etag((struct slice){.data = open, .len = (size_t)(*at - open)}, &etag, &form)) {
		list->has_foreign = true;
		return true;
	}
	if (list->count == MAX_ETAGS)
		return false;
	list->forms[list->count] = form;
	list->etags[list->count++] = etag;
	return true;
}

/* Adds the elements of one line, any of which may be empty (RFC 9110, 5.6.1.2). */
static bool take_line(const char *at, bool strong, struct etag_list *list, size_t *elements)
{
	for (at = skip_blank(at); *at; at = skip_blank(at)) {
		if (*at == ',') {
			at++;
			continue;
		}
		if (*at == '*') {
			list->any = true;
			at++;
		} else if (!take_etag(&at, strong, list)) {
			return false;
		}
		(*elements)++;
		at = skip_blank(at);
		if (*at != ',' && *at != '\0')
			return false;
	}
	return true;
}

bool conditions_read_etags(const struct request *request, const char *name, const char *first_line,
			   bool strong, struct etag_list *ret)
{
	const char *line = first_line;
	size_t elements = 0;

	ret->any = false;
	ret->has_foreign = false;
	ret->count = 0;
	for (size_t i = 1; line; line = request_header_line(request, name, i++))
		if (!take_line(line, strong, ret, &elements))
			return false;
	/* At least one is required, and `*` stands alone. */
	return ret->any ? elements == 1 : elements > 0;
}

bool conditions_match_etag(const struct etag_list *list, const struct etag *etag,
			   enum etag_form form)
{
	if (list->any)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (list->forms[i] == form && etag_equal(&list->etags[i], etag))
			return true;
	return false;
}

void conditions_add_etag(struct response *response, const struct etag *etag, enum etag_form form)
{
	struct slice end = form_ends[form];

	if (form == ETAG_OF_VALUE) {
		etag_format(etag, response_header_room(response, "ETag", ETAG_TEXT_LEN));
		return;
	}
	char *text = response_header_room(response, "ETag", ETAG_TEXT_LEN + end.len);

	etag_format(etag, text);
	memcpy(text + ETAG_TEXT_LEN - 1, end.data, end.len);
	text[ETAG_TEXT_LEN - 1 + end.len] = '\0';
}

bool conditions_of_write(struct request *request, struct response *response, struct etag_list *list)
{
	const char *match = request_header(request, "If-Match");
	const char *none_match = request_header(request, "If-None-Match");
	struct cache_condition *condition = &request->op.one.condition;

	if (!match && request_header(request, "If-Unmodified-Since")) {
		respond_error(request, response, 400,
			      "If-Unmodified-Since cannot be told exactly enough for a write; send "
			      "If-Match");
		return false;
	}
	if (!match && !none_match)
		return true;
	if (match && none_match) {
		respond_error(request, response, 400,
			      "send If-Match or If-None-Match, not both in one request");
		return false;
	}
	if (!conditions_read_etags(request, match ? "If-Match" : "If-None-Match",
				   match ? match : none_match, match != NULL, list)) {
		respond_error(request, response, 400,
			      "%s must be * or a list of at most %d entity tags in double quotes",
			      match ? "If-Match" : "If-None-Match", MAX_ETAGS);
		return false;
	}
	condition->etags = list->etags;
	condition->etag_count = list->count;
	if (match)
		condition->kind = list->any ? CONDITION_PRESENT : CONDITION_MATCH;
	else
		condition->kind = list->any ? CONDITION_ABSENT : CONDITION_NONE_MATCH;
	return true;
}

/* ---- Dates ---- */

/* A value that is read this soon after the second of its modification may still be followed by one
 * of the same second, whose write is in progress. */
#define LATE_WRITES_US (2 * US_PER_S)

/* Conditions treat a modification as of the end of its second: of two values of one second, the
 * date that clients got with the first (see below) then does not match the second. */
static int64_t modified_by_s(const struct cache_value *value)
{
	return (value->modified_at_us + US_PER_S - 1) / US_PER_S;
}

int64_t conditions_last_modified_s(const struct cache_value *value, int64_t now_us)
{
	int64_t by_s = modified_by_s(value);

	if (by_s * US_PER_S + LATE_WRITES_US <= now_us)
		return by_s;
	/* A second earlier: true too, and a date that no condition accepts for this value. If the
	 * clock was set back: a date later than the answer's would hide every change until then
	 * (RFC 9110, 8.8.2.1). */
	return by_s - 1 < now_us / US_PER_S ? by_s - 1 : now_us / US_PER_S;
}

/* Whether the value was modified after the date in the header `name`. `unless` if the header is
 * missing or not a date, or the modification is unknown. */
static bool is_modified_since(const struct request *request, const char *name,
			      const struct cache_value *value, bool unless)
{
	const char *date = request_header(request, name);
	int64_t date_s;

	if (!date || value->modified_at_us == 0 || !http_date_parse(slice_of(date), &date_s))
		return unless;
	return modified_by_s(value) > date_s;
}

/* ---- Reads ---- */

unsigned conditions_of_read(const struct request *request, const struct cache_value *value,
			    enum etag_form form)
{
	const char *match = request_header(request, "If-Match");
	const char *none_match = request_header(request, "If-None-Match");
	struct etag_list list;

	if (match ? conditions_read_etags(request, "If-Match", match, true, &list) &&
			    !conditions_match_etag(&list, &value->etag, form)
		  : is_modified_since(request, "If-Unmodified-Since", value, false))
		return 412;
	if (none_match
		    ? conditions_read_etags(request, "If-None-Match", none_match, false, &list) &&
			      conditions_match_etag(&list, &value->etag, form)
		    : !is_modified_since(request, "If-Modified-Since", value, true))
		return 304;
	return 200;
}

/* Reads digits at *at and moves behind them. False: none, or too many. */
static bool read_digits(const char **at, uint64_t *ret)
{
	uint64_t number = 0;
	const char *begin = *at;

	while (**at >= '0' && **at <= '9' && *at - begin < 19)
		number = number * 10 + (uint64_t)(*(*at)++ - '0');
	*ret = number;
	return *at > begin && !(**at >= '0' && **at <= '9');
}

static bool if_range_holds(const char *if_range, const struct cache_value *value)
{
	struct etag etag;
	int64_t date_s;

	if (etag_parse(slice_of(if_range), &etag))
		return etag_equal(&etag, &value->etag);
	return value->modified_at_us != 0 && http_date_parse(slice_of(if_range), &date_s) &&
	       date_s == modified_by_s(value);
}

enum range_kind conditions_range(const struct request *request, const struct cache_value *value,
				 uint64_t *ret_offset, uint64_t *ret_len)
{
	const char *range = request_header(request, "Range");
	const char *if_range = request_header(request, "If-Range");
	const uint64_t whole = cache_value_whole_len(value);
	uint64_t first = 0;
	uint64_t last = 0;

	/* Range is ignored for a HEAD (RFC 9110, 14.2). */
	if (!range || request->method == HTTP_HEAD || strncmp(range, "bytes=", 6) != 0 ||
	    (if_range && !if_range_holds(if_range, value)))
		return RANGE_WHOLE;
	const char *at = skip_blank(range + 6);
	bool suffix = *at == '-';
	bool has_last = false;
	if (!suffix && !read_digits(&at, &first))
		return RANGE_WHOLE;
	if (*at++ != '-')
		return RANGE_WHOLE;
	if (*at >= '0' && *at <= '9') {
		has_last = true;
		if (!read_digits(&at, &last))
			return RANGE_WHOLE;
	}
	if (*skip_blank(at) != '\0' || (suffix && !has_last) ||
	    (!suffix && has_last && last < first))
		return RANGE_WHOLE;
	if (suffix) {
		first = last < whole ? whole - last : 0;
		has_last = last > 0; /* "-0" asks for nothing */
		last = whole;
		if (!has_last)
			return RANGE_UNSATISFIABLE;
	}
	if (first >= whole)
		return RANGE_UNSATISFIABLE;
	if (!has_last || last >= whole)
		last = whole - 1;
	*ret_offset = first;
	*ret_len = last - first + 1;
	return RANGE_PART;
}
