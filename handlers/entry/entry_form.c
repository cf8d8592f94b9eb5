#include "handlers/entry/entry_form.h"

#include "handlers/respond/accept.h"
#include "handlers/respond/decode_stream.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

static struct slice encoding_of(const struct cache_value *value)
{
	return value_head_find(cache_value_head(value), SLICE("Content-Encoding"));
}

static void refuse(const struct request *request, struct response *response,
		   const struct cache_value *value, const char *reason)
{
	struct slice encoding = encoding_of(value);

	response_header_static(response, "Vary", "Accept-Encoding");
	respond_error(
		request, response, 406,
		"the value was stored with \"Content-Encoding: %.*s\", which the request does "
		"not accept, and %s",
		(int)encoding.len, encoding.data, reason);
}

bool entry_form_choose(const struct request *request, struct response *response,
		       const struct cache_value *value, struct entry_form *ret)
{
	struct slice encoding = {0};

	*ret = (struct entry_form){.tag = ETAG_OF_VALUE, .may_be_as_it_is = true};
	if (cache_value_has_headers(value))
		encoding = encoding_of(value);
	if (!encoding.data)
		return true;
	int quality = accept_quality_of_all(request, encoding);
	if (quality > 0)
		return true;
	bool can_decode = coding_find(encoding, &ret->coding);
	ret->may_be_as_it_is = quality == ACCEPT_UNSAID;
	if (can_decode && accept_quality(request, SLICE("identity")) != 0) {
		ret->tag = ETAG_OF_IDENTITY;
		return true;
	}
	if (ret->may_be_as_it_is)
		return true;
	refuse(request, response, value,
	       can_decode ? "it accepts no decoded bytes (identity) either"
			  : "the server can decode gzip and zstd only");
	return false;
}

struct body_stream *entry_form_open(const struct request *request, struct response *response,
				    struct cache_value *value, struct entry_form *form,
				    bool *ret_answered)
{
	enum cache_status status;
	struct body_stream *stream = decode_stream_open(value, form->coding, &status);

	*ret_answered = false;
	if (stream)
		return stream;
	if (status == CACHE_INVALID && form->may_be_as_it_is) {
		form->tag = ETAG_OF_VALUE;
		return NULL;
	}
	*ret_answered = true;
	if (status == CACHE_INVALID)
		refuse(request, response, value, "its bytes are not of that coding");
	else
		respond_error(request, response, status_http(status), "%s", status_text(status));
	return NULL;
}
