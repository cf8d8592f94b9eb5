#include "handlers/conditions.h"

#include "handlers/http_date.h"

static const char *skip_blank(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* Behind the comma, and empty elements, at *at; false where something else stands there. */
static bool skip_comma(const char **at)
{
	*at = skip_blank(*at);
	if (**at != ',' && **at != '\0')
		return false;
	while (**at == ',')
		*at = skip_blank(*at + 1);
	return true;
}

/* One entity tag at *at; moves behind it. False: there is none, or one too many. */
static bool take_etag(const char **at, bool strong, struct etag_list *list)
{
	bool weak = (*at)[0] == 'W' && (*at)[1] == '/';
	const char *open = *at + (weak ? 2 : 0);
	const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;
	struct etag etag;

	if (!close)
		return false;
	*at = close + 1;
	if ((weak && strong) ||
	    !etag_parse((struct slice){.data = open, .len = (size_t)(*at - open)}, &etag)) {
		list->has_foreign = true;
		return true;
	}
	if (list->count == MAX_ETAGS)
		return false;
	list->etags[list->count++] = etag;
	return true;
}

bool etag_list_parse(const char *header, bool strong, struct etag_list *ret)
{
	const char *at = skip_blank(header);

	ret->any = false;
	ret->has_foreign = false;
	ret->count = 0;
	if (*at == '*') {
		ret->any = true;
		return *skip_blank(at + 1) == '\0';
	}
	/* Empty elements are none (RFC 9110, 5.6.1.2), but one tag there must be. */
	if (!skip_comma(&at) && *at != '"' && *at != 'W')
		return false;
	do {
		if (!take_etag(&at, strong, ret) || !skip_comma(&at))
			return false;
	} while (*at);
	return true;
}

bool etag_list_matches(const struct etag_list *list, const struct etag *etag)
{
	if (list->any)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (etag_equal(&list->etags[i], etag))
			return true;
	return false;
}

bool read_write_condition(struct request *request, struct response *response,
			  struct etag_list *list)
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
	if (request->source->repeats(request, match ? "If-Match" : "If-None-Match")) {
		respond_error(request, response, 400, "send %s once, with all its entity tags",
			      match ? "If-Match" : "If-None-Match");
		return false;
	}
	if (match && none_match) {
		respond_error(request, response, 400,
			      "send If-Match or If-None-Match, not both in one request");
		return false;
	}
	if (!etag_list_parse(match ? match : none_match, match != NULL, list)) {
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

unsigned evaluate_read_condition(const struct request *request, const struct cache_value *value)
{
	const char *match = request_header(request, "If-Match");
	const char *none_match = request_header(request, "If-None-Match");
	const char *since = none_match ? NULL : request_header(request, "If-Modified-Since");
	const char *unmodified = match ? NULL : request_header(request, "If-Unmodified-Since");
	struct etag_list list;
	int64_t since_s;

	if (unmodified && http_date_parse(slice_of(unmodified), &since_s) &&
	    value->modified_at_us / US_PER_S > since_s)
		return 412;
	if (match && etag_list_parse(match, true, &list) && !etag_list_matches(&list, &value->etag))
		return 412;
	if (none_match && etag_list_parse(none_match, false, &list) &&
	    etag_list_matches(&list, &value->etag))
		return 304;
	if (since && http_date_parse(slice_of(since), &since_s) &&
	    value->modified_at_us / US_PER_S <= since_s)
		return 304;
	return 200;
}

/* Digits at *at; moves behind them. False: none, or too many to be a size. */
static bool read_digits(const char **at, size_t *ret)
{
	size_t number = 0;
	const char *begin = *at;

	while (**at >= '0' && **at <= '9' && *at - begin < 19)
		number = number * 10 + (size_t)(*(*at)++ - '0');
	*ret = number;
	return *at > begin && !(**at >= '0' && **at <= '9');
}

static bool if_range_holds(const char *if_range, const struct cache_value *value)
{
	struct etag etag;
	int64_t date_s;

	if (etag_parse(slice_of(if_range), &etag))
		return etag_equal(&etag, &value->etag);
	return http_date_parse(slice_of(if_range), &date_s) &&
	       date_s == value->modified_at_us / US_PER_S;
}

enum range_kind read_range(const struct request *request, const struct cache_value *value,
			   size_t *ret_offset, size_t *ret_len)
{
	const char *range = request_header(request, "Range");
	const char *if_range = request_header(request, "If-Range");
	size_t first = 0;
	size_t last = 0;

	/* Of a HEAD it is to be ignored (RFC 9110, 14.2). */
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
		first = last < value->len_bytes ? value->len_bytes - last : 0;
		has_last = last > 0; /* "-0" asks for nothing */
		last = value->len_bytes;
		if (!has_last)
			return RANGE_UNSATISFIABLE;
	}
	if (first >= value->len_bytes)
		return RANGE_UNSATISFIABLE;
	if (!has_last || last >= value->len_bytes)
		last = value->len_bytes - 1;
	*ret_offset = first;
	*ret_len = last - first + 1;
	return RANGE_PART;
}
