/* In which form a client gets a value that was stored with a Content-Encoding: as it is, decoded,
 * or not at all (RFC 9110, 12.5.3). */
#ifndef STEADYCACHE_HANDLERS_ENTRY_FORM_H
#define STEADYCACHE_HANDLERS_ENTRY_FORM_H

#include "base/coding.h"
#include "handlers/respond/conditions.h"
#include "handlers/respond/request.h"

struct entry_form {
	enum etag_form tag;   /* ETAG_OF_VALUE: as it is; ETAG_OF_IDENTITY: decoded */
	bool may_be_as_it_is; /* the client has not said that it does not take that */
	enum coding coding;   /* to be decoded */
};

/* Chooses the form. False: answered with 406. */
bool entry_form_choose(const struct request *request, struct response *response,
		       const struct cache_value *value, struct entry_form *ret);

/* Opens what `value` decodes to, with the caller's reference. NULL: the reference stays, and
 * either the form has become that of the value as it is, because it is not of the coding that it
 * should be of, or the request is answered (*ret_answered). */
struct body_stream *entry_form_open(const struct request *request, struct response *response,
				    struct cache_value *value, struct entry_form *form,
				    bool *ret_answered);

#endif
