#include "handlers/entry/entry_coded.h"

#include "handlers/respond/accept.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

static bool takes_zstd(const struct request *request)
{
	int quality = accept_quality(request, SLICE("zstd"));

	return quality > 0 && quality >= accept_quality(request, SLICE("identity")) &&
	       !request_header(request, "Range");
}

bool entry_coded_choose(struct request *request, struct response *response, enum etag_form *ret)
{
	struct cache_value *kept = request->op.one.value;
	struct cache_value *decoded;

	response_header_static(response, "Vary", "Accept-Encoding");
	*ret = ETAG_OF_ZSTD;
	if (takes_zstd(request))
		return true;
	*ret = ETAG_OF_VALUE;
	enum cache_status status = value_zstd_decode(kept, &decoded);
	if (status != CACHE_OK) {
		respond_error(request, response, status_http(status), "%s",
			      status == CACHE_CORRUPT ? VALUE_ZSTD_DAMAGED : status_text(status));
		return false;
	}
	request->op.one.value = decoded;
	cache_value_release(kept);
	return true;
}
